"""Rubrics that score an episode as a whole, once it is over, and share the score out among its steps."""

from abc import abstractmethod
from collections.abc import Awaitable, Generator, Mapping
from typing import Any

from openenv.env.rubrics.base import Rubric
from openenv.env.rubrics.drive import drive
from openenv.errors import ConfigurationError

__all__ = ["ExponentialDiscountingTrajectoryRubric", "TrajectoryRubric"]


class TrajectoryRubric(Rubric):
    """Gives `intermediate_reward` until an observation says `done`, then `score_trajectory`.

    It remembers every step until `reset`, which is what an environment's `_reset_rubric` calls.
    """

    def __init__(self, intermediate_reward: float = 0.0) -> None:
        super().__init__()
        self.intermediate_reward = intermediate_reward
        self._trajectory: list[tuple[Any, Any]] = []

    @abstractmethod
    def score_trajectory(self, trajectory: list[tuple[Any, Any]]) -> float | Awaitable[float]:
        """Score an episode, given as pairs of an action and what came of it; may be `async def`."""

    @abstractmethod
    def compute_step_rewards(self) -> Any:  # list[float], or an awaitable of one
        """Share the score out: one reward for each step so far."""

    @property
    def trajectory(self) -> list[tuple[Any, Any]]:
        """The steps since `reset`, as a list of the caller's own."""
        return list(self._trajectory)

    def forward(self, action: Any, observation: Any) -> float | Awaitable[float]:
        """Remember a step, and score the episode if that ended it."""
        self._trajectory.append((action, observation))
        if getattr(observation, "done", False):
            return self.score_trajectory(self._trajectory)
        return self.intermediate_reward

    def reset(self) -> Any:
        """Forget the steps."""
        self._trajectory = []
        return super().reset()

    def state_dict(self) -> dict[str, Any]:
        """Give the settings, not the steps."""
        return {**super().state_dict(), "intermediate_reward": self.intermediate_reward}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings that `state_dict` gave."""
        super().load_state_dict(state)
        self.intermediate_reward = state.get("intermediate_reward", self.intermediate_reward)


class ExponentialDiscountingTrajectoryRubric(TrajectoryRubric):
    """Shares the score out by distance from the end: of T steps, the one at t gets `gamma ** (T - 1 - t)` of it.

    Raises:
        ConfigurationError: `gamma` is not between 0 and 1.
    """

    def __init__(self, gamma: float = 0.99, intermediate_reward: float = 0.0) -> None:
        super().__init__(intermediate_reward=intermediate_reward)
        self.gamma = _checked(gamma)

    def compute_step_rewards(self) -> Any:  # list[float], or an awaitable of one
        """Share the score out, discounted; an awaitable if `score_trajectory` is async."""
        return drive(self._discounted())

    def _discounted(self) -> Generator[Any, Any, list[float]]:
        steps = len(self._trajectory)
        if not steps:
            return []
        score = yield self.score_trajectory(self._trajectory)
        return [score * self.gamma ** (steps - 1 - step) for step in range(steps)]

    def state_dict(self) -> dict[str, Any]:
        """Give the settings, not the steps."""
        return {**super().state_dict(), "gamma": self.gamma}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings that `state_dict` gave."""
        super().load_state_dict(state)
        self.gamma = _checked(state.get("gamma", self.gamma))


def _checked(gamma: float) -> float:
    if not 0.0 <= gamma <= 1.0:
        raise ConfigurationError(f"gamma is {gamma}; it must be between 0 and 1")
    return gamma
