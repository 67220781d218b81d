import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from openenv.client.socket_aio import AsyncSocket
from openenv.errors import ConnectFailed, ConnectionLost
from tests.client.scripted import Peer, scripted
from tests.client.test_link_aio import endpoint


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.error: ConnectionLost | None = None
        self.over = asyncio.Event()

    def received(self, frame: bytes) -> None:
        self.frames.append(frame)

    def ended(self, error: ConnectionLost) -> None:
        self.error = error
        self.over.set()


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(body)


def test_listener_gets_what_came_before_it_and_what_comes_after() -> None:
    told = threading.Event()

    def talk(peer: Peer) -> None:
        peer.say("first", "second")
        told.wait(5)
        peer.say_in_pieces({"in": "pieces"})
        peer.hang_up(1012, "update")

    async def body(url: str) -> None:
        socket, listener = await AsyncSocket.dial(endpoint(url)), Listener()
        assert await socket.first(5) == b"first"
        socket.listen(listener)
        told.set()
        await listener.over.wait()
        assert listener.frames == [b"second", b'{"in": "pieces"}']
        assert listener.error is not None
        assert listener.error.code == 1012
        assert not socket.is_open
        socket.transmit([b"into the void"])

    with scripted(talk) as url:
        run(body(url))


def test_listener_that_comes_after_the_end_hears_of_it() -> None:
    async def body(url: str) -> None:
        socket, listener = await AsyncSocket.dial(endpoint(url)), Listener()
        await socket.wait_closed()
        with pytest.raises(ConnectionLost, match="1006"):
            await socket.first(5)
        socket.listen(listener)
        assert listener.error is not None

    with scripted(lambda peer: peer.hang_up()) as url:
        run(body(url))


def test_first_message_that_does_not_come() -> None:
    async def body(url: str) -> None:
        socket = await AsyncSocket.dial(endpoint(url))
        with pytest.raises(TimeoutError):
            await socket.first(0.05)
        socket.drop()
        await socket.wait_closed()

    with scripted(lambda peer: peer.next_event()) as url:
        run(body(url))


def test_encoding_of_a_frame_is_its_own() -> None:
    kinds: list[str] = []
    read = threading.Event()

    def note(peer: Peer) -> None:
        try:
            while (frame := peer.next_event()) is not None:
                kinds.append(frame.opcode.name)
        finally:  # we answer a goodbye that waits for no answer, and are told so
            read.set()

    async def body(url: str) -> None:
        socket = await AsyncSocket.dial(endpoint(url))
        socket.transmit([b"{}", b"\0\0\0\2{}"])
        socket.leave()
        await socket.wait_closed()

    with scripted(note) as url:
        run(body(url))
        assert read.wait(10)
    assert kinds == ["TEXT", "BINARY", "CLOSE"]


def test_no_server() -> None:
    with scripted(lambda peer: None) as url:
        pass
    with pytest.raises(ConnectFailed):
        run(body_that_dials(url))


async def body_that_dials(url: str) -> None:
    await AsyncSocket.dial(endpoint(url))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that it is a bad idea is why we test it
def test_forked_child_says_nothing_for_its_parent() -> None:
    answered = threading.Event()

    def talk(peer: Peer) -> None:
        assert peer.next_event().opcode.name == "TEXT"  # and no goodbye before it
        answered.set()
        peer.next_event()

    async def body(url: str) -> None:
        socket = await AsyncSocket.dial(endpoint(url))
        child = os.fork()
        if not child:
            try:
                socket.leave()
            finally:
                os._exit(0)
        os.waitpid(child, 0)  # noqa: ASYNC222  # it does next to nothing
        socket.transmit([b"{}"])
        assert await asyncio.to_thread(answered.wait, 5)
        socket.leave()
        await socket.wait_closed()

    with scripted(talk) as url:
        run(body(url))
