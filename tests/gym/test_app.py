"""The app of a Gymnasium environment: what it serves, how, and what it cannot."""

from typing import Any

import gymnasium
import pytest
from gymnasium import spaces

from openenv.client import GenericEnvClient
from openenv.errors import BadAction, ConfigurationError
from openenv.gym import create_app_from_gym, space_from_json
from tests.gym.conftest import Serve
from tests.gym.worlds import Mixed, make_mixed


class Counted(Mixed):
    """Counts those that are open."""

    open = 0

    def __init__(self) -> None:
        super().__init__()
        Counted.open += 1

    def close(self) -> None:
        Counted.open -= 1


def test_any_client_can_drive_it(serve: Serve) -> None:
    with GenericEnvClient(serve("FrozenLake-v1", {"is_slippery": False, "map_name": "8x8"})) as env:
        assert env.reset(seed=1).observation["observation"] == 0
        assert env.step({"action": 1}).observation["observation"] == 8
        assert env.state()["step_count"] == 1
        with pytest.raises(BadAction, match=r"action: Input should be in Discrete\(4\); the value lies outside"):
            env.step({"action": 4})
        with pytest.raises(BadAction, match="action: Field required"):
            env.step({})


def test_schema_and_metadata_say_what_it_is(serve: Serve) -> None:
    import httpx

    with httpx.Client(base_url=serve("CartPole-v1"), trust_env=False) as http:
        schema = http.get("/schema").json()
        assert http.get("/metadata").json()["name"] == "CartPole-v1"
    field = schema["action"]["properties"]["action"]
    assert (field["type"], field["minimum"], field["maximum"]) == ("integer", 0, 1)
    local = gymnasium.make("CartPole-v1")
    assert space_from_json(field["x-gym-space"]) == local.action_space
    seen = schema["observation"]["properties"]["observation"]["x-gym-space"]
    assert space_from_json(seen) == local.observation_space


def test_schema_of_a_vector_says_what_it_is(serve: Serve) -> None:
    import httpx

    with httpx.Client(base_url=serve("CartPole-v1", num_envs=3), trust_env=False) as http:
        schema = http.get("/schema").json()
    local = gymnasium.make_vec("CartPole-v1", num_envs=3)
    properties = schema["observation"]["properties"]
    declared = {
        name: space_from_json(each["x-gym-space"]) for name, each in properties.items() if "x-gym-space" in each
    }
    assert declared == {"observation": local.observation_space}
    for name, kind in [("rewards", "number"), ("terminations", "boolean"), ("truncations", "boolean")]:
        assert (properties[name]["items"]["type"], properties[name]["maxItems"]) == (kind, 3)
    vector = schema["observation"]["x-gym-environment"]["vector"]
    assert (vector["num_envs"], vector["autoreset_mode"]) == (3, "NextStep")
    assert space_from_json(vector["single_action_space"]) == local.single_action_space
    assert space_from_json(vector["single_observation_space"]) == local.single_observation_space


@pytest.mark.parametrize("make", ["Mixed-v0", "tests.gym.worlds:make_mixed", make_mixed, Mixed])
def test_id_entry_point_and_callable_are_served(make: Any, serve: Serve) -> None:
    with GenericEnvClient(serve(make)) as env:
        assert set(env.reset(seed=1).observation["observation"]) == {"image", "pose", "bits", "word"}


def test_the_one_that_is_looked_at_is_closed_and_each_session_has_its_own(serve: Serve) -> None:
    url = serve(Counted)
    assert Counted.open == 0
    with GenericEnvClient(url) as one, GenericEnvClient(url) as two:
        one.reset(seed=1)
        two.reset(seed=1)
        assert Counted.open == 2


@pytest.mark.parametrize(
    ("make", "kwargs", "blocking", "expected"),
    [
        ("CartPole-v1", None, None, "QuickGymEnvironment"),
        ("CartPole-v1", None, True, "GymEnvironment"),
        ("FrozenLake-v1", {"render_mode": "ansi"}, None, "GymEnvironment"),
        (Mixed, None, None, "GymEnvironment"),
        (Mixed, None, False, "QuickGymEnvironment"),
        ("CartPole-v1", {"num_envs": 2}, None, "GymVectorEnvironment"),
        ("CartPole-v1", {"num_envs": 2}, False, "QuickGymVectorEnvironment"),
    ],
)
def test_calls_run_where_they_were_said_to(
    make: Any, kwargs: dict[str, Any] | None, blocking: bool | None, expected: str
) -> None:
    app = create_app_from_gym(make, kwargs, blocking=blocking, env_name="named")
    assert "The environment named" in app.description
    assert app.state.openenv._source.name == expected


class OwnSpace(spaces.Discrete):
    """Of a class that nobody else knows."""


class Odd(Mixed):
    def __init__(self) -> None:
        super().__init__()
        self.action_space = OwnSpace(2)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        ("NoSuchEnv-v0", "Gymnasium cannot make 'NoSuchEnv-v0'"),
        (Odd, "a space of class OwnSpace cannot be sent"),
        (dict, "which is no gymnasium.Env"),
    ],
)
def test_what_cannot_be_served_is_said_when_the_app_is_made(make: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        create_app_from_gym(make)
