"""A WebSocket on an event loop that hands messages over as they arrive: no task reads them, and nothing queues them."""

import asyncio
import contextlib
import os
import weakref
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from openenv.client.endpoint import SUBPROTOCOLS, Endpoint, listed
from openenv.client.failures import CONNECT_ERRORS, closed_error, connect_error
from openenv.client.pieces import Pieces
from openenv.errors import ConnectionLost
from openenv.protocol import EXTENSIONS_HEADER, is_binary

__all__ = ["AsyncSocket", "Listener"]

_CLOSE_S = 2.0
_GOODBYE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # a close frame, code 1000, masked by zeros


class Listener(Protocol):
    """Who is told what happens on a socket."""

    def received(self, frame: bytes) -> None:
        """Take a message that has arrived."""

    def ended(self, error: ConnectionLost) -> None:
        """Take note that the connection has ended."""


class AsyncSocket(ClientConnection):
    """One open WebSocket; made by `dial`.

    The library does the handshake, keep-alive and the end; messages go to a listener, which is held weakly, and wait
    for the first one to come.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:  # those of the library
        super().__init__(*args, **settings)
        self._pieces = Pieces()
        self._inbox: list[bytes] = []
        self._arrived = asyncio.Event()
        self._listener: weakref.ref[Listener] | None = None
        self._process = os.getpid()

    @classmethod
    async def dial(cls, endpoint: Endpoint) -> "AsyncSocket":
        """Connect.

        Raises:
            ConnectFailed: No connection, or no WebSocket at the other end.
            Refused: The server does not let us in.
        """
        try:
            made = await connect(
                endpoint.url,
                subprotocols=SUBPROTOCOLS,
                additional_headers=dict(endpoint.headers),
                compression=None,
                open_timeout=endpoint.connect_timeout_s,
                ping_interval=endpoint.ping_interval_s,
                ping_timeout=endpoint.ping_timeout_s,
                close_timeout=_CLOSE_S,
                max_size=endpoint.max_message_bytes,
                proxy=None if endpoint.is_local else True,
                create_connection=cls,
            )
        except CONNECT_ERRORS as error:
            raise connect_error(endpoint, error) from error
        assert isinstance(made, cls)
        return made

    @property
    def extensions(self) -> frozenset[str]:
        """What the server's handshake says it understands."""
        return listed(self.response.headers.get(EXTENSIONS_HEADER, "") if self.response else "")

    @property
    def is_open(self) -> bool:
        """Whether frames can still be exchanged, as far as we have heard."""
        return self.protocol.state is State.OPEN

    @property
    def is_stranded(self) -> bool:
        """Whether the event loop that carries it is gone."""
        return self.loop.is_closed()

    async def first(self, limit_s: float | None) -> bytes:
        """Wait for the first message, before there is a listener.

        Raises:
            TimeoutError: None came in time.
            ConnectionLost: The connection has ended.
        """
        async with asyncio.timeout(limit_s):
            await self._arrived.wait()
        if not self._inbox:
            raise self._error()
        return self._inbox.pop(0)

    def listen(self, listener: Listener) -> None:
        """Give everything to `listener` from now on, beginning with what has arrived already."""
        self._listener = weakref.ref(listener)
        while self._inbox:
            listener.received(self._inbox.pop(0))
        if self.protocol.state is State.CLOSED:
            listener.ended(self._error())

    def transmit(self, frames: list[bytes]) -> None:
        """Send without waiting: what a link has under way is bounded. Nothing is sent once the connection has ended."""
        if not self.is_open:
            return
        for frame in frames:
            if is_binary(frame):
                self.protocol.send_binary(frame)
            else:
                self.protocol.send_text(frame)
        self.send_data()

    def drop(self) -> None:
        """Release the descriptor at once."""
        self._listener = None
        if not self.is_stranded:
            self.transport.abort()

    def leave(self) -> None:
        """Say goodbye, so that the server need not wait for us to come back, and let go. Any thread may call it."""
        if self._process != os.getpid():
            return  # it is the parent's
        if not self.is_stranded:
            with contextlib.suppress(RuntimeError):  # the loop closed this very moment
                self.loop.call_soon_threadsafe(self._leave)
        elif self.is_open and self.transport.get_extra_info("sslcontext") is None:
            with contextlib.suppress(OSError, AttributeError):  # closed already
                os.write(self.transport.get_extra_info("socket").fileno(), _GOODBYE)

    def process_event(self, event: Event) -> None:
        """Take the answer to the handshake, or a frame."""
        if self.response is None or not isinstance(event, Frame) or event.opcode is Opcode.PONG:
            super().process_event(event)
        elif (message := self._pieces.add(event)) is not None:
            self._hand_over(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._arrived.set()
        listener = None if self._listener is None else self._listener()
        if listener is not None:
            listener.ended(self._error())

    def _hand_over(self, message: bytes) -> None:
        if self._listener is None:
            self._inbox.append(message)
            self._arrived.set()
        elif (listener := self._listener()) is not None:
            listener.received(message)

    def _leave(self) -> None:
        if self.is_open:
            self.protocol.send_close(1000)
            self.send_data()
        self.transport.close()

    def _error(self) -> ConnectionLost:
        return closed_error(self.protocol.close_rcvd, self.protocol.close_sent)
