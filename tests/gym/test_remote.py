"""An environment on a server is the local one, to the bit."""

import warnings
from typing import Annotated, Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env, data_equivalence

from openenv import create_app
from openenv.env import Environment
from openenv.errors import (
    BadAction,
    BadObservation,
    ConfigurationError,
    ConnectFailed,
    EnvironmentFailed,
    LocalError,
    Refused,
    SessionClosed,
    UsageError,
)
from openenv.gym import InSpace, make
from openenv.server import ServerConfig
from openenv.types import Action, Observation, State
from tests.gym.conftest import Serve
from tests.gym.worlds import Misbehaving, Mixed
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho
from tests.support.serving import serving

KNOWN = ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0", "FrozenLake-v1", "Blackjack-v1", "Taxi-v4"]


def same(remote: Any, local: Any) -> bool:
    """Tell whether values are of the same types and the same to the bit; a reward may be a float of Python's."""
    return bool(data_equivalence(remote, local, exact=True))


@pytest.mark.parametrize("name", [*KNOWN, "Mixed-v0"])
def test_two_hundred_random_steps_are_the_local_ones_to_the_bit(name: str, serve: Serve) -> None:
    local = gymnasium.make(name, disable_env_checker=True)
    remote = make(serve(name))
    assert remote.action_space == local.action_space
    assert remote.observation_space == local.observation_space
    for seed in (0, 7, 2**40):
        local.action_space.seed(seed)
        assert same(remote.reset(seed=seed), local.reset(seed=seed))
        for _ in range(200):
            action = local.action_space.sample()
            ours, theirs = remote.step(action), local.step(action)
            assert same(ours[0], theirs[0])
            assert float(ours[1]) == float(theirs[1])
            assert ours[2:4] == theirs[2:4]
            assert same(ours[4], theirs[4])
            if theirs[2] or theirs[3]:
                assert same(remote.reset(), local.reset())  # the random numbers go on where they were
    remote.close()


@pytest.mark.parametrize(
    ("name", "kwargs"), [("CartPole-v1", {}), ("Taxi-v4", {}), ("FrozenLake-v1", {"render_mode": "ansi"})]
)
def test_gymnasiums_own_check_passes(name: str, kwargs: dict[str, Any], serve: Serve) -> None:
    remote = make(serve(name, kwargs))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        check_env(remote)
    remote.close()
    local = gymnasium.make(name, disable_env_checker=True, **kwargs).unwrapped
    with warnings.catch_warnings(record=True) as heard_locally:
        warnings.simplefilter("always")
        check_env(local, skip_render_check=True, skip_close_check=True)
    assert {str(w.message) for w in heard} <= {str(w.message) for w in heard_locally}


def test_check_passes_with_pictures_and_nested_spaces(serve: Serve) -> None:
    remote = make(serve("Mixed-v0", {"render_mode": "rgb_array"}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gymnasium finds nested and infinite spaces unusual
        check_env(remote)
    remote.close()


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_rendered_frame_is_the_local_one(mode: str, serve: Serve) -> None:
    local, remote = Mixed(mode), make(serve("Mixed-v0", {"render_mode": mode}))
    assert remote.metadata == {"render_modes": [mode], "render_fps": 7}
    with pytest.raises(UsageError, match=r"call reset\(\) first"):
        remote.render()
    for env in (local, remote):
        env.reset(seed=4)
    assert np.array_equal(remote.render(), local.render())
    remote.close()


def test_nothing_is_rendered_where_the_server_does_not(serve: Serve) -> None:
    url = serve("Mixed-v0")
    remote = make(url)
    assert (remote.render(), remote.render_mode) == (None, None)
    remote.close()
    with pytest.raises(
        ConfigurationError, match=r"'rgb_array' was asked for, but the server at .* with None; start it"
    ):
        make(url, render_mode="rgb_array")


def test_options_reach_the_environment(serve: Serve) -> None:
    remote = make(serve(Mixed))
    for given in ({"a": {"b": [1, 2]}}, {}, {"mask": np.array([1, 2])}):
        _, info = remote.reset(options=given)
        assert info == {
            "options": {k: v.tolist() if hasattr(v, "tolist") else v for k, v in given.items()},
            "started": True,
        }
    remote.close()


def test_both_endings_at_once_survive(serve: Serve) -> None:
    remote = make(serve(Misbehaving))
    remote.reset()
    assert remote.step(0)[2:4] == (False, False)
    assert remote.step(5)[2:4] == (True, True)
    assert remote.step(7)[2:4] == (True, False)
    remote.close()


def test_info_that_cannot_travel_is_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    remote = make(serve(Misbehaving))
    remote.reset()
    assert remote.step(6)[4] == {"fine": 1, "deep": {}}
    assert "were left out: bad, deep.odd, deep.3" in caplog.text
    remote.close()


def test_failures_have_names_and_leave_the_session_as_it_was(serve: Serve) -> None:
    remote = make(serve(Misbehaving))
    remote.reset()
    for action, error, complaint in [
        (10, BadAction, r"action: Input should be in Discrete\(10\); the value lies outside"),
        (1, EnvironmentFailed, "RuntimeError: the motor is on fire"),
        (2, BadObservation, r"observation\.1' is nan"),
        (3, BadObservation, "'reward' is nan"),
    ]:
        with pytest.raises(error, match=complaint):
            remote.step(action)
    for wrong in (1.5, "left", [1]):
        with pytest.raises(LocalError, match=r"this action does not fit Discrete\(10\)"):
            remote.step(wrong)
    assert remote.step(0)[1] == 1.0
    remote.close()
    remote.close()
    with pytest.raises(SessionClosed):
        remote.step(0)


def test_environment_can_be_made_again_by_its_spec(serve: Serve) -> None:
    remote = make(serve("CartPole-v1"), headers={"X-Key": "secret"})
    assert remote.spec is not None
    assert "secret" not in repr(remote.spec)
    twin = gymnasium.make(remote.spec)
    assert same(twin.reset(seed=3), remote.reset(seed=3))
    twin.close()
    remote.close()


class Walk(Action):
    to: Annotated[Any, InSpace(spaces.Discrete(4))]


class Place(Observation):
    at: Annotated[Any, InSpace(spaces.Box(0, 9, (1,), np.int32))]


class Corridor(Environment[Walk, Place, State]):
    """No environment of Gymnasium's, but one that declares its spaces."""

    def reset(self, seed: int | None = None, first: int = 0) -> Place:
        return Place(at=[first])

    def step(self, action: Walk) -> Place:
        return Place(at=[action.to], done=action.to == 3, metadata={"hops": 1})

    @property
    def state(self) -> State:
        return State()


def test_environment_that_declares_its_spaces_is_driven_too() -> None:
    with serving(create_app(Corridor, Walk, Place)) as url:
        remote = make(url)
        observation, info = remote.reset(seed=1, options={"first": 5})
        assert same((observation, info), (np.array([5], np.int32), {}))
        assert remote.spec is None
        assert same(remote.step(3), (np.array([3], np.int32), 0.0, True, False, {"hops": 1}))
        remote.close()


def test_environment_without_spaces_is_refused_by_name() -> None:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        complaint = f"the environment at {url} must declare one space for its actions, and no field of its action does"
        with pytest.raises(ConfigurationError, match=complaint):
            make(url)


def test_server_that_is_not_there_or_lets_nobody_in_is_named(serve: Serve) -> None:
    with pytest.raises(ConnectFailed, match="is the server running"):
        make("http://127.0.0.1:1")
    url = serve("CartPole-v1", config=ServerConfig(token="secret"))
    with pytest.raises(Refused, match="give the server's token"):
        make(url)
    remote = make(url, headers={"Authorization": "Bearer secret"})
    remote.reset()
    remote.close()
