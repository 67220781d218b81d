"""The client: how a program drives this environment on a server."""

from openenv import EnvClient, State

from .models import CodeAction, CodeObservation


class CodingEnv(EnvClient[CodeAction, CodeObservation, State]):
    """Drives the Coding environment, one episode at a time.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
