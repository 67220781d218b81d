"""Whether a session may be used, without any session."""

import copy

import pytest

from openenv.errors import (
    BadAction,
    NotReset,
    PeerError,
    PoolClosed,
    ReplyTimeout,
    SessionClosed,
    SessionLost,
    StepTimedOut,
    UnsupportedByServer,
)
from openenv.pool.lease import Lease, PooledEnv
from tests.support.echo import EchoEnv


def use(lease: Lease, name: str = "step", error: BaseException | None = None) -> None:
    with lease.call(name):
        if error is not None:
            raise error


@pytest.mark.parametrize("name", ["step", "state"])
def test_nothing_but_a_reset_goes_first(name: str) -> None:
    lease = Lease()
    with pytest.raises(NotReset, match=rf"{name}\(\) on a session fresh"):
        use(lease, name)
    use(lease, "reset")
    use(lease, name)


def test_a_reset_that_failed_is_none() -> None:
    lease = Lease()
    with pytest.raises(BadAction):
        use(lease, "reset", BadAction("BAD", "no"))
    with pytest.raises(NotReset):
        use(lease)


@pytest.mark.parametrize(
    ("error", "is_lost"),
    [
        (SessionLost("gone"), True),
        (ReplyTimeout("late"), True),
        (StepTimedOut("TIMEOUT", "late"), True),
        (PeerError("nonsense"), True),
        (KeyboardInterrupt(), True),
        (BadAction("BAD", "no"), False),
        (UnsupportedByServer("no"), False),
        (KeyError("in a hook of the client's class"), False),
    ],
)
def test_which_errors_lose_the_session(error: BaseException, is_lost: bool) -> None:
    lease = Lease()
    use(lease, "reset")
    with pytest.raises(type(error)):
        use(lease, "step", error)
    assert (lease.lost is error) == is_lost
    use(lease, "reset")
    assert (lease.lost is error) == is_lost


def test_the_first_reason_to_end_counts() -> None:
    lease = Lease()
    assert lease.end(PoolClosed("closed"))
    assert lease.end(SessionClosed("given back"))
    with pytest.raises(PoolClosed):
        use(lease, "reset")


def test_an_end_says_whether_a_call_is_under_way() -> None:
    lease = Lease()
    with lease.call("reset"):
        assert not lease.end(SessionClosed("given back"))
    assert lease.end(SessionClosed("given back"))


def test_what_is_held_can_be_copied_and_has_private_parts_of_the_client() -> None:
    client = EchoEnv("http://localhost:1")
    env = PooledEnv(client, Lease())
    assert env._endpoint is client._endpoint
    with pytest.raises(KeyError):
        _ = copy.copy(env)._never
