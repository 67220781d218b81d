"""A Gymnasium environment is saved whole or not at all, and a fork goes on as its source does, to the bit."""

import copy
from typing import Any

import gymnasium
import httpx
import numpy as np
import pytest
from gymnasium.utils import EzPickle

from openenv.errors import BadSnapshot, NotSupported, SnapshotRefused
from openenv.gym.client import GymClient
from openenv.gym.environment import GymEnvironment, QuickGymEnvironment, environment_class
from openenv.gym.saving import can_save, restored, saved
from openenv.gym.source import GymSource
from openenv.gym.values import plain
from openenv.server import ServerConfig
from tests.gym.conftest import Serve
from tests.gym.worlds import Mixed

IDS = ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0", "FrozenLake-v1", "Blackjack-v1", "Acrobot-v1"]


class MadeAnew(Mixed, EzPickle):
    """Pickled by its arguments, as those of Box2D and MuJoCo are."""

    def __init__(self) -> None:
        Mixed.__init__(self)
        EzPickle.__init__(self)


class Keeping(MadeAnew):
    """The same, which says itself what its state is."""

    def __getstate__(self) -> dict[str, Any]:
        return vars(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class Unpicklable(Mixed):
    def __init__(self) -> None:
        super().__init__()
        self.draw = lambda: None


class Later(Mixed):
    """Can be saved before its first reset only."""

    def reset(self, **options: Any) -> Any:
        self.draw = lambda: None
        return super().reset(**options)


def trajectory(client: GymClient, space: gymnasium.Space[Any], steps: int = 80) -> list[Any]:
    """Act at random, the same each time; a new episode begins without a seed, by the environment's own numbers."""
    space.seed(11)
    told: list[Any] = []
    for _ in range(steps):
        result = client.step({"action": np.asarray(space.sample()).tolist()})
        told.append((plain(result.observation), result.reward, result.done))
        if result.done:
            told.append(plain(client.reset().observation))
    return told


@pytest.mark.parametrize(("name", "isolation"), [("CartPole-v1", "process"), *((name, "thread") for name in IDS)])
def test_forks_are_the_same_to_the_bit_random_numbers_included(serve: Serve, name: str, isolation: str) -> None:
    url = serve(name, config=ServerConfig(isolation=isolation))
    space = gymnasium.make(name).action_space
    with GymClient(url) as client:
        client.reset(seed=7)
        trajectory(client, space, 10)
        saved_then = client.snapshot()
        one, two = client.fork(2)
        first = trajectory(client, space)
        assert trajectory(one, space) == first
        assert trajectory(two, space) == first
        client.restore(saved_then)
        assert trajectory(client, space) == first


def test_a_fork_of_cart_pole_is_that_of_a_local_copy(serve: Serve) -> None:
    local = gymnasium.make("CartPole-v1")
    local.reset(seed=3)
    local.step(1)
    with GymClient(serve("CartPole-v1")) as client:
        client.reset(seed=3)
        client.step({"action": 1})
        (fork,) = client.fork(1)
        for action in (0, 1, 1, 0):
            expected = copy.deepcopy(local).step(action)[0]
            local.step(action)
            given = fork.step({"action": action}).observation["observation"]
            assert np.asarray(given, np.float32).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("make", "can"),
    [("CartPole-v1", True), (Mixed, True), (Keeping, True), (MadeAnew, False), (Unpicklable, False)],
)
def test_the_schema_says_what_holds(serve: Serve, make: Any, can: bool) -> None:
    url = serve(make)
    assert ("snapshot" in httpx.get(f"{url}/schema").json()["capabilities"]) is can
    if not can:
        with GymClient(url) as client, pytest.raises(NotSupported):
            client.fork(1)


def test_what_pickle_would_make_anew_is_refused_under_any_wrapper() -> None:
    wrapped = gymnasium.wrappers.TimeLimit(MadeAnew(), 5)
    assert not can_save(wrapped)
    with pytest.raises(SnapshotRefused, match=r"MadeAnew .*EzPickle"):
        saved(wrapped, "", None)


def test_what_cannot_be_saved_any_more_is_refused_and_goes_on(serve: Serve) -> None:
    with GymClient(serve(Later)) as client:
        client.reset()
        with pytest.raises(NotSupported, match="Later cannot be saved"):
            client.fork(1)
        client.reset()


@pytest.mark.parametrize(("name", "kwargs"), [("Pendulum-v1", {}), ("CartPole-v1", {"max_episode_steps": 9})])
def test_a_snapshot_fits_what_it_was_taken_of(serve: Serve, name: str, kwargs: dict[str, Any]) -> None:
    config = ServerConfig(snapshot_key="a key that only tests would use")
    with GymClient(serve("CartPole-v1", config=config)) as source:
        foreign = source.snapshot()
    with GymClient(serve(name, kwargs, config=config)) as client:
        client.reset(seed=1)
        with pytest.raises(BadSnapshot):
            client.restore(foreign)
        client.reset()


def test_what_was_saved_comes_back_with_what_was_beside_it() -> None:
    env, beside = restored(saved(Mixed(), "it", {"a": 1}), "it")
    assert (type(env), beside) == (Mixed, {"a": 1})
    with pytest.raises(SnapshotRefused, match="snapshot of it, and this session runs that"):
        restored(saved(Mixed(), "it", None), "that")


def test_each_class_promises_what_holds() -> None:
    assert environment_class(quick=False, savable=True) is GymEnvironment
    assert environment_class(quick=True, savable=True) is QuickGymEnvironment
    for quick in (True, False):
        made = environment_class(quick=quick, savable=False)
        assert made.BLOCKING is not quick
        with pytest.raises(SnapshotRefused):
            made(GymSource(Mixed)).snapshot()
