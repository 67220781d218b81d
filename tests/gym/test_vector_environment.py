"""An adapted vector gives what Gymnasium's does, in one observation."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from openenv.env import EncodedObservation, EnvironmentAdapter, spec_of
from openenv.errors import NotSupported
from openenv.gym import GymVectorEnvironment
from openenv.gym.source import GymSource
from openenv.gym.vector_environment import QuickGymVectorEnvironment
from tests.gym.flocks import Flock


def adapted(make: Any, **kwargs: Any) -> EnvironmentAdapter:
    return EnvironmentAdapter(GymVectorEnvironment(GymSource(make, kwargs)), spec_of(GymVectorEnvironment))


def acted(*actions: int) -> Any:
    return SimpleNamespace(action=np.array(actions))


def test_observation_has_the_batch_and_three_arrays_but_no_reward_and_no_end() -> None:
    adapter = adapted(Flock, num_envs=2)
    begun: Any = adapter.reset({"seed": 1}, raw=True)
    assert isinstance(begun, EncodedObservation)
    assert [len(each) for each in begun.arrays] == [2 * 8, 2 * 6 * 4, 2 * 8, 2, 2]  # count, seen, and the three
    stepped: Any = adapter.step(acted(1, 2), {}, raw=True)
    assert (stepped.reward, stepped.done, stepped.truncated) == (None, False, False)
    assert stepped.arrays[-2:] == [b"\1\0", b"\0\1"]
    listed: Any = adapter.step(acted(1, 2), {})
    assert b'"terminations":[true,false],"truncations":[false,true]' in listed.observation
    assert not listed.arrays


def test_state_counts_the_steps_of_the_whole_vector() -> None:
    env = GymVectorEnvironment(GymSource(Flock, {"num_envs": 2}))
    env.reset(seed=1, episode_id="one")
    env.step(acted(0, 0))
    assert (env.state.episode_id, env.state.step_count) == ("one", 1)
    env.reset(options={"reset_mask": [True, False]})
    assert env.state.step_count == 0


def test_each_lane_has_a_seed_where_the_vector_takes_them() -> None:
    env = GymVectorEnvironment(GymSource("Pendulum-v1", {"num_envs": 2}))
    one = env.reset(seed=3).observation  # type: ignore[attr-defined]
    two = env.reset(seeds=[3, 4]).observation  # type: ignore[attr-defined]
    assert np.array_equal(one, two)


def test_page_shows_each_frame() -> None:
    env = GymVectorEnvironment(GymSource(Flock, {"num_envs": 2, "render_mode": "ansi"}))
    assert env.render_web(env.reset()) == "<pre>bird &lt;0&gt;</pre><pre>bird &lt;1&gt;</pre>"
    assert GymVectorEnvironment(GymSource(Flock, {"num_envs": 2})).render_web(None) is None


def test_vector_is_not_saved() -> None:
    adapter = adapted(Flock, num_envs=2)
    with pytest.raises(NotSupported):
        adapter.snapshot()


def test_it_promises_to_be_quick_only_when_it_was_said() -> None:
    assert GymVectorEnvironment.BLOCKING
    assert not QuickGymVectorEnvironment.BLOCKING
