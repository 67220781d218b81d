import pytest

from openenv.client.recovery import Recovery
from openenv.errors import ConnectionLost

CUT = ConnectionLost("cut", code=1006)


def test_attempts_begin_at_once_and_come_further_and_further_apart() -> None:
    recovery = Recovery(CUT, 60.0, 100.0)
    pauses = []
    for _ in range(8):
        now = recovery.due
        recovery.tried(now)
        pauses.append(recovery.due - now)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])


def test_no_attempt_is_due_after_the_server_has_given_up() -> None:
    recovery = Recovery(CUT, 0.06, 100.0)
    recovery.tried(100.0)
    recovery.tried(100.05)
    assert recovery.due == recovery.deadline == 100.06
    assert not recovery.is_over(100.05)
    assert recovery.is_over(100.06)


def test_server_that_keeps_nothing_is_given_up_at_once() -> None:
    assert Recovery(CUT, 0.0, 100.0).is_over(100.0)


def test_failure_names_the_cut_and_the_time() -> None:
    failure = Recovery(CUT, 60.0, 100.0).failure()
    assert str(failure) == "cut, and no other was made within the 60 s that the server keeps a session"
    assert failure.code == 1006
