import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest

from openenv import GenericAction, GenericEnvClient
from openenv.errors import LocalError
from tests.support.echo import EchoAction

CLIENT = GenericEnvClient("http://localhost:1")


@dataclasses.dataclass
class AsData:
    message: str


@pytest.mark.parametrize(
    ("action", "sent"),
    [
        ({"message": "hi"}, {"message": "hi"}),
        (GenericAction(message="hi"), {"message": "hi"}),
        (EchoAction(message="hi"), {"message": "hi", "metadata": {}}),
        (AsData("hi"), {"message": "hi"}),
        (SimpleNamespace(message="hi"), {"message": "hi"}),
    ],
)
def test_action_may_be_a_mapping_a_model_or_an_object(action: Any, sent: dict[str, Any]) -> None:
    assert CLIENT._step_payload(action) == sent


@pytest.mark.parametrize("action", ["hi", None, AsData, ["hi"]])
def test_anything_else_is_refused(action: Any) -> None:
    with pytest.raises(LocalError, match="an action must be a mapping, a model or an object, not"):
        CLIENT._step_payload(action)


def test_result_is_what_the_server_sent() -> None:
    result = CLIENT._parse_result({"observation": {"a": 1}})
    assert (result.observation, result.reward, result.done, result.metadata) == ({"a": 1}, None, False, None)
    payload = {"observation": {}, "reward": 1.5, "done": True, "metadata": {"k": 1}, "truncated": True}
    result = CLIENT._parse_result(payload)
    assert (result.reward, result.done, result.metadata, result.truncated) == (1.5, True, {"k": 1}, True)


def test_state_is_a_dict() -> None:
    assert CLIENT._parse_state({"step_count": 1}) == {"step_count": 1}
