"""What an environment author touches, and the one adapter by which everything else touches an environment."""

from openenv.env.adapter import EnvironmentAdapter, parse_action, parse_reset
from openenv.env.arrays import array_fields
from openenv.env.encoding import EncodedObservation, encode_observation, encode_state
from openenv.env.interface import Environment, EnvironmentMetadata
from openenv.env.modes import ServerMode
from openenv.env.source import EnvironmentSource
from openenv.env.spec import EnvironmentSpec, Method, spec_of
from openenv.env.tasks import TaskProvider
from openenv.env.transforms import CompositeTransform, NullTransform, Transform

__all__ = [
    "CompositeTransform",
    "EncodedObservation",
    "Environment",
    "EnvironmentAdapter",
    "EnvironmentMetadata",
    "EnvironmentSource",
    "EnvironmentSpec",
    "Method",
    "NullTransform",
    "ServerMode",
    "TaskProvider",
    "Transform",
    "array_fields",
    "encode_observation",
    "encode_state",
    "parse_action",
    "parse_reset",
    "spec_of",
]
