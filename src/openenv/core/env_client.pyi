# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.client import EnvClient as EnvClient
from openenv.types import StepResult as StepResult
