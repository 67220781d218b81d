"""Encoding actions and decoding observations, from what the type arguments say."""

import dataclasses
import datetime
import pickle
from typing import Annotated, Any, Generic, Literal

import orjson
import pytest
from pydantic import BaseModel, Field, field_serializer

from openenv import Action, EnvClient, Observation
from openenv.client.base import ActT
from openenv.errors import ConfigurationError, LocalError, PeerError
from openenv.types import State
from tests.support.echo import EchoAction, EchoEnv, EchoObservation

URL = "http://localhost:1"
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


class Tile(BaseModel):
    x: int
    kind: str | None = None


class Named(Tile):
    name: str = "unnamed"


class Move(Action):
    to: Tile
    at: datetime.datetime = NOON
    path: tuple[Tile, ...] = ()
    note: bytes = b""


class Board(Observation):
    tiles: dict[str, list[Tile]]
    seen: datetime.datetime
    result: Tile | int | None = None


class Round(State):
    board: Tile


class BoardEnv(EnvClient[Move, Board, Round]):
    """Complete with nothing in it."""


def encoded(client: EnvClient[Any, Any, Any], action: Any) -> Any:
    return orjson.loads(orjson.dumps(client._step_payload(action)))


def payload(observation: Any, **beside: Any) -> dict[str, Any]:
    return {"observation": observation, "reward": None, "done": False, **beside}


# --- Where the types come from


class Further(BoardEnv):
    """A subclass of a subclass."""


class Half(EnvClient[ActT, Board, Round], Generic[ActT]):
    """Leaves one type open."""


class Undecided(EnvClient):  # type: ignore[type-arg]
    """Says nothing."""


@pytest.mark.parametrize("client", [BoardEnv(URL), Further(URL), EnvClient[Move, Board, Round](URL), Half[Move](URL)])
def test_type_arguments_are_found(client: EnvClient[Move, Board, Round]) -> None:
    assert encoded(client, Move(to=Tile(x=1)))["to"] == {"x": 1, "kind": None}
    assert isinstance(client._parse_state({"board": {"x": 1}}), Round)


@pytest.mark.parametrize("client", [EnvClient(URL), Undecided(URL), Half(URL)])
def test_missing_type_arguments_are_told_with_the_fix(client: EnvClient[Any, Any, Any]) -> None:
    fix = rf"class {type(client).__name__}\(EnvClient\[YourAction, YourObservation, YourState\]\).*GenericEnvClient"
    with pytest.raises(ConfigurationError, match=fix):
        client._step_payload(Move(to=Tile(x=1)))
    with pytest.raises(ConfigurationError, match=fix):
        client._parse_result(payload({}))
    with pytest.raises(ConfigurationError, match=fix):
        client._parse_state({})


# --- Actions


def test_action_is_encoded_whole() -> None:
    action = Move(to=Tile(x=1), path=(Tile(x=2, kind="sea"),), note="ü".encode(), metadata={"k": [1, None]})
    assert encoded(BoardEnv(URL), action) == {
        "to": {"x": 1, "kind": None},
        "at": "2026-01-02T12:00:00Z",
        "path": [{"x": 2, "kind": "sea"}],
        "note": "ü",
        "metadata": {"k": [1, None]},
    }


def test_subclass_of_the_declared_action_keeps_its_fields() -> None:
    class Jump(Move):
        height: int

    sent = encoded(BoardEnv(URL), Jump(to=Named(x=1, name="here"), height=3))
    assert (sent["height"], sent["to"]["name"]) == (3, "here")
    assert encoded(EnvClient[Action, Observation, State](URL), EchoAction(message="hi"))["message"] == "hi"


def test_union_of_actions() -> None:
    client = EnvClient[Move | EchoAction, Board, Round](URL)
    assert encoded(client, EchoAction(message="hi")) == {"metadata": {}, "message": "hi"}
    assert encoded(client, Move(to=Tile(x=1)))["to"]["x"] == 1


def test_mapping_is_sent_as_it_is() -> None:
    assert encoded(BoardEnv(URL), {"anything": [1]}) == {"anything": [1]}


@pytest.mark.parametrize("note", [b"\xff", "raises"])
def test_action_that_json_cannot_carry_is_our_error(note: Any) -> None:
    class Awkward(Move):
        @field_serializer("to")
        def fails(self, to: Tile) -> Any:
            if self.note == b"raises":
                raise RuntimeError("no")
            return to

    action = Awkward(to=Tile(x=1), note=note)
    with pytest.raises(LocalError, match="this Awkward cannot be sent as JSON"):
        BoardEnv(URL)._step_payload(action)


# --- Observations


def test_observation_is_decoded_whole() -> None:
    board = Board(tiles={"a": [Tile(x=1), Tile(x=2, kind="sea")]}, seen=NOON, result=Tile(x=3))
    result = BoardEnv(URL)._parse_result(
        payload(
            {**board.model_dump(mode="json", exclude={"reward", "done", "truncated"}), "metadata": {"k": 1}},
            reward=0.5, done=True, truncated=True, metadata={"k": 1},
        )
    )  # fmt: skip
    assert (result.reward, result.done, result.truncated, result.metadata) == (0.5, True, True, {"k": 1})
    assert not result.terminated
    expected = {"reward": 0.5, "done": True, "truncated": True, "metadata": {"k": 1}}
    assert result.observation == board.model_copy(update=expected)


def test_metadata_that_comes_beside_the_observation_only_is_put_into_it() -> None:
    result = EchoEnv(URL)._parse_result(payload({"echoed_message": "x"}, metadata={"k": 1}))
    assert result.observation.metadata == result.metadata == {"k": 1}
    assert (result.reward, result.observation.reward, result.terminated) == (None, None, False)


class Won(Observation):
    kind: Literal["won"]
    points: int


class Lost(Observation):
    kind: Literal["lost"]


class Bare(BaseModel):
    kind: Literal["bare"]


@pytest.mark.parametrize("union", [Won | Lost, Annotated[Won | Lost, Field(discriminator="kind")]])
def test_union_of_observations_has_reward_and_done_too(union: Any) -> None:
    client: EnvClient[Any, Any, Any] = EnvClient[Any, union, State](URL)
    observation = client._parse_result(payload({"kind": "won", "points": 3}, reward=1.0, done=True)).observation
    assert observation == Won(kind="won", points=3, reward=1.0, done=True)
    assert isinstance(client._parse_result(payload({"kind": "lost"})).observation, Lost)


@dataclasses.dataclass
class AsData:
    kind: str


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Bare, Bare(kind="bare")),
        (Won | Bare, Bare(kind="bare")),
        (dict[str, str], {"kind": "bare"}),
        (AsData, AsData("bare")),
        (Any, {"kind": "bare"}),
    ],
)
def test_observation_without_a_place_for_reward_is_left_alone(kind: Any, expected: Any) -> None:
    client: EnvClient[Any, Any, Any] = EnvClient[Any, kind, State](URL)
    assert client._parse_result(payload({"kind": "bare"}, reward=1.0)).observation == expected


@pytest.mark.parametrize("observation", [{"message_length": "long"}, {"unknown": 1}, None, [1], "text"])
def test_observation_that_does_not_fit_is_the_peers_error(observation: Any) -> None:
    with pytest.raises(PeerError, match="observation does not fit the client's types"):
        EchoEnv(URL)._parse_result(payload(observation))


def test_state_is_decoded_with_what_its_class_does_not_name() -> None:
    state = EchoEnv(URL)._parse_state({"episode_id": "e", "step_count": 2, "own": 3})
    assert (state.episode_id, state.step_count, state.model_extra) == ("e", 2, {"own": 3})
    with pytest.raises(PeerError, match="state does not fit"):
        EchoEnv(URL)._parse_state({"step_count": -1})


# --- Arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "base_url is missing; say where the server is"),
        ({"base_url": "ftp://host"}, "base_url='ftp://host' is no address"),
        ({"base_url": URL, "provider": object()}, "is no provider: it has neither stop_container"),
        ({"provider": object()}, "provider"),
        ({"base_url": URL, "mode": "training"}, "mode='training' is unknown"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_once(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        EchoEnv(**arguments)


def test_mode_is_the_argument_or_the_variable_and_is_not_set_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EchoEnv(URL).mode == "simulation"
    monkeypatch.setenv("OPENENV_CLIENT_MODE", "Production")
    env = EchoEnv(URL)
    assert env.mode == env._mode == "production"
    assert EchoEnv(URL, mode="SIMULATION").mode == "simulation"
    with pytest.raises(AttributeError):
        env.mode = "simulation"  # type: ignore[misc]
    monkeypatch.setenv("OPENENV_CLIENT_MODE", "none")
    with pytest.raises(ConfigurationError, match="mode='none' is unknown"):
        EchoEnv(URL)


def test_names_that_subclasses_read_elsewhere() -> None:
    env = EchoEnv("localhost:1/", 1, 2)
    assert (env._base_url, env._ws_url, env._ws) == ("localhost:1/", "ws://localhost:1/ws", None)
    assert (env._connect_timeout, env._message_timeout) == (1, 2)


def test_a_client_made_without_init_has_hooks_and_nothing_to_talk_to() -> None:
    env = EchoEnv.__new__(EchoEnv)
    assert env._parse_result(payload({"echoed_message": "x"})).observation.echoed_message == "x"
    assert (env.base_url, env._ws_url, env.mode) == ("", "", "simulation")
    with pytest.raises(ConfigurationError, match="its __init__ was not called"):
        env.reset()
    env.close()


def test_limits_reach_the_endpoint() -> None:
    endpoint = EchoEnv(URL, 1, 2, 0.5, 3, 4, headers={"A": "b"})._endpoint
    assert (endpoint.connect_timeout_s, endpoint.message_timeout_s, endpoint.max_message_bytes) == (1, 2, 2**19)
    assert (endpoint.ping_interval_s, endpoint.ping_timeout_s, endpoint.headers) == (3, 4, {"A": "b"})


def test_unused_client_travels_to_another_process() -> None:
    client: EchoEnv = pickle.loads(pickle.dumps(EchoEnv(URL)))
    assert client.base_url == URL
    assert isinstance(client._parse_result(payload({})).observation, EchoObservation)
