"""Driving an environment on a server."""

from openenv.client.aio import AsyncEnvClient
from openenv.client.generic import GenericAction, GenericEnvClient
from openenv.client.sync import EnvClient
from openenv.client.vector import EnvVector
from openenv.client.vector_aio import AsyncEnvVector
from openenv.client.vector_results import StepResults

__all__ = [
    "AsyncEnvClient",
    "AsyncEnvVector",
    "EnvClient",
    "EnvVector",
    "GenericAction",
    "GenericEnvClient",
    "StepResults",
]
