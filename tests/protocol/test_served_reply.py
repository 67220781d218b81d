"""The answers of lanes become one frame."""

import json

import pytest

from openenv.errors import LocalError
from openenv.protocol import (
    Batch,
    CloseLanes,
    Fault,
    GetState,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Open,
    ServedCall,
    StateIs,
)
from openenv.protocol.served_reply import check_kind, make_reply


def call(request: Batch, *outcomes: tuple[int, Observed | StateIs | Fault]) -> ServedCall:
    made = ServedCall(1, None, request, binary=False, size=1)
    made.outcomes.extend(outcomes)
    made.left -= len(outcomes)
    return made


def test_a_batch_is_answered_in_its_own_order_and_parts_in_that_of_their_coming() -> None:
    outcomes = [(1, StateIs(1)), (0, StateIs(0))]
    for parts, lanes in ((False, [5, 6]), (True, [6, 5])):
        served = call(Batch("state", (5, 6), parts=parts), *outcomes)
        assert json.loads(make_reply(served, max_bytes=1000))["lanes"] == lanes
        assert served.outcomes == []


def test_columns_that_say_nothing_are_left_out() -> None:
    reply = json.loads(make_reply(call(Batch("reset", (5,)), (0, Observed({}))), max_bytes=1000))
    assert reply == {
        "id": 1,
        "type": "batch",
        "op": "reset",
        "lanes": [5],
        "data": {"observation": [{}], "reward": [None], "done": [False]},
    }


def test_a_lane_that_failed_has_nothing_in_the_columns() -> None:
    served = call(Batch("state", (5, 6)), (0, Fault("EXECUTION_ERROR", "no")), (1, StateIs({"n": 1})))
    reply = json.loads(make_reply(served, max_bytes=1000))
    assert reply["data"] == {"state": [None, {"n": 1}]}
    assert reply["errors"].keys() == {"5"}


def test_only_opening_and_closing_end_with_nothing() -> None:
    check_kind(ServedCall(1, None, Open((0,)), binary=False, size=1), 0, None)
    check_kind(ServedCall(1, None, CloseLanes((0,)), binary=False, size=1), 0, None)
    check_kind(ServedCall(1, 0, JsonRpc({}), binary=False, size=1), 0, JsonRpcReply({}))
    with pytest.raises(LocalError, match="NoneType does not answer GetState"):
        check_kind(ServedCall(1, 0, GetState(), binary=False, size=1), 0, None)
