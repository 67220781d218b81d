"""What a server's link owes its client, its driver and its memory, one rule at a time."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from openenv.errors import LocalError, PeerError
from openenv.protocol import (
    Batch,
    Fault,
    GetState,
    LinkLimits,
    Observed,
    Open,
    Outcome,
    Reset,
    ServerLink,
    ServerLinkState,
    SnapshotIs,
    StateIs,
    Step,
    Work,
    cancelled,
)


@dataclass(frozen=True, slots=True)
class Text:
    """An observation that is JSON text already."""

    observation: bytes
    reward: float | None = None
    done: bool = False
    metadata: bytes | None = None
    truncated: bool = False
    arrays: tuple[bytes, ...] = ()


def link(**options: Any) -> ServerLink:
    made = ServerLink("token", **options)
    made.attach()
    return made


def say(to: ServerLink, **message: Any) -> None:
    to.receive(json.dumps(message))


def works(of: ServerLink) -> list[Work]:
    found = []
    while (work := of.take()) is not None:
        found.append(work)
    return found


def replies(of: ServerLink) -> list[Any]:
    return [json.loads(frame) for frame in of.outgoing()]


def opened(*lanes: int, **options: Any) -> ServerLink:
    """Make a link with these lanes open; ids go on at 10."""
    made = link(**options)
    say(made, id=0, type="open", lanes=list(lanes))
    for work in works(made):
        made.answer(work, None)
    made.outgoing()
    return made


def test_a_welcome_says_what_the_client_must_know() -> None:
    server = ServerLink("token", grace_s=5.0, extensions=("view",), limits=LinkLimits(frame_bytes=99))
    data = json.loads(server.attach())["data"]
    assert data["link"] == "token"
    assert (data["resumed"], data["received"], data["grace_s"]) == (False, 0, 5.0)
    assert (data["max_frame_bytes"], data["extensions"]) == (99, ["view"])
    assert server.outgoing() == []


def test_lanes_open_each_for_itself() -> None:
    server = link()
    say(server, id=1, type="open", lanes=[4, 5])
    first, second = works(server)
    assert first[0].request == Open((4, 5))
    server.answer(second, Fault("CAPACITY_REACHED", "full"))
    assert replies(server) == []
    server.answer(first, None)
    fault = {"code": "CAPACITY_REACHED", "message": "full", "retryable": True}
    assert replies(server) == [{"id": 1, "type": "opened", "lanes": [4, 5], "errors": {"5": fault}}]
    assert server.open_lanes == {4}


def test_what_is_sent_ahead_waits_for_its_lane() -> None:
    server = link()
    say(server, id=1, type="open", lanes=[4, 5])
    say(server, id=2, type="step", lane=4, data={})
    say(server, id=3, type="state", lane=5)
    four, five = works(server)
    server.answer(five, Fault("FACTORY_ERROR", "no"))
    assert [(reply["id"], reply["data"]["code"]) for reply in replies(server)] == [(3, "SESSION_NOT_FOUND")]
    server.answer(four, None)
    ((call, index),) = works(server)
    assert (call.request, call.lanes[index]) == (Step({}), 4)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "step", "lane": 9, "data": {}}, "SESSION_NOT_FOUND"),
        ({"type": "fly", "lane": 0}, "UNKNOWN_TYPE"),
        ({"type": "step", "lane": 0}, "VALIDATION_ERROR"),
    ],
)
def test_what_cannot_be_done_is_answered_at_once_with_its_id(message: dict[str, Any], code: str) -> None:
    server = opened(0)
    say(server, id=10, **message)
    (reply,) = replies(server)
    assert (reply["id"], reply["type"], reply["data"]["code"]) == (10, "error", code)
    assert reply["lane"] == message["lane"]
    assert works(server) == []


def test_an_open_lane_is_not_opened_again_and_a_closed_one_is_closed_already() -> None:
    server = opened(0)
    say(server, id=10, type="open", lanes=[0, 1])
    ((call, index),) = works(server)
    assert call.lanes[index] == 1
    say(server, id=11, type="close", lanes=[7])
    ((closing, _),) = (works_ := works(server))
    server.answer(works_[0], None)
    assert closing.lanes == (7,)
    assert replies(server)[-1] == {"id": 11, "type": "closed", "lanes": [7]}


@pytest.mark.parametrize("number", [0, None, -1, "x"])
def test_an_id_that_does_not_rise_is_refused_without_it(number: Any) -> None:
    server = opened(0)
    say(server, id=number, type="state", lane=0)
    (reply,) = replies(server)
    assert (reply["id"], reply["data"]["code"]) == (None, "VALIDATION_ERROR")
    assert works(server) == []


def test_a_batch_has_columns_in_its_own_order_and_faults_apart() -> None:
    server = opened(1, 2, 3)
    say(server, id=10, type="batch", op="step", lanes=[3, 9, 1, 2], data=[{"n": 3}, {}, {"n": 1}, {"n": 2}])
    third, first, second = works(server)
    batch = third[0].request
    assert isinstance(batch, Batch)
    assert batch.at(third[1]) == Step({"n": 3})
    server.answer(second, Text(b'{"n":2}', 0.5, True, b'{"m":1}', True))
    server.answer(first, Fault("EXECUTION_ERROR", "asked to"))
    server.answer(third, Text(b'{"n":3}', 1.0))
    (reply,) = replies(server)
    assert reply["lanes"] == [3, 9, 1, 2]
    assert reply["data"] == {
        "observation": [{"n": 3}, None, None, {"n": 2}],
        "reward": [1.0, None, None, 0.5],
        "done": [False, False, False, True],
        "truncated": [False, False, False, True],
        "metadata": [None, None, None, {"m": 1}],
    }
    assert {lane: fault["code"] for lane, fault in reply["errors"].items()} == {
        "9": "SESSION_NOT_FOUND",
        "1": "EXECUTION_ERROR",
    }
    assert "more" not in reply


def test_parts_are_sent_with_whatever_is_ready() -> None:
    server = opened(1, 2, 3)
    say(server, id=10, type="batch", op="state", lanes=[1, 2, 3], parts=True)
    first, second, third = works(server)
    server.answer(third, StateIs({"n": 3}))
    server.answer(first, StateIs({"n": 1}))
    (part,) = replies(server)
    assert (part["lanes"], part["data"], part["more"]) == ([3, 1], {"state": [{"n": 3}, {"n": 1}]}, True)
    assert replies(server) == []
    server.answer(second, StateIs({"n": 2}))
    (part,) = replies(server)
    assert (part["lanes"], part.get("more")) == ([2], None)
    assert server.in_flight == 0


def test_reset_options_that_are_none_concern_their_lane_only() -> None:
    server = opened(1, 2)
    say(server, id=10, type="batch", op="reset", lanes=[1, 2], data=[5, None], timeout_s=2)
    ((call, index),) = (todo := works(server))
    assert isinstance(call.request, Batch)
    assert call.request.at(index) == Reset({}, 2)
    server.answer(todo[0], Observed({}))
    (reply,) = replies(server)
    assert reply["errors"]["1"]["errors"][0]["loc"] == ["data", "0"]


def test_an_answer_that_cannot_be_sent_is_a_fault_of_its_lane() -> None:
    server = opened(1, 2)
    say(server, id=10, type="batch", op="step", lanes=[1, 2], data=[{}, {}])
    say(server, id=11, type="state", lane=1)
    first, second = works(server)
    server.answer(first, Observed({"bad": object()}))
    server.answer(second, Observed({"good": 1}))
    server.answer(works(server)[0], StateIs({1, 2}))
    batch, single = replies(server)
    assert batch["errors"]["1"]["code"] == "OBSERVATION_ERROR"
    assert batch["data"]["observation"] == [None, {"good": 1}]
    assert single["data"]["code"] == "OBSERVATION_ERROR"


def test_an_answer_too_large_for_a_frame_is_a_fault_of_its_lane() -> None:
    server = opened(1, 2, 3, limits=LinkLimits(reply_bytes=1000))
    say(server, id=10, type="batch", op="step", lanes=[1, 2], data=[{}, {}])
    say(server, id=11, type="batch", op="step", lanes=[3], data=[{}])
    first, second, third = works(server)
    server.answer(first, Text(b'"%b"' % (b"x" * 2000)))
    server.answer(second, Text(b'"%b"' % (b"x" * 700)))
    server.answer(third, Text(b'"%b"' % (b"x" * 2000)))
    one, other = replies(server)
    assert one["errors"].keys() == {"1"}
    assert other["errors"]["3"]["code"] == "TOO_LARGE"
    say(server, id=12, type="batch", op="step", lanes=[1, 2], data=[{}, {}])
    for work in works(server):
        server.answer(work, Text(b'"%b"' % (b"x" * 700)))
    (together,) = replies(server)
    assert together["errors"].keys() == {"1", "2"}


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ({"type": "step", "lane": 0, "data": {}}, StateIs({})),
        ({"type": "step", "lane": 0, "data": {}}, None),
        ({"type": "state", "lane": 0}, Observed({})),
        ({"type": "batch", "op": "state", "lanes": [0]}, Observed({})),
        ({"type": "batch", "op": "reset", "lanes": [0]}, StateIs({})),
        ({"type": "close", "lanes": [0]}, Observed({})),
    ],
)
def test_an_answer_of_the_wrong_kind_is_our_error_and_the_right_one_may_follow(
    message: dict[str, Any], wrong: Outcome
) -> None:
    server = opened(0)
    say(server, id=10, **message)
    (work,) = works(server)
    with pytest.raises(LocalError, match="does not answer"):
        server.answer(work, wrong)
    server.answer(work, Fault("EXECUTION_ERROR", "asked to"))
    assert len(replies(server)) == 1
    with pytest.raises(LocalError, match="not being done"):
        server.answer(work, Fault("EXECUTION_ERROR", "asked to"))


def test_cancelling_spares_what_waits_and_names_what_runs() -> None:
    server = opened(0, 1)
    say(server, id=10, type="step", lane=0, data={})
    (running,) = works(server)
    say(server, id=11, type="step", lane=0, data={})
    say(server, id=12, type="step", lane=1, data={})
    for number, call in ((13, 10), (14, 11), (15, 12), (16, 99)):
        say(server, id=number, type="cancel", of=call)
    answered = {reply["id"]: reply["data"] for reply in replies(server)}
    assert {number: data["session_lost"] for number, data in answered.items()} == {11: False, 12: False}
    assert works(server) == []
    assert server.take_cancelled() is running
    assert server.take_cancelled() is None
    server.answer(running, cancelled(session_lost=True))
    (reply,) = replies(server)
    assert (reply["id"], reply["data"]["code"], reply["data"]["session_lost"]) == (10, "CANCELLED", True)


def test_what_was_answered_before_it_could_be_stopped_is_not_named() -> None:
    server = opened(0)
    say(server, id=10, type="state", lane=0)
    (work,) = works(server)
    say(server, id=11, type="cancel", of=10)
    server.answer(work, StateIs({}))
    assert server.take_cancelled() is None
    assert [reply["type"] for reply in replies(server)] == ["state"]


def test_replies_are_kept_until_acknowledged_and_sent_again_after_a_cut() -> None:
    server = opened(0)
    for number in (10, 11, 12):
        say(server, id=number, type="state", lane=0)
        server.answer(works(server)[0], StateIs({"n": number}))
    sent = server.outgoing()
    server.detach()
    say(server, id=13, type="state", lane=0)
    assert works(server) == [], "a frame of a socket that has ended is nobody's"
    assert server.outgoing() == []
    welcome = json.loads(server.attach(2))["data"]
    assert (welcome["resumed"], welcome["received"]) == (True, 4)
    assert server.outgoing() == sent[1:]
    say(server, id=13, type="state", lane=0, ack=4)
    assert [count for count in range(7) if server.can_resume(count)] == [4]
    with pytest.raises(LocalError, match="make a new one"):
        server.attach(3)


def test_work_goes_on_without_a_socket() -> None:
    server = opened(0)
    say(server, id=10, type="state", lane=0)
    server.detach()
    server.answer(works(server)[0], StateIs({}))
    server.attach(1)
    assert [reply["id"] for reply in replies(server)] == [10]


def ended(server: ServerLink) -> bool:
    return server.state is ServerLinkState.ENDED and not server.can_resume(0) and not server.outgoing()


def test_too_many_requests_end_the_link() -> None:
    server = opened(0, limits=LinkLimits(requests=3))
    say(server, id=10, type="batch", op="state", lanes=[0])
    say(server, id=11, type="batch", op="state", lanes=[0, 1])
    (work,) = works(server)
    with pytest.raises(PeerError, match="more than 3 requests"):
        say(server, id=12, type="state", lane=0)
    assert ended(server)
    server.answer(work, StateIs({}))  # too late, and no error
    server.receive("{}")


def test_a_request_for_too_many_lanes_is_refused_and_ends_nothing() -> None:
    server = opened(0, limits=LinkLimits(requests=3))
    say(server, id=10, type="open", lanes=[1, 2, 3, 4])
    assert [reply["data"]["code"] for reply in replies(server)] == ["TOO_LARGE"]


def test_too_many_bytes_of_requests_end_the_link() -> None:
    server = opened(0, limits=LinkLimits(request_bytes=300))
    say(server, id=10, type="step", lane=0, data={"text": "x" * 100})
    with pytest.raises(PeerError, match="300 bytes of requests"):
        say(server, id=11, type="step", lane=0, data={"text": "x" * 100})
    assert ended(server)


def test_replies_that_nobody_acknowledges_end_the_link() -> None:
    server = opened(0, limits=LinkLimits(kept_bytes=2000))
    for number in (10, 11, 12):
        say(server, id=number, type="state", lane=0)
        server.answer(works(server)[0], StateIs({"text": "x" * 500}))
    say(server, id=13, type="state", lane=0)
    with pytest.raises(PeerError, match="2000 bytes of replies"):
        server.answer(works(server)[0], StateIs({"text": "x" * 500}))
    assert ended(server)


def test_parts_that_nobody_acknowledges_end_the_link_when_they_are_sent() -> None:
    server = opened(0, 1, limits=LinkLimits(kept_bytes=500))
    say(server, id=10, type="batch", op="state", lanes=[0, 1], parts=True)
    server.answer(works(server)[0], StateIs({"text": "x" * 600}))
    with pytest.raises(PeerError, match="500 bytes of replies"):
        server.outgoing()


def test_acknowledging_what_was_not_sent_ends_the_link() -> None:
    server = opened(0)
    say(server, type="ack", ack=1)
    with pytest.raises(PeerError, match="2 frames were acknowledged"):
        say(server, type="ack", ack=2)
    assert ended(server)


def test_a_binary_request_has_a_binary_reply() -> None:
    server = opened(0)
    text = b'{"id":10,"type":"state","lane":0}'
    server.receive(len(text).to_bytes(4, "big") + text)
    server.answer(works(server)[0], StateIs({}))
    (frame,) = server.outgoing()
    assert frame[:1] == b"\0"


def test_a_fork_is_answered_for_its_new_lanes_once_all_have_ended() -> None:
    server = opened(0)
    say(server, id=10, lane=0, type="fork", lanes=[5, 6])
    say(server, id=11, lane=6, type="state")
    (source,) = works(server)
    server.answer(source, SnapshotIs(b"state"))
    five, six = works(server)
    assert five[0].snapshot == b"state"
    server.answer(five, Fault("CAPACITY_REACHED", "full"))
    assert replies(server) == []
    server.answer(six, None)
    (reply,) = replies(server)
    assert (reply["id"], reply["lane"], reply["type"], reply["lanes"]) == (10, 0, "forked", [5, 6])
    assert reply["errors"].keys() == {"5"}
    ((asked, _),) = works(server)
    assert asked.request == GetState()


def test_a_fork_without_a_snapshot_has_the_fault_of_its_source() -> None:
    server = opened(0)
    say(server, id=10, lane=0, type="fork", lanes=[5, 6])
    (source,) = works(server)
    with pytest.raises(LocalError, match="NoneType does not answer Fork"):
        server.answer(source, None)
    server.answer(source, Fault("NOT_SUPPORTED", "no film"))
    (reply,) = replies(server)
    assert (reply["type"], reply["lane"], reply["data"]["code"]) == ("error", 0, "NOT_SUPPORTED")
    assert works(server) == []
    assert server.in_flight == 0
    assert server.open_lanes == {0}


def test_a_snapshot_too_large_for_a_frame_is_a_fault() -> None:
    server = opened(0, limits=LinkLimits(reply_bytes=1000))
    say(server, id=10, lane=0, type="snapshot")
    (work,) = works(server)
    server.answer(work, SnapshotIs(bytes(1000)))
    (reply,) = replies(server)
    assert reply["data"]["code"] == "TOO_LARGE"
