"""Lanes run side by side, and the work of one lane in order of arrival."""

import pytest

from openenv.errors import LocalError
from openenv.protocol import Batch, CloseLanes, Fork, GetState, Open, ServedCall, Work
from openenv.protocol.lane_order import LaneOrder
from openenv.protocol.served_call import Refused


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


def fork(call_id: int, source: int, *lanes: int) -> ServedCall:
    return ServedCall(call_id, source, Fork(lanes), binary=False, size=1)


def saved(order: LaneOrder, work: Work) -> Refused:
    """Let the source of a fork have given its snapshot."""
    work[0].snapshot = b"state"
    return order.finish(work, failed=False)


def test_the_new_lanes_of_a_fork_begin_once_there_is_a_snapshot() -> None:
    order = opened(0)
    call, ahead = fork(1, 0, 5, 6), ask(2, 5)
    assert order.begin(call) + order.begin(ahead) == []
    (source,) = ready(order)
    assert source == (call, 0)
    assert saved(order, source) == []
    five, six = ready(order)
    assert (five, six) == ((call, 1), (call, 2))
    assert order.finish(six, failed=True) == []
    assert order.open == {0}
    assert order.finish(five, failed=False) == []
    assert order.open == {0, 5}
    assert ready(order) == [(ahead, 0)]


def test_the_source_goes_on_while_its_forks_begin() -> None:
    order = opened(0)
    order.begin(fork(1, 0, 5))
    later = ask(2, 0)
    order.begin(later)
    saved(order, ready(order)[0])
    assert (later, 0) in ready(order)


def test_a_new_lane_that_is_busy_begins_when_it_is_its_turn() -> None:
    order = opened(0, 5)
    closing, call = many(1, CloseLanes((5,))), fork(2, 0, 5)
    order.begin(closing)
    order.begin(call)
    close, source = ready(order)
    saved(order, source)
    assert ready(order) == []
    order.finish(close, failed=False)
    assert ready(order) == [(call, 1)]


def test_a_new_lane_that_is_open_is_refused_alone() -> None:
    order = opened(0, 5)
    call = fork(1, 0, 5, 6)
    ((refused, index, fault),) = order.begin(call)
    assert (refused, index, fault.code) == (call, 1, "VALIDATION_ERROR")
    (source,) = ready(order)
    saved(order, source)
    assert ready(order) == [(call, 2)]


def test_a_fork_of_nothing_holds_no_lane() -> None:
    order = opened()
    assert [index for _, index, _ in order.begin(fork(1, 0, 5, 6))] == [0, 1, 2]
    order.begin(many(2, Open((5, 6))))
    assert len(ready(order)) == 2


def test_a_snapshot_that_fails_frees_the_new_lanes() -> None:
    order = opened(0)
    call, behind = fork(1, 0, 5), many(2, Open((5,)))
    order.begin(call)
    order.begin(behind)
    (source,) = ready(order)
    assert [(each, index) for each, index, _ in order.finish(source, failed=True)] == [(call, 1)]
    assert ready(order) == [(behind, 0)]


def test_a_fork_whose_source_closes_first_frees_the_new_lanes() -> None:
    order = opened(0, 7)
    order.begin(many(1, CloseLanes((0, 7))))
    waits, held = fork(2, 0, 5, 7), ask(3, 5)
    order.begin(waits)
    order.begin(held)
    refused = order.finish(ready(order)[0], failed=False)
    assert {(call.id, index, fault.code) for call, index, fault in refused} == {
        (2, 0, "SESSION_NOT_FOUND"),
        (2, 1, "CANCELLED"),
        (2, 2, "CANCELLED"),
        (3, 0, "SESSION_NOT_FOUND"),
    }


def test_a_fork_is_cancelled_wherever_it_stands() -> None:
    order = opened(0, 7)
    order.begin(ask(1, 7))
    call = fork(2, 0, 5, 7)
    order.begin(call)
    assert {index for _, index, _ in order.cancel(call)} == {0, 1, 2}
    order.begin(again := fork(3, 0, 5, 6))
    (_, source) = ready(order)
    assert {index for _, index, _ in order.cancel(again)} == {1, 2}
    assert order.take_cancelled() is source
    assert saved(order, source) == []  # it was done in the same moment
    assert ready(order) == []
    order.begin(third := fork(4, 0, 5))
    (source,) = ready(order)
    saved(order, source)
    (new,) = ready(order)
    assert order.cancel(third) == []
    assert order.take_cancelled() is new


def test_a_long_chain_of_forks_falls_at_once() -> None:
    order = LaneOrder()
    order.begin(many(0, Open((0,))))
    length = 20_000
    for number in range(length):
        order.begin(fork(number + 1, number, number + 1))
    (opening,) = ready(order)
    assert len(order.finish(opening, failed=True)) == 2 * length
    assert ready(order) == []
