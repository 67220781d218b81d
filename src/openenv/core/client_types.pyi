# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env.interface import ObsT as ObsT
from openenv.env.interface import StateT as StateT
from openenv.types import StepResult as StepResult
