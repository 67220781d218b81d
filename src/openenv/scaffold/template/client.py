"""The client: how a program drives this environment on a server."""

from openenv import EnvClient, State

from .models import (
    __ENV_CLASS_NAME__Action,
    __ENV_CLASS_NAME__Observation,
)


class __ENV_CLASS_NAME__Env(
    EnvClient[
        __ENV_CLASS_NAME__Action,
        __ENV_CLASS_NAME__Observation,
        State,
    ]
):
    """Drives the __ENV_TITLE_NAME__ environment, one episode at a time.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
