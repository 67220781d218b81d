"""An adapted environment gives what Gymnasium's does, and each of its faults has a name."""

from typing import Any

import numpy as np
import pytest

from openenv.env import EncodedObservation, EnvironmentAdapter, spec_of
from openenv.errors import BadObservation, EnvironmentFailed
from openenv.gym import GymEnvironment
from openenv.gym.environment import QuickGymEnvironment, is_quick
from openenv.gym.source import GymSource
from tests.gym.worlds import Misbehaving, Mixed


class Act:
    """An action that was validated."""

    def __init__(self, action: Any) -> None:
        self.action = action


def stepped(number: int) -> EncodedObservation:
    adapter = EnvironmentAdapter(GymEnvironment(GymSource(Misbehaving)), spec_of(GymEnvironment))
    adapter.reset({})
    observation = adapter.step(Act(number), {})
    assert isinstance(observation, EncodedObservation)
    return observation


def test_observation_is_encoded_by_its_space() -> None:
    assert stepped(0) == EncodedObservation(b'{"metadata":{},"observation":[0.5,0.5]}', 1.0, False, None, False)


@pytest.mark.parametrize(
    ("number", "error", "complaint"),
    [
        (1, EnvironmentFailed, "RuntimeError: the motor is on fire"),
        (2, BadObservation, r"field 'observation\.1' is nan"),
        (3, BadObservation, "field 'reward' is nan"),
        (4, BadObservation, r"field 'observation' .* the shape is \(3,\) and should be \(2,\)"),
        (8, BadObservation, "field 'observation' .*'no array' is not made of numbers"),
    ],
)
def test_each_fault_of_an_environment_has_a_name(number: int, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        stepped(number)


def test_both_endings_at_once_survive() -> None:
    both = stepped(5)
    assert (both.done, both.truncated, both.metadata) == (True, True, b'{"$gym":{"terminated":true}}')


def test_info_that_cannot_travel_is_named() -> None:
    assert stepped(6).metadata == b'{"fine":1,"deep":{},"$gym":{"left_out":["bad","deep.odd","deep.3"]}}'


def test_observation_outside_its_bounds_travels_in_the_type_of_its_space() -> None:
    stray = stepped(7)
    assert stray.observation == b'{"metadata":{},"observation":[2.0,-3.0]}'
    assert (stray.reward, stray.done, stray.truncated) == (float(np.float32(0.1)), True, False)


def test_state_names_the_episode_and_counts_its_steps() -> None:
    env = GymEnvironment(GymSource(Misbehaving))
    env.reset(seed=1, episode_id="one")
    env.step(Act(0))
    assert (env.state.episode_id, env.state.step_count) == ("one", 1)
    env.reset()
    assert (env.state.episode_id, env.state.step_count) == (None, 0)


@pytest.mark.parametrize(
    ("mode", "begins"), [("rgb_array", '<img alt="Mixed" src="data:image/png;base64,'), ("ansi", "<pre>a &lt;b&gt;")]
)
def test_page_shows_the_frame(mode: str, begins: str) -> None:
    env = GymEnvironment(GymSource(Mixed, {"render_mode": mode}))
    html = env.render_web(env.reset(seed=1))
    assert html is not None
    assert html.startswith(begins)


def test_page_shows_nothing_where_nothing_is_rendered() -> None:
    assert GymEnvironment(GymSource(Mixed)).render_web(None) is None


def test_environment_describes_itself_by_its_docstring() -> None:
    described = GymEnvironment(GymSource("Mixed-v0")).get_metadata()
    assert described.name == "Mixed-v0"
    assert described.description.startswith("Values of many kinds")


def test_closing_closes_the_environment() -> None:
    class Closing(Mixed):
        closed = 0

        def close(self) -> None:
            Closing.closed += 1

    GymEnvironment(GymSource(Closing)).close()
    assert Closing.closed == 1


@pytest.mark.parametrize(
    ("target", "kwargs", "quick"),
    [
        ("CartPole-v1", {}, True),
        ("Taxi-v4", {}, True),
        ("Mixed-v0", {}, False),
        ("FrozenLake-v1", {"render_mode": "ansi"}, False),
        ("CartPole-v1", {"num_envs": 2}, False),
    ],
)
def test_only_gymnasiums_own_small_environments_are_known_to_be_quick(
    target: str, kwargs: dict[str, Any], quick: bool
) -> None:
    assert is_quick(GymSource(target, kwargs).build()) is quick
    assert not QuickGymEnvironment.BLOCKING
    assert GymEnvironment.BLOCKING
