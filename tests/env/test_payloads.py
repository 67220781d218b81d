"""`openenv.env.payloads`: dictionaries of observations, and actions of dictionaries."""

import sys
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from openenv import Action, Observation
from openenv.env.mcp.types import CallToolAction, ListToolsAction
from openenv.env.payloads import deserialize_action, deserialize_action_with_preprocessing, serialize_observation
from tests.support.echo import EchoAction, EchoObservation


class Choice(Action):
    """Has a type of its own that is called like a tool's action."""

    type: Literal["call_tool"]
    action_id: int = 0
    tokens: Any = None


@pytest.mark.parametrize(
    ("data", "action_cls"),
    [
        ({}, EchoAction),
        ({"message": "Hi", "more": 1}, EchoAction),
        ({"type": "call_tool", "tool_name": "x"}, Choice),
        ({"type": "call_tool"}, Action),
        ({"type": ["call_tool"]}, Action),
        ({"type": "other"}, ListToolsAction),
    ],
)
def test_what_does_not_fit_is_refused(data: dict[str, Any], action_cls: Any) -> None:
    for read in (deserialize_action, deserialize_action_with_preprocessing):
        with pytest.raises(ValidationError):
            read(data, action_cls)


@pytest.mark.parametrize("action_cls", [Action, ListToolsAction, CallToolAction])
def test_tool_actions_are_told_by_their_type(action_cls: Any) -> None:
    assert isinstance(deserialize_action({"type": "list_tools"}, action_cls), ListToolsAction)
    called = deserialize_action({"type": "call_tool", "tool_name": "add", "arguments": {"a": 1}}, action_cls)
    assert isinstance(called, CallToolAction)
    assert called.arguments == {"a": 1}
    assert isinstance(deserialize_action({"type": "call_tool"}, Choice), Choice)


@pytest.mark.parametrize(
    ("given", "read"), [('{"a": 1}', {"a": 1}), ("", {}), ("  ", {}), ({"a": 1}, {"a": 1})], ids=repr
)
def test_arguments_may_be_written_as_text(given: Any, read: Any) -> None:
    data = {"type": "call_tool", "tool_name": "add", "arguments": given}
    action = deserialize_action_with_preprocessing(data, Action)
    assert isinstance(action, CallToolAction)
    assert action.arguments == read
    with pytest.raises(ValidationError):
        deserialize_action_with_preprocessing({**data, "arguments": "{not json"}, Action)


@pytest.mark.parametrize(("given", "tokens"), [("[1, 2]", [1, 2]), ([1, 2], [1, 2]), ("one", "one"), (None, None)])
def test_numbers_and_tokens_may_be_written_as_text(monkeypatch: pytest.MonkeyPatch, given: Any, tokens: Any) -> None:
    data = {"type": "call_tool", "action_id": "7", "tokens": given}
    monkeypatch.setitem(sys.modules, "torch", None)
    action = deserialize_action_with_preprocessing(data, Choice)
    assert isinstance(action, Choice)
    assert (action.action_id, action.tokens) == (7, tokens)
    torch = SimpleNamespace(long="long", tensor=lambda numbers, dtype: ("tensor", numbers, dtype))
    monkeypatch.setitem(sys.modules, "torch", torch)
    action = deserialize_action_with_preprocessing(data, Choice)
    assert isinstance(action, Choice)
    assert action.tokens == (("tensor", tokens, "long") if isinstance(tokens, list) else tokens)
    with pytest.raises(ValidationError, match="action_id"):
        deserialize_action_with_preprocessing({**data, "action_id": "seven"}, Choice)


def test_what_travels_beside_the_observation_stands_beside_it() -> None:
    seen = EchoObservation(echoed_message="Hi", message_length=2, reward=0.2, metadata={"step": 1})
    inside = {"metadata": {"step": 1}, "echoed_message": "Hi", "message_length": 2}
    assert serialize_observation(seen) == {
        "observation": inside,
        "reward": 0.2,
        "done": False,
        "metadata": {"step": 1},
    }
    assert serialize_observation(Observation()) == {"observation": {"metadata": {}}, "reward": None, "done": False}
    assert serialize_observation(Observation(done=True, truncated=True))["truncated"] is True
