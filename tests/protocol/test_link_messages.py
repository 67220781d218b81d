"""The messages of a link are values."""

import pytest

from openenv.protocol import Batch, GetState, Reset, Step, cancelled


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        (Batch("state", (4, 5)), GetState()),
        (Batch("step", (4, 5), [{"n": 1}, {"n": 2}], 2.0), Step({"n": 2}, 2.0)),
        (Batch("reset", (4, 5), [None, {"seed": 1}], 2.0), Reset({"seed": 1}, 2.0)),
        (Batch("reset", (4, 5), [{"seed": 1}, None]), Reset({})),
        (Batch("reset", (4, 5)), Reset({})),
    ],
)
def test_a_batch_says_what_it_asks_of_each_lane(batch: Batch, expected: object) -> None:
    assert batch.at(1) == expected


@pytest.mark.parametrize("lost", [False, True])
def test_a_cancelled_call_says_what_became_of_its_session(lost: bool) -> None:
    fault = cancelled(session_lost=lost)
    assert (fault.code, fault.details) == ("CANCELLED", {"session_lost": lost})
    assert ("lost" if lost else "unharmed") in fault.message
