"""The client: how a program drives this environment on a server."""

from openenv import EnvClient, State

from .models import TextgridAction, TextgridObservation


class TextgridEnv(EnvClient[TextgridAction, TextgridObservation, State]):
    """Drives the Textgrid environment, one episode at a time.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
