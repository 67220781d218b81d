# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.compat.extras import convert_to_ws_url as convert_to_ws_url
from openenv.compat.extras import hf_space_subdomain as hf_space_subdomain
from openenv.compat.extras import run_async_safely as run_async_safely
