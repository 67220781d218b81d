"""Environments sit together, evenly, and never on a lane that another session had."""

import pytest

from openenv.client.vector_seats import Seats, spread
from openenv.protocol import Batch, CloseLanes, GetState, Open, Reset, Step


@pytest.mark.parametrize(("num_envs", "count"), [(1, 1), (10, 3), (2, 5), (256, 7), (8, 8)])
def test_environments_are_spread_evenly_and_in_order(num_envs: int, count: int) -> None:
    parts = spread(num_envs, count)
    assert [index for part in parts for index in part] == list(range(num_envs))
    assert len(parts) == count
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_link_is_opened_for_all_and_reopened_for_some() -> None:
    seats = Seats(3)
    opening = seats.add(range(3), is_plain=False, keeps_time=True)
    assert (opening.request, opening.indices) == (Open((0, 1, 2)), (0, 1, 2))
    closing, again = seats.reopen(0, [1])
    assert (closing.request, again.request) == (CloseLanes((1,)), Open((3,)))
    assert closing.op == "session"
    ask = seats.ask(0, "step", [0, 1], ["a", "b"], 2.0)
    assert ask.request == Batch("step", (0, 3), ["a", "b"], 2.0, parts=True)
    assert ask.limit_s is not None
    assert ask.limit_s > 2.0
    assert list(seats.indices_at(ask, (3,))) == [1]
    assert seats.reopen(0, []) == []
    seats.vacate(2)
    assert not seats.is_open(2)
    assert [type(ask.request) for ask in seats.reopen(0, [2])] == [Open]


def test_plain_link_has_one_environment_and_single_requests() -> None:
    seats = Seats(1)
    assert seats.add([0], is_plain=True, keeps_time=False).request == GetState()
    step = seats.ask(0, "step", [0], [{"m": 1}], 2.0)
    assert (step.request, step.lane, step.limit_s, step.op) == (Step({"m": 1}), 0, 2.0, "step")
    assert seats.ask(0, "reset", [0], None, None).request == Reset()
    assert seats.reopen(0, [0]) == []
    seats.renew(0)
    assert seats.is_open(0)


def test_renewed_link_begins_with_new_lanes() -> None:
    seats = Seats(2)
    seats.add(range(2), is_plain=False, keeps_time=True)
    seats.renew(0)
    assert not seats.is_open(1)
    assert seats.open(0, [1]).request == Open((0,))
