"""The Gym environment: any environment of Gymnasium, and what drives it from elsewhere."""

from openenv.gym import make, make_vec

from .client import GymEnv
from .models import GymAction, GymObservation

__all__ = [
    "GymAction",
    "GymEnv",
    "GymObservation",
    "make",
    "make_vec",
]
