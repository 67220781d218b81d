"""Messages are values: equal when they say the same, and nobody changes one under another's hands."""

import dataclasses
from typing import get_args

import pytest

from openenv.errors import BadAction
from openenv.protocol import (
    Close,
    Fault,
    GetState,
    GetView,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
    ViewIs,
)

ONE_OF_EACH = [
    Reset(), Step({}), GetState(), GetView(), Close(), JsonRpc({}),
    Observed({}), StateIs({}), ViewIs({}), JsonRpcReply({}), Fault("C", "m"),
]  # fmt: skip


def test_every_message_is_a_request_or_a_reply() -> None:
    assert {type(message) for message in ONE_OF_EACH} == {*get_args(Request), *get_args(Reply)}


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda message: type(message).__name__)
def test_messages_are_compared_by_value(message: Request | Reply) -> None:
    assert message == dataclasses.replace(message)
    assert message != object()


@pytest.mark.parametrize(
    "message",
    [message for message in ONE_OF_EACH if not isinstance(message, Step | Observed)],  # made every step: see there
    ids=lambda message: type(message).__name__,
)
def test_messages_are_frozen(message: Request | Reply) -> None:
    for name in [field.name for field in dataclasses.fields(message)]:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(message, name, None)


def test_messages_share_no_options() -> None:
    assert Reset().options is not Reset().options
    assert Step({}).options is not Step({}).options


def test_a_fault_says_what_its_exception_says() -> None:
    error = BadAction("VALIDATION_ERROR", "Invalid message", {"errors": [{"loc": ["x"], "msg": "wrong"}]})
    assert Fault.of(error) == Fault("VALIDATION_ERROR", "Invalid message", {"errors": [{"loc": ["x"], "msg": "wrong"}]})
