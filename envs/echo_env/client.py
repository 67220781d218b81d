"""The client: how a program drives this environment on a server."""

from openenv import EnvClient, State

from .models import EchoAction, EchoObservation


class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
    """Drives the Echo environment, one episode at a time.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
