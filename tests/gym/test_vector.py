"""A vector of environments on a server, of sessions or its own, is Gymnasium's own in each autoreset mode."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from openenv.errors import AtCapacity, BadAction, ConfigurationError, EnvironmentFailed, LocalError, UsageError
from openenv.gym import make_vec
from openenv.server import ServerConfig
from tests.gym.conftest import Serve
from tests.gym.vectors import KINDS, MakeRemote, assert_same, local
from tests.gym.worlds import Misbehaving

MODES = list(AutoresetMode)


@pytest.fixture(params=KINDS)
def make_remote(request: pytest.FixtureRequest) -> Any:
    """Make a vector on a server: of sessions, or of one that is a vector itself."""
    return request.param


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["CartPole-v1", "Blackjack-v1", "Taxi-v4", "Mixed-v0"])
def test_vector_is_gymnasiums_own_step_for_step(
    name: str, mode: AutoresetMode, serve: Serve, make_remote: MakeRemote
) -> None:
    theirs = local(name, 3, mode)
    ours = make_remote(serve, name, 3, mode.value)
    for attribute in ("single_action_space", "single_observation_space", "action_space", "observation_space"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert ours.metadata["autoreset_mode"] is mode
    assert_same(ours.reset(seed=5), theirs.reset(seed=5))
    theirs.action_space.seed(9)
    for _ in range(60):
        actions = theirs.action_space.sample()
        stepped = theirs.step(actions)
        assert_same(ours.step(actions), stepped)
        ended = stepped[2] | stepped[3]
        if mode is AutoresetMode.DISABLED and ended.any():
            options = {"reset_mask": ended}
            assert_same(ours.reset(options=dict(options)), theirs.reset(options=dict(options)))
    ours.close()
    theirs.close()


@pytest.mark.parametrize("seed", [None, 3, [4, None, 5], (1, 2, 3)])
def test_seeds_go_one_to_a_lane(seed: Any, serve: Serve, make_remote: MakeRemote) -> None:
    theirs, ours = local("CartPole-v1", 3, AutoresetMode.NEXT_STEP), make_remote(serve, "CartPole-v1", 3)
    for env in (ours, theirs):
        env.reset(seed=8)  # so that lanes without a seed go on alike
    assert_same(ours.reset(seed=copy.copy(seed)), theirs.reset(seed=copy.copy(seed)))
    ours.close()


def test_options_go_to_every_lane_and_stay_the_callers(serve: Serve, make_remote: MakeRemote) -> None:
    ours = make_remote(serve, "Mixed-v0", 2)
    options = {"level": 3, "reset_mask": np.array([True, True])}
    _, infos = ours.reset(options=options)
    assert list(infos["options"]["level"]) == [3, 3]
    assert set(options) == {"level", "reset_mask"}
    ours.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"seed": [1]}, ValueError),
        ({"options": {"reset_mask": [True, False]}}, TypeError),
        ({"options": {"reset_mask": np.array([1, 0])}}, TypeError),
        ({"options": {"reset_mask": np.array([True])}}, ValueError),
        ({"options": {"reset_mask": np.array([False, False])}}, ValueError),
        ({"options": {"reset_mask": np.array([True, False])}}, UsageError),
    ],
)
def test_reset_refuses_what_does_not_fit(
    arguments: dict[str, Any], error: type[Exception], serve: Serve, make_remote: MakeRemote
) -> None:
    ours = make_remote(serve, "CartPole-v1", 2)
    with pytest.raises(error):
        ours.reset(**arguments)
    ours.close()


def test_steps_out_of_turn_are_refused(serve: Serve, make_remote: MakeRemote) -> None:
    ours = make_remote(serve, Misbehaving, 2, "Disabled")
    with pytest.raises(UsageError, match="before reset"):
        ours.step(np.zeros(2, np.int64))
    ours.reset()
    with pytest.raises((UsageError, LocalError), match=r"3 actions were given for 2|the shape is \(3,\)"):
        ours.step(np.zeros(3, np.int64))
    ours.step(np.array([0, 5]))
    with pytest.raises(UsageError, match="the episodes of lanes 1 have ended"):
        ours.step(np.array([0, 0]))
    ours.close()


@pytest.mark.parametrize(
    ("actions", "error", "complaint"),
    [
        ([0, 10], BadAction, r"Input should be in Discrete\(10\)"),
        ([1, 0], EnvironmentFailed, "the motor is on fire"),
    ],
)
def test_failure_names_its_lane_and_leaves_the_others_as_they_were(
    actions: Sequence[int], error: type[Exception], complaint: str, serve: Serve
) -> None:
    ours = make_vec(serve(Misbehaving), 2)
    ours.reset()
    with pytest.raises(error, match=complaint) as caught:
        ours.step(np.array(actions))
    failed = 1 if actions[1] else 0
    assert caught.value.__notes__ == [f"this was lane {failed} of 2"]
    assert ours.step(np.array([0, 0]))[1].tolist() == [1.0, 1.0]
    ours.close()


def test_wrong_action_is_found_before_anything_is_sent(serve: Serve, make_remote: MakeRemote) -> None:
    ours = make_remote(serve, "Mixed-v0", 2)
    ours.reset(seed=1)
    with pytest.raises(LocalError, match="this action does not fit"):
        ours.step((np.array([0, 1]), np.full((2, 2), 1e300)))
    ours.close()


def test_each_lane_is_rendered(serve: Serve, make_remote: MakeRemote) -> None:
    ours = make_remote(serve, "Mixed-v0", 2, kwargs={"render_mode": "rgb_array"})
    observations, _ = ours.reset(seed=1)
    frames = ours.render()
    assert frames is not None
    assert [np.array_equal(frame, image) for frame, image in zip(frames, observations["image"], strict=True)] == [
        True
    ] * 2
    ours.close()
    unrendered = make_remote(serve, "Mixed-v0", 1)
    assert unrendered.render() is None
    unrendered.close()


def test_more_lanes_than_the_server_has_room_for_are_refused_and_none_is_left(serve: Serve) -> None:
    url = serve("CartPole-v1", config=ServerConfig(max_sessions=2, queue_s=1))
    with pytest.raises(AtCapacity, match="room for 2 of 3 environments"):
        make_vec(url, 3)
    ours = make_vec(url, 2)
    ours.reset()
    ours.close()
    ours.close()


def test_single_environments_are_not_made_without_saying_how_many(serve: Serve) -> None:
    with pytest.raises(ConfigurationError, match="has single environments; say how many to make, by num_envs="):
        make_vec(serve("CartPole-v1"))


def test_no_lane_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="num_envs=0: must be 1 or more"):
        make_vec("http://127.0.0.1:1", 0)
