"""Observations and states as OpenEnv 0.10.0 writes them, and a fault that names the field where JSON cannot follow."""

import dataclasses
import datetime
import enum
import json
import math
from collections import deque
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_serializer, model_serializer

from openenv.env import encode_observation, encode_state
from openenv.env.encoding import encode_actions, encode_reply
from openenv.errors import BadObservation
from openenv.types import Observation, State

NAN = math.nan


class Array:
    """What an array of numpy is to us: something with `tolist`."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def tolist(self) -> Any:
        return self.values


class Scalar(Array):
    """What a scalar of numpy is besides: a number."""

    def __float__(self) -> float:
        return float(self.values)


class Broken(Array):
    def tolist(self) -> Any:
        raise RuntimeError("on another device")


class Colour(enum.Enum):
    RED = "red"
    UNKNOWN = NAN


@dataclasses.dataclass
class Point:
    x: float = 0.0
    inner: Any = None


class Inner(BaseModel):
    a: int = 1
    b: float = 0.5


class Seen(Observation):
    text: str = ""
    value: Any = None


class Computed(Observation):
    @computed_field  # type: ignore[prop-decorator]
    @property
    def speed(self) -> float:
        return NAN


class Failing(Observation):
    text: str = ""

    @field_serializer("text")
    def write(self, text: str) -> str:
        raise KeyError(text)


def encoded(**fields: Any) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(encode_observation(Seen(**fields), source="E.step").observation)
    return result


def refused(observation: object) -> BadObservation:
    with pytest.raises(BadObservation, match=r"E\.step") as raised:
        encode_observation(observation, source="E.step")
    assert raised.value.code == "OBSERVATION_ERROR"
    assert raised.value.field is None or repr(raised.value.field) in str(raised.value)
    return raised.value


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


# As OpenEnv writes them.


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (Observation(), b'{"metadata":{}}'),
        (Observation(reward=1.0, done=True, truncated=True), b'{"metadata":{}}'),
        (Seen(text="hi"), b'{"metadata":{},"text":"hi","value":null}'),
        (
            Seen(metadata={"step": 1, "z": [1, 2.0, None]}),
            b'{"metadata":{"step":1,"z":[1,2.0,null]},"text":"","value":null}',
        ),
        (
            Seen(text='h\u00e9\u2028\U0001f600\x7f\x01"\\/'),
            '{"metadata":{},"text":"h\u00e9\u2028\U0001f600\x7f\\u0001\\"\\\\/","value":null}'.encode(),
        ),
        (
            Seen(value=[1e-7, 1.0, 1e16, 5e-324, -0.0, 0.1, 1e-5, 1.5e300]),
            b'{"metadata":{},"text":"","value":[1e-7,1.0,1e+16,5e-324,-0.0,0.1,0.00001,1.5e+300]}',
        ),
        (
            Seen(value=datetime.datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC)),
            b'{"metadata":{},"text":"","value":"2024-01-02T03:04:05.000678Z"}',
        ),
        (Seen(value=datetime.timedelta(seconds=90)), b'{"metadata":{},"text":"","value":"PT1M30S"}'),
        (Seen(value=Colour.RED), b'{"metadata":{},"text":"","value":"red"}'),
        (Seen(value=(Inner(), {1}, b"ab")), b'{"metadata":{},"text":"","value":[{"a":1,"b":0.5},[1],"ab"]}'),
        (Seen(value=2**70), b'{"metadata":{},"text":"","value":1180591620717411303424}'),
        (
            Seen(value=Point(inner=Point())),
            b'{"metadata":{},"text":"","value":{"x":0.0,"inner":{"x":0.0,"inner":null}}}',
        ),
    ],
)
def test_observations_are_written_byte_for_byte_as_openenv_does(observation: Observation, text: bytes) -> None:
    assert encode_observation(observation, source="E.step").observation == text


@pytest.mark.parametrize("metadata", [{"step": 1}, {"nested": {"when": datetime.date(2024, 1, 1)}}])
def test_metadata_stands_inside_and_beside_the_observation(metadata: dict[str, Any]) -> None:
    both = encode_observation(Seen(metadata=metadata), source="E.step")
    assert both.metadata is not None
    assert json.loads(both.observation)["metadata"] == json.loads(both.metadata)


def test_empty_metadata_stands_inside_only() -> None:
    assert encode_observation(Seen(), source="E.step").metadata is None


def test_done_truncated_and_reward_stand_beside() -> None:
    plain = encode_observation(Seen(reward=0.5, done=True, truncated=True), source="E.step")
    assert (plain.reward, plain.done, plain.truncated) == (0.5, True, True)
    assert json.loads(plain.observation).keys() == {"metadata", "text", "value"}


def test_a_truncated_of_the_authors_own_stays_inside_too() -> None:
    class Own(Observation):
        truncated: bool = False

    class Heir(Own):
        pass

    for observation in (Own(truncated=True), Heir(truncated=True)):
        both = encode_observation(observation, source="E.step")
        assert both.truncated
        assert json.loads(both.observation) == {"metadata": {}, "truncated": True}


class Plain(BaseModel):
    """An observation that is not derived from ours."""

    model_config = ConfigDict(extra="allow")
    text: str = "hi"


class Listed(BaseModel):
    @model_serializer
    def write(self) -> list[int]:
        return [1, 2]


@pytest.mark.parametrize(
    ("observation", "text"),
    [
        (Plain(), b'{"text":"hi"}'),
        (Plain(more=1), b'{"text":"hi","more":1}'),  # type: ignore[call-arg]
        (Listed(), b"[1,2]"),
    ],
)
def test_any_model_will_do(observation: BaseModel, text: bytes) -> None:
    foreign = encode_observation(observation, source="E.step")
    assert (foreign.observation, foreign.reward, foreign.done, foreign.metadata) == (text, None, False, None)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Scalar(1.5), 1.5),
        ({"grid": Array([True]), "at": [Scalar(3)]}, {"grid": [True], "at": [3]}),
        (Inner(), {"a": 1, "b": 0.5}),
        ("null NaN Infinity", "null NaN Infinity"),
        (
            [None, deque([None]), Point(), Colour.RED, Array([None])],
            [None, [None], {"x": 0, "inner": None}, "red", [None]],
        ),
    ],
)
def test_what_is_json_in_disguise_is_written(value: Any, written: Any) -> None:
    assert encoded(value=value)["value"] == written
    assert encoded(metadata={"value": value})["metadata"]["value"] == written


def test_a_large_observation_is_written_whole() -> None:
    assert len(encoded(value="x" * 5_000_000)["value"]) == 5_000_000


@given(JSON)
def test_every_json_value_is_written_as_it_is(value: Any) -> None:
    assert encoded(value=value)["value"] == value


# Rewards.


@pytest.mark.parametrize("reward", [None, True, False, 3, -1.5, 0.0])
def test_rewards_keep_their_type(reward: Any) -> None:
    kept = encode_observation(Seen(reward=reward), source="E.step").reward
    assert (kept, type(kept)) == (reward, type(reward))


@pytest.mark.parametrize("reward", [Scalar(0.5), Fraction(1, 2)])
def test_what_counts_as_a_number_becomes_one(reward: Any) -> None:
    kept = encode_observation(Seen.model_construct(reward=reward), source="E.step").reward
    assert (kept, type(kept)) == (0.5, float)


@pytest.mark.parametrize(
    ("reward", "complaint"),
    [
        (NAN, "is nan; a reward must be finite"),
        (-math.inf, "is -inf; a reward must be finite"),
        (Scalar(NAN), "is nan"),
        (10**400, "is too large for a float"),
        (Fraction(10**400), "is too large for a float"),
        ("high", "is a str, which is no number"),
        ([1.0], "is a list, which is no number"),
        (1j, "is a complex, which is no number"),
    ],
)
def test_a_reward_that_is_no_finite_number_is_refused(reward: Any, complaint: str) -> None:
    error = refused(Seen.model_construct(reward=reward))
    assert error.field == "reward"
    assert complaint in str(error)


# What JSON cannot carry.


@pytest.mark.parametrize("number", [NAN, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_by_its_value(number: float) -> None:
    assert f"field 'value' is {number}, which JSON cannot carry" in str(refused(Seen(value=number)))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([0.0, NAN], "value.1"),
        ((0.0, [NAN]), "value.1.0"),
        ({"a": {"b": NAN}}, "value.a.b"),
        ({3: NAN}, "value.3"),
        ({NAN}, "value.0"),
        (frozenset({NAN}), "value.0"),
        (deque([0.0, NAN]), "value.1"),
        (Array([[0.0], [NAN]]), "value.1.0"),
        (Scalar(NAN), "value"),
        (Inner(b=NAN), "value.b"),
        (Plain(more=NAN), "value.more"),  # type: ignore[call-arg]
        (Computed(), "value.speed"),
        (Point(x=NAN), "value.x"),
        (Point(inner=[Point(inner=Array([NAN]))]), "value.inner.0.inner.0"),
        (Colour.UNKNOWN, "value"),
        ([None, None, NAN], "value.2"),
    ],
)
def test_a_hidden_number_that_is_not_finite_is_named_by_its_path(value: Any, path: str) -> None:
    assert refused(Seen(value=value)).field == path
    assert refused(Seen(metadata={"value": value})).field == f"metadata.{path}"


def test_a_computed_field_may_not_be_nan() -> None:
    assert refused(Computed()).field == "speed"


def test_what_is_not_written_need_not_be_json() -> None:
    class Private(Observation):
        best: float = Field(default=NAN, exclude=True)
        text: str | None = None

    assert encode_observation(Private(), source="E.step").observation == b'{"metadata":{},"text":null}'


@pytest.mark.parametrize("mode", ["constants", "strings"])
def test_no_setting_of_a_model_lets_nan_through(mode: Any) -> None:
    class Configured(Observation):
        model_config = ConfigDict(ser_json_inf_nan=mode)
        x: float = NAN

    assert refused(Configured()).field == "x"


def endless() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize(
    "value",
    [object(), b"\xff", "\ud800", {"k\ud800": 1}, len, Broken([]), endless(), [[{"deep": object()}]]],
    ids=["object", "bytes", "surrogate", "surrogate key", "function", "broken array", "endless", "nested"],
)
def test_a_field_that_cannot_be_written_is_named(value: Any) -> None:
    error = refused(Seen(text="fine", value=value))
    assert (error.field, "cannot be written as JSON" in str(error)) == ("value", True)
    assert refused(Seen(metadata={"fine": 1, "value": value})).field == "metadata.value"
    assert refused(Plain(more=value)).field == "more"  # type: ignore[call-arg]


def test_metadata_may_be_a_model() -> None:
    class Typed(Observation):
        metadata: Inner = Inner()  # type: ignore[assignment]

    assert encode_observation(Typed(), source="E.step").metadata == b'{"a":1,"b":0.5}'
    unwritable = Inner.model_construct(a=object())
    assert refused(Typed.model_construct(metadata=unwritable)).field == "metadata"


def test_a_serializer_that_raises_is_named_by_its_field() -> None:
    error = refused(Failing(text="k"))
    assert error.field == "text"
    assert "KeyError" in str(error)


@pytest.mark.parametrize("returned", [None, {"text": "hi"}, 1.0, "text", (Seen(), 1.0, False), Seen])
def test_what_is_no_model_is_refused_by_its_type(returned: object) -> None:
    error = refused(returned)
    assert str(error).startswith(f"E.step returned {type(returned).__name__} instead of an Observation")
    assert error.field is None


# States.


class Counting(State):
    score: Any = 0


@dataclasses.dataclass
class Position:
    x: Any = 1
    inner: Any = None


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (Counting(episode_id="ep", step_count=1), b'{"episode_id":"ep","step_count":1,"score":0}'),
        (State.model_validate({"lives": 3}), b'{"episode_id":null,"step_count":0,"lives":3}'),
        (Position(inner=Position()), b'{"x":1,"inner":{"x":1,"inner":null}}'),
        ({"x": Array([1])}, b'{"x":[1]}'),
        ({}, b"{}"),
        (None, b"{}"),
    ],
)
def test_states_are_written(state: object, text: bytes) -> None:
    assert encode_state(state, source="E.state") == text


@pytest.mark.parametrize("value", [NAN, object(), b"\xff", "\ud800"])
@pytest.mark.parametrize(
    "state", [lambda value: Counting(score=value), lambda value: Position(x=value), lambda value: {"x": value}]
)
def test_a_state_that_cannot_be_sent_names_its_field(state: Any, value: object) -> None:
    with pytest.raises(BadObservation, match=r"E\.state: field '(x|score)'") as raised:
        encode_state(state(value), source="E.state")
    assert raised.value.field in ("x", "score")


@pytest.mark.parametrize("state", [5, [1], "text", Position])
def test_what_is_no_state_is_refused_by_its_type(state: object) -> None:
    with pytest.raises(BadObservation, match=f"is a {type(state).__name__}; make it a State"):
        encode_state(state, source="E.state")


# What an environment shows to a person.


class Move(BaseModel):
    to: int


class Nameless:
    pass


def test_actions_are_pairs_of_a_label_and_a_model_or_a_mapping() -> None:
    text = encode_actions([("Up \u00e9", Move(to=1)), ["Down", {"to": 2}]], source="E.web_actions")
    assert json.loads(text) == [{"label": "Up \u00e9", "action": {"to": 1}}, {"label": "Down", "action": {"to": 2}}]
    assert encode_actions(None, source="E") == encode_actions((), source="E") == b"[]"


@pytest.mark.parametrize(
    "actions",
    [
        5,
        "ab",
        {"Up": Move(to=1)},
        [Move(to=1)],
        ["ab"],
        [("Up",)],
        [("Up", Move(to=1), 2)],
        [(1, Move(to=1))],
        [("Up", None)],
        [("Up", {"to": NAN})],
        [("Up", {"to": Nameless()})],
        [("\udcff", {"to": 1})],
    ],
)
def test_actions_that_cannot_be_sent_are_named(actions: object) -> None:
    with pytest.raises(BadObservation, match=r"^E\.web_actions"):
        encode_actions(actions, source="E.web_actions")


def test_reply_is_a_mapping_or_nothing() -> None:
    assert encode_reply({"id": 1, "result": {}}, source="E") == b'{"id":1,"result":{}}'
    assert encode_reply(None, source="E") is None


@pytest.mark.parametrize("reply", [5, "{}", [], {"result": NAN}, {"result": Nameless()}])
def test_reply_that_cannot_be_sent_is_named(reply: object) -> None:
    with pytest.raises(BadObservation, match=r"^E\.handle_json_rpc"):
        encode_reply(reply, source="E.handle_json_rpc")
