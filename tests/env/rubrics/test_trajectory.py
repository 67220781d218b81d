"""Rubrics that score an episode: when, and how the score is shared out among its steps."""

import asyncio
import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv.env.rubrics import ExponentialDiscountingTrajectoryRubric, TrajectoryRubric, WeightedSum
from openenv.errors import ConfigurationError
from openenv.types import Action, Observation

Steps = list[tuple[Any, Any]]


class Shared(TrajectoryRubric):
    """Scores by the last reward, and gives each step an equal part."""

    def score_trajectory(self, trajectory: Steps) -> float:
        return float(trajectory[-1][1].reward)

    def compute_step_rewards(self) -> list[float]:
        return [self.score_trajectory(self._trajectory) / len(self._trajectory)] * len(self._trajectory)


class Discounted(ExponentialDiscountingTrajectoryRubric):
    def score_trajectory(self, trajectory: Steps) -> float:
        return float(trajectory[-1][1].reward or 0)


class DiscountedAsync(ExponentialDiscountingTrajectoryRubric):
    async def score_trajectory(self, trajectory: Steps) -> float:
        await asyncio.sleep(0)
        return float(trajectory[-1][1].reward or 0)


def play(rubric: Any, steps: int, final: float = 1.0) -> list[Any]:
    ends = [Observation(done=step == steps - 1, reward=final) for step in range(steps)]
    return [rubric(Action(), end) for end in ends]


def test_both_halves_must_be_written() -> None:
    with pytest.raises(TypeError, match=r"compute_step_rewards.*score_trajectory"):
        TrajectoryRubric()  # type: ignore[abstract]


def test_the_score_comes_with_the_end_and_the_intermediate_reward_before() -> None:
    rubric = Shared(intermediate_reward=-0.1)
    assert play(rubric, 3) == [-0.1, -0.1, 1.0]
    assert rubric.last_score == 1.0
    assert rubric.compute_step_rewards() == pytest.approx([1 / 3] * 3)


def test_an_observation_that_does_not_say_done_ends_nothing() -> None:
    assert Shared()(Action(), SimpleNamespace(reward=1.0)) == 0.0


def test_reset_forgets_the_steps_also_from_above() -> None:
    rubric = Shared()
    play(rubric, 3)
    assert len(rubric.trajectory) == 3
    rubric.trajectory.clear()  # a copy
    WeightedSum([rubric], [1.0]).reset()
    assert rubric.trajectory == []
    play(rubric, 2)
    assert len(rubric.trajectory) == 2


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(0, 1), st.floats(-100, 100))
def test_the_discounted_rewards_are_those_of_the_geometric_series(steps: int, gamma: float, final: float) -> None:
    rubric = Discounted(gamma=gamma)
    play(rubric, steps, final)
    rewards = rubric.compute_step_rewards()
    assert len(rewards) == steps
    assert rewards[-1] == final
    for before, after in pairwise(rewards):
        assert math.isclose(before, gamma * after, abs_tol=1e-9)
    total = final * (steps if gamma == 1 else (1 - gamma**steps) / (1 - gamma))
    assert math.isclose(sum(rewards), total, rel_tol=1e-6, abs_tol=1e-9)


def test_without_steps_there_are_no_rewards() -> None:
    assert Discounted().compute_step_rewards() == []


def test_an_episode_may_be_scored_async() -> None:
    rubric = DiscountedAsync(gamma=0.5)
    *_, last = play(rubric, 2)
    assert asyncio.run(last) == 1.0
    assert asyncio.run(rubric.compute_step_rewards()) == [0.5, 1.0]


@pytest.mark.parametrize("gamma", [-0.1, 1.1, math.nan])
def test_a_gamma_outside_0_to_1_is_refused(gamma: float) -> None:
    with pytest.raises(ConfigurationError, match="must be between 0 and 1") as caught:
        Discounted(gamma=gamma)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(ConfigurationError):
        Discounted().load_state_dict({"gamma": gamma})


def test_settings_are_saved_and_loaded_and_the_steps_are_not() -> None:
    rubric = Discounted(0.9, intermediate_reward=0.1)
    play(rubric, 2)
    assert rubric.state_dict() == {"intermediate_reward": 0.1, "gamma": 0.9}
    other = Discounted()
    other.load_state_dict(rubric.state_dict())
    assert (other.gamma, other.intermediate_reward, other.trajectory) == (0.9, 0.1, [])
