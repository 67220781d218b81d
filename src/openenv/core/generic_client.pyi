# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.client import GenericAction as GenericAction
from openenv.client import GenericEnvClient as GenericEnvClient
