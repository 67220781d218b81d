"""A server's own vector is driven as it is there: custom ones to the bit, and what one does wrong has a name."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from openenv.client import GenericEnvClient
from openenv.errors import (
    BadAction,
    BadObservation,
    ConfigurationError,
    EnvironmentFailed,
    LocalError,
    PeerError,
    SessionClosed,
    UnknownSession,
    UsageError,
)
from openenv.gym import ServedVectorEnv, create_app_from_gym, make, make_vec
from openenv.protocol import SUBPROTOCOL
from openenv.server import ServerConfig
from tests.gym.conftest import Serve
from tests.gym.flocks import CALM, Flock, Mute
from tests.gym.test_wire import described, numbers, values
from tests.gym.vectors import assert_same
from tests.gym.wiretap import tapped

SPACES = ("single_action_space", "single_observation_space", "action_space", "observation_space")
BOTH = pytest.mark.parametrize("subprotocol", [SUBPROTOCOL, "openenv.v1"])


def follow(ours: Any, theirs: Any, steps: int) -> None:
    """Step both by the same random actions."""
    theirs.action_space.seed(9)
    for _ in range(steps):
        actions = theirs.action_space.sample()
        assert_same(ours.step(actions), theirs.step(actions))


@BOTH
@pytest.mark.parametrize("seed", [0, 7])
def test_vector_entry_point_is_the_local_one_to_the_bit(subprotocol: str, seed: int, serve: Serve) -> None:
    theirs = gymnasium.make_vec("CartPole-v1", num_envs=5, sutton_barto_reward=True)
    url = serve("CartPole-v1", {"sutton_barto_reward": True}, num_envs=5)
    with tapped(url, subprotocol) as (between, _, _):
        ours = make_vec(between, 5, autoreset_mode="NextStep")
        for attribute in SPACES:
            assert getattr(ours, attribute) == getattr(theirs, attribute)
        assert ours.num_envs == 5
        assert ours.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        options = {"low": -0.01, "high": 0.01}
        assert_same(ours.reset(seed=seed, options=options), theirs.reset(seed=seed, options=options))
        follow(ours, theirs, 60)
        assert_same(ours.reset(), theirs.reset())
        ours.close()


@BOTH
def test_custom_vector_and_all_its_infos_are_the_local_ones(subprotocol: str, serve: Serve) -> None:
    theirs = Flock(3)
    with tapped(serve(Flock, num_envs=3), subprotocol) as (between, _, _):
        ours = make_vec(between)
        assert ours.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        assert data_equivalence(ours.reset(seed=3)[0], theirs.reset(seed=3)[0], exact=True)
        for actions in ([0, 1, 2], [11, 0, 11], [1, 11, 0], [0, 0, 0]):
            given = np.array(actions)
            assert_same(ours.step(given), theirs.step(given))
        assert data_equivalence(ours.reset(options={"n": 1})[1], {"options": {"n": 1}})
        ours.close()
    theirs.close()


def test_numbers_of_other_types_become_those_of_the_interface(serve: Serve) -> None:
    ours = make_vec(serve(Flock, num_envs=2))
    ours.reset(seed=1)
    _, rewards, terminations, truncations, _ = ours.step(np.array([12, 0]))
    assert (rewards.dtype, rewards.tolist()) == (np.int64, [1, 1])
    assert terminations.dtype == truncations.dtype == np.bool_
    ours.close()


def test_arrays_of_a_vector_cross_as_they_are(serve: Serve) -> None:
    with tapped(serve("CartPole-v1", num_envs=4), SUBPROTOCOL) as (between, asked, answered):
        ours = make_vec(between)
        ours.reset(seed=1)
        ours.step(np.array([0, 1, 0, 1]))
        ours.close()
    (action,) = values(asked, "action")
    assert described(action) == 1
    seen = values(answered, "data")
    assert [described(each) for each in seen if "observation" in each] == [4, 4]
    assert not any(numbers(each["observation"]) for each in seen if "observation" in each)


def test_any_client_can_drive_it(serve: Serve) -> None:
    with GenericEnvClient(serve("CartPole-v1", num_envs=2)) as env:
        begun = env.reset(seed=1)
        assert begun.observation["rewards"] == [0.0, 0.0]
        result = env.step({"action": [0, 1]})
        assert (result.reward, result.done) == (None, False)
        assert {"observation", "rewards", "terminations", "truncations"} <= set(result.observation)
        assert (result.observation["rewards"], result.observation["terminations"]) == ([1.0, 1.0], [False, False])
        assert env.state()["step_count"] == 1
        with pytest.raises(BadAction, match="action: Input should be in MultiDiscrete"):
            env.step({"action": [0, 2]})
        with pytest.raises(BadAction, match=r"the shape is \(3,\) and should be \(2,\)"):
            env.step({"action": [0, 1, 1]})


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_frames_are_the_local_ones(mode: str, serve: Serve) -> None:
    ours = make_vec(serve(Flock, {"render_mode": mode}, num_envs=3), render_mode=mode)
    with pytest.raises(UsageError, match="call reset"):
        ours.render()
    ours.reset()
    frames = ours.render()
    assert frames is not None
    for ours_, theirs in zip(frames, Flock(3, mode).render(), strict=True):
        assert np.array_equal(ours_, theirs)
    assert ours.metadata["render_fps"] == 9
    ours.close()


# ---- another than was asked for


def test_vector_that_is_asked_for_must_be_the_servers(serve: Serve) -> None:
    url = serve(Flock, num_envs=2)
    for arguments, complaint in [
        ({"num_envs": 3}, r"num_envs=3 was asked for, but the server at .* has a vector of 2; leave num_envs out"),
        ({"autoreset_mode": "Disabled"}, r"autoreset_mode='Disabled' was asked for, but the vector .* has 'SameStep'"),
        ({"render_mode": "ansi"}, "'ansi' was asked for"),
    ]:
        with pytest.raises(ConfigurationError, match=complaint):
            make_vec(url, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"has a vector of 2 environments; drive it by openenv\.gym\.make_vec"):
        make(url)


def test_vector_that_does_not_say_how_it_goes_on_is_driven_all_the_same(serve: Serve) -> None:
    url = serve(Mute, num_envs=2)
    with pytest.raises(
        ConfigurationError, match=r"autoreset_mode='NextStep' was asked for, but the vector .* says of none"
    ):
        make_vec(url, autoreset_mode="NextStep")
    ours = make_vec(url)
    assert "autoreset_mode" not in ours.metadata
    ours.reset()
    ours.step(np.array([1, 1]))
    ours.step(np.array([CALM, CALM]))
    ours.close()


@pytest.mark.parametrize(
    ("make_it", "kwargs", "num_envs", "complaint"),
    [
        ("CartPole-v1", {}, 0, "num_envs=0: must be a number of 1 or more"),
        ("CartPole-v1", {"num_envs": "many"}, None, "num_envs='many': must be a number of 1 or more"),
        ("CartPole-v1", {"num_envs": True}, None, "num_envs=True: must be a number"),
        ("NoSuchEnv-v0", {}, 2, "Gymnasium cannot make 'NoSuchEnv-v0'"),
        ("Flock-v0", {}, None, "registered as a vector only: say of how many environments, like Flock-v0"),
        (lambda num_envs: Flock(2), {}, 3, "makes a vector of 2, and num_envs=3 was asked for"),
        (lambda num_envs: gymnasium.make("CartPole-v1"), {}, 3, "makes a single environment, and num_envs=3 was asked"),
        (Flock, {"hollow": True}, 2, "Flock is no whole VectorEnv: .*single_action_space"),
    ],
)
def test_what_is_no_such_vector_is_said_when_the_app_is_made(
    make_it: Any, kwargs: dict[str, Any], num_envs: int | None, complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        create_app_from_gym(make_it, kwargs, num_envs=num_envs)


# ---- what goes wrong


@pytest.mark.parametrize(
    ("actions", "error", "complaint"),
    [
        ([0, 20], BadAction, r"Input should be in MultiDiscrete\(\[20 20\]\); the value lies outside"),
        ([0, 3], EnvironmentFailed, "RuntimeError: bird 1 has flown into a window"),
        ([4, 0], BadObservation, r"field 'observation' .* at seen: the shape is \(1, 2, 3\) and should be \(2, 2, 3\)"),
        ([5, 0], BadObservation, "field 'observation'"),
        ([6, 0], BadObservation, r"field 'rewards' .* the shape is \(1,\) and should be \(2,\)"),
        ([0, 7], BadObservation, r"field 'rewards\.1' is nan"),
        ([8, 0], BadObservation, "field 'terminations' .* is no bool"),
        ([9, 0], BadObservation, r"field 'truncations' .* the shape is \(3,\)"),
        ([13, 0], BadObservation, "field 'rewards'"),
    ],
)
def test_what_one_lane_does_wrong_is_the_calls_and_leaves_the_session(
    actions: list[int], error: type[Exception], complaint: str, serve: Serve
) -> None:
    ours = make_vec(serve(Flock, num_envs=2))
    ours.reset(seed=1)
    with pytest.raises(error, match=complaint):
        ours.step(np.array(actions))
    assert ours.step(np.array([CALM, CALM]))[1].shape == (2,)
    ours.close()


def test_call_that_makes_no_sense_is_refused_where_it_is_made(serve: Serve) -> None:
    ours = make_vec(serve(Flock, num_envs=2))
    with pytest.raises(UsageError, match="before reset"):
        ours.step(np.array([0, 0]))
    with pytest.raises(ValueError, match="3 seeds were given for 2 environments"):
        ours.reset(seed=[1, 2, 3])
    with pytest.raises(EnvironmentFailed, match="this vector takes one seed"):
        ours.reset(seed=[1, 2])
    ours.reset(seed=1)
    for wrong in (np.array([0, 0, 0]), np.array([0.5, 1]), "left", None, [[0], [1]]):
        with pytest.raises(LocalError, match=r"this action does not fit MultiDiscrete\(\[20 20\]\)"):
            ours.step(wrong)
    ours.step([0, 0])
    ours.close()


def test_it_is_closed_once_on_both_sides(serve: Serve) -> None:
    before = Flock.open
    url = serve(Flock, num_envs=2, max_concurrent_envs=1)
    for _ in range(2):  # the second would find no room
        ours = make_vec(url)
        ours.reset()
        assert Flock.open == before + 1
        ours.close()
        ours.close()
        with pytest.raises(SessionClosed):
            ours.step(np.array([0, 0]))


def test_worker_that_dies_in_the_middle_of_a_batch_costs_that_vector_and_no_other(serve: Serve) -> None:
    url = serve(Flock, num_envs=2, config=ServerConfig(isolation="process"))
    ours, other, theirs = make_vec(url), make_vec(url), Flock(2)
    for env in (ours, other, theirs):
        env.reset(seed=3)
    with pytest.raises(EnvironmentFailed, match="its worker process died: exit code 4"):
        ours.step(np.array([0, 10]))
    with pytest.raises(UnknownSession, match="has ended: its worker process died"):
        ours.step(np.array([0, 0]))
    follow_calmly(other, theirs)
    theirs.reset(seed=3)
    ours.reset(seed=3)  # in another session
    follow_calmly(ours, theirs)
    for env in (ours, other, theirs):
        env.close()


def follow_calmly(ours: Any, theirs: Any) -> None:
    for actions in ([0, 0], [1, 11]):
        assert_same(ours.step(np.array(actions)), theirs.step(np.array(actions)))


class _Lying:
    """Stands for a client whose server answers what it likes."""

    def __init__(self, observation: Any, metadata: Any = None) -> None:
        self.said = (observation, metadata)

    def connect(self) -> None:
        pass

    def reset(self, **options: Any) -> Any:
        from openenv.types import StepResult

        return StepResult(self.said[0], None, False, self.said[1])


_FINE = {"observation": [[0, 0, 0, 0]] * 2, "rewards": [0, 0], "terminations": [0, 0], "truncations": [0, 0]}


@pytest.mark.parametrize(
    ("observation", "metadata", "complaint"),
    [
        (None, None, "has no field 'observation'"),
        ({**_FINE, "observation": [[0, 0, 0, 0]]}, None, "the server's observation does not fit"),
        ({"observation": _FINE["observation"]}, None, "has no field 'rewards'"),
        ({**_FINE, "rewards": [1]}, None, "the server's rewards does not fit"),
        ({**_FINE, "terminations": [1, 2]}, None, "the server's terminations does not fit"),
        (_FINE, {"$gym": {"rewards": "U5"}}, "does not fit the rest"),
        (_FINE, {"$gym": {"rewards": 3}}, "does not fit the rest"),
        (_FINE, {"a": 3, "$gym": {"kinds": [{"path": ["a"], "kind": "objects"}]}}, "does not fit the rest"),
    ],
)
def test_server_that_lies_about_its_vector_is_told(
    observation: Any, metadata: Any, complaint: str, serve: Serve
) -> None:
    from openenv.gym.client import GymClient
    from openenv.gym.declared import declared_by, fetch_schema

    declared = declared_by(fetch_schema(GymClient(serve("CartPole-v1", num_envs=2))._endpoint), "u")
    assert declared.about is not None
    assert declared.about.vector is not None
    ours = ServedVectorEnv(_Lying(observation, metadata), declared, declared.about.vector)  # type: ignore[arg-type]
    with pytest.raises(PeerError, match=complaint):
        ours.reset()
