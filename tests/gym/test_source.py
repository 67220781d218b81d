"""Environments come from an id, an entry point or a callable; what is none of these is said at once."""

import pickle
from typing import Any

import gymnasium
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector import SyncVectorEnv, VectorEnv

from openenv.errors import ConfigurationError
from openenv.gym.source import GymSource, parse_target
from tests.gym.flocks import Flock
from tests.gym.worlds import Mixed, make_mixed


@pytest.mark.parametrize(
    ("target", "parsed"),
    [
        ("CartPole-v1", ("CartPole-v1", {})),
        ("ALE/Pong-v5?frameskip=4", ("ALE/Pong-v5", {"frameskip": 4})),
        ("my_module:Env-v0", ("my_module:Env-v0", {})),
        (
            "FrozenLake-v1?is_slippery=false&map_name=8x8",
            ("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"}),
        ),
        ("E?g=9.81&s=%22 4%22&n=null", ("E", {"g": 9.81, "s": " 4", "n": None})),
        ("E?l=[1,2]&e=&p=a%26b", ("E", {"l": [1, 2], "e": "", "p": "a&b"})),
    ],
)
def test_target_is_an_id_and_its_arguments(target: str, parsed: tuple[str, dict[str, Any]]) -> None:
    assert parse_target(target) == parsed


@pytest.mark.parametrize(
    ("target", "complaint"),
    [("", "names no environment"), ("?a=1", "names no environment"), ("E?a", "name=value"),
     ("E?a=1&a=2", "the argument 'a' twice")],
)  # fmt: skip
def test_target_that_cannot_be_read_says_why(target: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse_target(target)


@pytest.mark.parametrize(
    ("make", "kwargs", "name"),
    [
        ("Mixed-v0", {}, "Mixed-v0"),
        ("tests.gym.worlds:Mixed-v0", {}, "tests.gym.worlds:Mixed-v0"),
        ("tests.gym.worlds:make_mixed", {"render_mode": "ansi"}, "tests.gym.worlds:make_mixed"),
        (make_mixed, {"render_mode": "ansi"}, "make_mixed"),
        (Mixed, {}, "Mixed"),
    ],
)
def test_each_way_builds_a_new_environment_each_time(make: Any, kwargs: dict[str, Any], name: str) -> None:
    source = GymSource(make, kwargs)
    assert source.name == name
    one, two = source.build(), source.build()
    assert isinstance(one.unwrapped, Mixed)
    assert one.unwrapped is not two.unwrapped
    assert one.render_mode == kwargs.get("render_mode")


class _Fails:
    def __init__(self) -> None:
        raise ZeroDivisionError("inside the environment")


@pytest.mark.parametrize(
    ("make", "kwargs", "kind"),
    [
        ("CartPole-v1", {"sutton_barto_reward": True}, CartPoleVectorEnv),
        ("CartPole-v1", {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": "SameStep"}}, SyncVectorEnv),
        ("Mixed-v0", {"render_mode": "ansi"}, SyncVectorEnv),
        ("Flock-v0", {}, Flock),
        ("tests.gym.flocks:Flock-v0", {}, Flock),
        ("tests.gym.flocks:Flock", {}, Flock),
        (Flock, {"render_mode": "ansi"}, Flock),
    ],
)
def test_vector_is_built_where_its_size_is_given(make: Any, kwargs: dict[str, Any], kind: type[Any]) -> None:
    source = GymSource(make, {**kwargs, "num_envs": 3})
    one, two = source.build(), source.build()
    assert type(one) is type(two) is kind
    assert one is not two
    assert isinstance(one, VectorEnv)
    assert one.num_envs == 3
    for env in (one, two):
        env.close()


@pytest.mark.parametrize(
    ("make", "kwargs", "complaint"),
    [
        ("NoSuchEnv-v0", {}, "Gymnasium cannot make 'NoSuchEnv-v0': Environment `NoSuchEnv` doesn't exist"),
        ("CartPole-v99", {}, "Gymnasium cannot make 'CartPole-v99'"),
        ("a b c", {}, "Gymnasium cannot make 'a b c'"),
        ("no_such_module:Env-v0", {}, "there is no module 'no_such_module'; is it installed?"),
        ("tests.gym.no_such:Env-v0", {}, "there is no module 'tests.gym.no_such'"),
        (dict, {}, "dict makes a dict, which is no gymnasium.Env"),
        ("Flock-v0", {}, r"'Flock-v0': .*say of how many environments, like Flock-v0\?num_envs=8"),
        ("tests.gym.flocks:Flock-v0", {}, "registered as a vector only"),
        ("CartPole-v1", {"num_envs": -1}, "num_envs=-1: must be a number of 1 or more"),
        ("CartPole-v1", {"num_envs": 2.0}, r"num_envs=2\.0: must be a number"),
        ("Mixed-v0", {"num_envs": 2, "vectorization_mode": "vector_entry_point"}, "doesn't have a vector entry point"),
    ],
)
def test_what_cannot_be_made_is_said(make: Any, kwargs: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        GymSource(make, kwargs).build()


def test_errors_of_the_environments_own_code_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        GymSource(_Fails).build()


def test_same_environment_twice_is_refused() -> None:
    env = Mixed()
    source = GymSource(lambda: env)
    source.build()
    with pytest.raises(ConfigurationError, match="gave the same environment twice"):
        source.build()


def test_source_can_be_sent_to_another_process() -> None:
    source = GymSource("Mixed-v0", {"render_mode": "ansi"})
    source.build()
    arrived = pickle.loads(pickle.dumps(source))
    assert (arrived.make, arrived.kwargs) == (source.make, source.kwargs)
    assert isinstance(arrived.build(), gymnasium.Env)
