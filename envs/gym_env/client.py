"""The client: how a program drives this environment on a server, where it is not to look like Gymnasium's own."""

from openenv import EnvClient, State

from .models import GymAction, GymObservation


class GymEnv(EnvClient[GymAction, GymObservation, State]):
    """Drives the Gym environment, one episode at a time; the reward, `done` and `metadata` are those of the result.

    The types in the brackets say how actions are sent and observations read: nothing is missing.
    """
