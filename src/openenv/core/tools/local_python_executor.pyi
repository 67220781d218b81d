# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.tools import PyExecutor as PyExecutor
