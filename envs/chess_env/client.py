"""The client: how a program drives this environment on a server."""

from openenv import EnvClient, State

from .models import ChessAction, ChessObservation


class ChessEnv(EnvClient[ChessAction, ChessObservation, State]):
    """Drives the Chess environment, one episode at a time.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
