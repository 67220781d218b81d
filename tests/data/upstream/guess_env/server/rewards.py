"""How a guess is rewarded."""

# As old as the oldest layout, with its newest name last.
try:
    from core.env_server.interfaces import Transform
    from core.env_server.types import Observation
except ImportError:
    from openenv_core.env_server.interfaces import Transform
    from openenv_core.env_server.types import Observation


class NarrowingReward(Transform):
    """A whole point for the number, and next to nothing for anything else."""

    def __call__(self, observation: Observation) -> Observation:
        if observation.hint != "start":
            observation.reward = 1.0 if observation.hint == "found" else 0.01
        observation.metadata["width"] = observation.high - observation.low + 1
        return observation
