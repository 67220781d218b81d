"""Whether a server lets us in, told by a server that a script plays."""

import asyncio
from collections.abc import Callable

import pytest

from openenv.errors import AtCapacity, ConnectFailed, Refused, ReplyTimeout, SessionClosed, SessionLost, UnknownSession
from openenv.pool.opening import open_async, open_sync, prepared
from tests.client.scripted import Peer, Script, fault, polite, scripted
from tests.pool.stage import dead_url
from tests.support.echo import EchoEnv


def opened_sync(url: str, limit_s: float = 5) -> None:
    client = prepared(EchoEnv(url), limit_s, None)
    try:
        open_sync(client, limit_s)
    except BaseException:
        with pytest.raises(SessionClosed):
            client.reset()
        raise
    client.close()


def opened_async(url: str, limit_s: float = 5) -> None:
    async def main() -> None:
        client = prepared(EchoEnv(url), limit_s, None)
        await open_async(client, limit_s)
        await client.aio().close()

    asyncio.run(main())


both = pytest.mark.parametrize("opened", [opened_sync, opened_async], ids=["sync", "async"])


def silent(peer: Peer) -> None:
    for _ in peer.requests():
        pass


def hanging_up(peer: Peer) -> None:
    peer.next_event()
    peer.hang_up()


def full_unasked(peer: Peer) -> None:
    peer.say(fault("CAPACITY_REACHED"))
    peer.hang_up(1013)


def answering(code: str) -> Script:
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.say(fault(code))

    return script


@both
@pytest.mark.parametrize("script", [polite, answering("EXECUTION_ERROR")], ids=["state", "no state before a reset"])
def test_any_answer_from_within_a_session_is_an_entry(opened: Callable[..., None], script: Script) -> None:
    with scripted(script) as url:
        opened(url)


@both
@pytest.mark.parametrize(
    ("script", "error"),
    [
        (answering("CAPACITY_REACHED"), AtCapacity),
        (full_unasked, AtCapacity),
        (answering("FORBIDDEN"), Refused),
        (answering("SESSION_NOT_FOUND"), UnknownSession),
        (hanging_up, SessionLost),
    ],
    ids=["full", "full unasked", "refused", "unknown", "hung up"],
)
def test_what_is_no_entry_is_told_apart(
    opened: Callable[..., None], script: Script, error: type[BaseException]
) -> None:
    with scripted(script) as url, pytest.raises(error):
        opened(url)


@both
def test_a_server_that_says_nothing_is_left_at_the_limit(opened: Callable[..., None]) -> None:
    with scripted(silent) as url, pytest.raises(ReplyTimeout):
        opened(url, 0.1)


@both
def test_nobody_there(opened: Callable[..., None]) -> None:
    with pytest.raises(ConnectFailed):
        opened(dead_url())


def test_a_connection_is_waited_for_no_longer_than_the_limit_or_the_clients_own() -> None:
    def patience(own: float | None, limit_s: float) -> float | None:
        return prepared(EchoEnv("http://a", connect_timeout_s=own), limit_s, None)._endpoint.connect_timeout_s

    assert (patience(None, 3), patience(5, 3), patience(1, 3)) == (3, 3, 1)
