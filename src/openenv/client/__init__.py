"""Driving an environment on a server."""

from openenv.client.aio import AsyncEnvClient
from openenv.client.generic import GenericAction, GenericEnvClient
from openenv.client.sync import EnvClient

__all__ = ["AsyncEnvClient", "EnvClient", "GenericAction", "GenericEnvClient"]
