"""Lanes run side by side, and the work of one lane in order of arrival."""

import pytest

from openenv.errors import LocalError
from openenv.protocol import Batch, CloseLanes, GetState, Open, ServedCall, Work
from openenv.protocol.lane_order import LaneOrder


def ask(call_id: int, lane: int) -> ServedCall:
    return ServedCall(call_id, lane, GetState(), binary=False, size=1)


def many(call_id: int, request: Open | CloseLanes | Batch) -> ServedCall:
    return ServedCall(call_id, None, request, binary=False, size=1)


def ready(order: LaneOrder) -> list[Work]:
    found = []
    while (work := order.take()) is not None:
        found.append(work)
    return found


def opened(*lanes: int) -> LaneOrder:
    order = LaneOrder()
    order.begin(many(0, Open(lanes)))
    for work in ready(order):
        assert order.finish(work, failed=False) == []
    return order


def test_each_lane_of_a_batch_waits_for_itself_only() -> None:
    order = opened(0, 1, 2)
    first, second = many(1, Batch("state", (0, 1))), many(2, Batch("state", (1, 2)))
    assert order.begin(first) + order.begin(second) == []
    zero, one, two = ready(order)
    assert [(zero[0], zero[1]), (one[0], one[1]), (two[0], two[1])] == [(first, 0), (first, 1), (second, 1)]
    assert order.finish(zero, failed=False) == []
    assert ready(order) == []
    order.finish(one, failed=False)
    assert ready(order) == [(second, 0)]


def test_what_waits_on_a_lane_that_closes_is_refused_up_to_the_next_opening() -> None:
    order = opened(0)
    order.begin(many(1, CloseLanes((0,))))
    state, again, later = ask(2, 0), many(3, Open((0,))), ask(4, 0)
    for call in (state, again, later):
        assert order.begin(call) == []
    (closing,) = ready(order)
    ((refused, _, fault),) = order.finish(closing, failed=False)
    assert (refused, fault.code) == (state, "SESSION_NOT_FOUND")
    (opening,) = ready(order)
    assert opening[0] is again
    order.finish(opening, failed=False)
    assert [work[0] for work in ready(order)] == [later]


def test_work_is_finished_once_and_only_if_it_was_handed_out() -> None:
    order = opened(0)
    order.begin(ask(1, 0))
    (work,) = ready(order)
    with pytest.raises(LocalError, match="not being done"):
        order.finish((work[0], work[1]), failed=False)
    order.finish(work, failed=False)
    with pytest.raises(LocalError, match="not being done"):
        order.finish(work, failed=False)


def test_what_is_ready_but_not_taken_is_cancelled_like_what_waits() -> None:
    order = opened(0)
    first, second = ask(1, 0), ask(2, 0)
    order.begin(first)
    order.begin(second)
    ((call, _, fault),) = order.cancel(first)
    assert (call, fault.details) == (first, {"session_lost": False})
    assert [work[0] for work in ready(order)] == [second]
    assert order.cancel(second) == []
    assert order.cancel(first) == []
    work = order.take_cancelled()
    assert work is not None
    assert work[0] is second
