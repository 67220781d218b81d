"""gym_env over a live server: what arrives is what the same environment gives here, to the bit."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gym_env import GymAction, GymEnv, make, make_vec
from gym_env.server import Choice

from openenv.errors import BadAction
from tests.support.serving import serving

ENVIRONMENT = "gym_env"


@pytest.mark.parametrize(
    ("made", "kwargs"),
    [
        ("CartPole-v1", {}),
        ("Pendulum-v1", {"g": 3.7}),
        ("FrozenLake-v1", {"render_mode": "ansi", "is_slippery": True}),
        ("Blackjack-v1", {}),
    ],
)
def test_the_same_seed_gives_what_it_gives_here(made: str, kwargs: dict[str, Any]) -> None:
    here = gymnasium.make(made, **kwargs)
    with serving(Choice(made, kwargs).app()) as url:
        there = make(url)
        assert (there.action_space, there.observation_space) == (here.action_space, here.observation_space)
        here.action_space.seed(7)
        for seed in (7, None):
            assert same(there.reset(seed=seed), here.reset(seed=seed))
            is_over = False
            for _ in range(40):
                if is_over:
                    break
                action = here.action_space.sample()
                stepped = here.step(action)
                assert same(there.step(action), stepped)
                assert there.render() == (here.render() if here.render_mode else None)
                is_over = stepped[2] or stepped[3]
        there.close()
    here.close()


def test_a_vector_in_each_session() -> None:
    here = gymnasium.make_vec("CartPole-v1", num_envs=3)
    with serving(Choice("CartPole-v1", {}, num_envs=3).app()) as url:
        there = make_vec(url)
        assert there.num_envs == 3
        here.action_space.seed(1)
        assert same(there.reset(seed=1), here.reset(seed=1))
        for _ in range(60):
            actions = here.action_space.sample()
            assert same(there.step(actions), here.step(actions))
        there.close()
    here.close()


def test_its_own_client_is_typed_and_needs_no_spaces() -> None:
    with serving(Choice("CartPole-v1", {}).app()) as url, GymEnv(url) as env:
        first = env.reset(seed=7).observation
        assert np.shape(first.observation) == (4,)
        result = env.step(GymAction(action=1))
        assert (result.reward, result.done, env.state().step_count) == (1.0, False, 1)
        with pytest.raises(BadAction, match=r"Discrete\(2\)"):
            env.step(GymAction(action=2))
        assert env.step(GymAction(action=0)).reward == 1.0


def test_its_page_shows_frames_by_default(url: str) -> None:
    env = make(url)
    env.reset(seed=1)
    before = env.render()
    env.step(0)
    assert before.startswith("o  o  o")
    assert env.render() != before
    env.close()


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays and what is in tuples and dicts included, with their types."""
    if isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in other)
    if isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=other.dtype.kind == "f")
    return bool(one == other)
