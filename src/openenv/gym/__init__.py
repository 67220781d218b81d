"""Gymnasium in both directions: its environments served, and environments on a server as Gymnasium's own.

Needs the extra `gym`. The serving half loads the web framework, the driving half does not, so names load when used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from openenv.errors import MissingExtra

try:
    import gymnasium as _gymnasium  # noqa: F401  # whether it is there is all we ask
except ImportError as error:
    raise MissingExtra("openenv.gym", "gym") from error

if TYPE_CHECKING:
    from openenv.gym.annotation import InSpace
    from openenv.gym.app import create_app_from_gym
    from openenv.gym.environment import GymEnvironment
    from openenv.gym.remote import RemoteEnv, make
    from openenv.gym.served_vector import ServedVectorEnv
    from openenv.gym.spaces import space_from_json, space_to_json
    from openenv.gym.vector import RemoteVectorEnv, make_vec
    from openenv.gym.vector_environment import GymVectorEnvironment

__all__ = [
    "GymEnvironment",
    "GymVectorEnvironment",
    "InSpace",
    "RemoteEnv",
    "RemoteVectorEnv",
    "ServedVectorEnv",
    "create_app_from_gym",
    "make",
    "make_vec",
    "space_from_json",
    "space_to_json",
]

_HOMES = {
    "GymEnvironment": "environment",
    "GymVectorEnvironment": "vector_environment",
    "InSpace": "annotation",
    "RemoteEnv": "remote",
    "RemoteVectorEnv": "vector",
    "ServedVectorEnv": "served_vector",
    "create_app_from_gym": "app",
    "make": "remote",
    "make_vec": "vector",
    "space_from_json": "spaces",
    "space_to_json": "spaces",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'openenv.gym' has no attribute {name!r}")
    value = getattr(import_module(f"openenv.gym.{home}"), name)
    globals()[name] = value
    return value
