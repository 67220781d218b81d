"""The client: how a program drives this environment on a server."""

from openenv import EnvClient, State

from .models import ReasoningAction, ReasoningObservation


class ReasoningEnv(EnvClient[ReasoningAction, ReasoningObservation, State]):
    """Drives the Reasoning environment, one episode at a time.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
