"""Members of spaces cross the wire as raw buffers in dialect 2, and as lists in dialect 1."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from openenv import EnvClient, State
from openenv.gym import make, make_vec
from openenv.gym.client import GymClient
from openenv.protocol import SUBPROTOCOL
from openenv.server import ServerConfig, create_app
from openenv.server.config import ISOLATIONS
from tests.gym.conftest import Serve
from tests.gym.wiretap import Frame, tapped
from tests.gym.worlds import Cart, Push, Seen, Unbounded
from tests.server.lanes import text_of
from tests.support.serving import serving

STEPS = 5
IDS = ["Pendulum-v1", "CartPole-v1", "Mixed-v0"]
ARRAYS = {"Pendulum-v1": (1, 1), "CartPole-v1": (0, 1), "Mixed-v0": (1, 3)}  # of an action, and of an observation


def values(frames: list[Frame], key: str) -> list[Any]:
    """Give what stands under a key in the JSON of frames, wherever it is; a value inside another is not looked for."""

    def find(value: Any) -> list[Any]:
        if isinstance(value, dict):
            if key in value:
                return [value[key]]
            return [found for item in value.values() for found in find(item)]
        return [found for item in value for found in find(item)] if isinstance(value, list) else []

    return [found for frame in frames for found in find(json.loads(text_of(frame)))]


def numbers(value: Any) -> bool:
    """Tell whether a list of nothing but numbers is somewhere in a value."""
    if isinstance(value, dict):
        return "$array" not in value and any(map(numbers, value.values()))
    if not isinstance(value, list):
        return False
    return all(isinstance(item, int | float) for item in value) or any(map(numbers, value))


def described(value: Any) -> int:
    """Count the arrays that lie beside a value."""
    if isinstance(value, dict):
        return 1 if "$array" in value else sum(map(described, value.values()))
    return sum(map(described, value)) if isinstance(value, list) else 0


def drive(url: str, name: str) -> None:
    """Step one environment, and two as a vector, as their local selves go."""
    theirs, ours = gymnasium.make(name), make(url)
    assert data_equivalence(ours.reset(seed=3)[0], theirs.reset(seed=3)[0], exact=True)
    theirs.action_space.seed(4)
    for _ in range(STEPS):
        action = theirs.action_space.sample()
        stepped = theirs.step(action)
        assert data_equivalence(ours.step(action)[:2], (stepped[0], float(stepped[1])), exact=True)
        if stepped[2] or stepped[3]:
            assert data_equivalence(ours.reset()[0], theirs.reset()[0], exact=True)
    ours.close()
    theirs.close()
    vector = make_vec(url, 2)
    vector.reset(seed=3)
    vector.action_space.seed(4)
    for _ in range(STEPS):
        vector.step(vector.action_space.sample())
    vector.close()


@pytest.mark.parametrize(("name", "isolation"), [*((name, "thread") for name in IDS), ("Mixed-v0", "process")])
def test_no_list_of_numbers_crosses_in_dialect_2(name: str, isolation: str, serve: Serve) -> None:
    with tapped(serve(f"tests.gym.worlds:{name}", config=ServerConfig(isolation=isolation)), SUBPROTOCOL) as (
        url,
        asked,
        answered,
    ):
        drive(url, name)
    actions, observations = values(asked, "action"), observed(answered)
    assert len(actions) > STEPS
    assert len(observations) > STEPS
    for found, count in zip((actions, observations), ARRAYS[name], strict=True):
        assert not any(map(numbers, found))
        assert {described(each) for each in found} == {count}


@pytest.mark.parametrize("name", IDS)
def test_lists_cross_in_dialect_1(name: str, serve: Serve) -> None:
    with tapped(serve(name), "openenv.v1") as (url, asked, answered):
        drive(url, name)
    assert all(isinstance(frame, str) and "$array" not in frame for frame in (*asked, *answered))
    assert all(map(numbers, observed(answered)))
    assert all(map(numbers, values(asked, "action"))) is bool(ARRAYS[name][0])


class PushEnv(EnvClient[Push, Seen, State]): ...


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_fields_of_a_typed_client_that_are_in_a_space_cross_as_arrays(isolation: str) -> None:
    app = create_app(Cart, Push, Seen, config=ServerConfig(isolation=isolation))
    with (
        serving(app) as server,
        tapped(server, SUBPROTOCOL) as (url, asked, answered),
        PushEnv.vector(url, 2) as vector,
    ):
        vector.reset()
        force = np.array([0.25, -1], np.float32)
        results = vector.step([Push(force=force), Push(force=[0.5, 1])])
        assert results[0].observation.place.tobytes() == force.tobytes()
        assert results[1].observation.place.dtype == np.float32
    assert [described(each) for each in values(asked, "data") if described(each)] == [2]
    assert not any(map(numbers, values(asked, "force")))
    assert [described(each) for each in observed(answered, "place")] == [1] * 4


def test_infinity_is_an_action_in_both_dialects(serve: Serve) -> None:
    url = serve(Unbounded)
    for subprotocol in (SUBPROTOCOL, "openenv.v1"):
        with tapped(url, subprotocol) as (between, _, _):
            env = make(between)
            env.reset()
            assert env.step(np.array([np.inf, 1.0]))[1] == 1.0
            env.close()


def test_client_that_sends_lists_is_understood(serve: Serve) -> None:
    with GymClient(serve("Pendulum-v1")) as client:
        client.reset(seed=1)
        listed = client.step({"action": [0.5]})
        client.reset(seed=1)
        raw = client.step({"action": np.array([0.5], np.float32)})
        assert listed.observation["observation"].tobytes() == raw.observation["observation"].tobytes()


def observed(frames: list[Frame], field: str = "observation") -> list[Any]:
    """Give the observations in frames, those of batches one by one."""
    found: list[Any] = []
    for each in values(frames, "observation"):
        rows = each if isinstance(each, list) else [each]
        found += [row[field] for row in rows if row is not None]
    return found
