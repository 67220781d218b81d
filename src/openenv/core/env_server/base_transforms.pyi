# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env.transforms import CompositeTransform as CompositeTransform
from openenv.env.transforms import NullTransform as NullTransform
from openenv.env.transforms import Transform as Transform
