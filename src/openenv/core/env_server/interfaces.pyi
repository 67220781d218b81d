# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.compat.extras import Message as Message
from openenv.compat.extras import ModelTokenizer as ModelTokenizer
from openenv.env import Environment as Environment
from openenv.env import EnvironmentMetadata as EnvironmentMetadata
from openenv.env import TaskProvider as TaskProvider
from openenv.env.interface import ActT as ActT
from openenv.env.interface import ObsT as ObsT
from openenv.env.interface import StateT as StateT
from openenv.env.transforms import Transform as Transform
from openenv.types import Action as Action
from openenv.types import Observation as Observation
from openenv.types import State as State
