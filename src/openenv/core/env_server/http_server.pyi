# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env import Environment as Environment
from openenv.server.app import create_app as create_app
from openenv.server.app import create_fastapi_app as create_fastapi_app
from openenv.server.http_env_server import HTTPEnvServer as HTTPEnvServer
from openenv.types import Action as Action
from openenv.types import Observation as Observation
from openenv.types import State as State
