"""The transport of conversations through picows: frames go from the socket to the session and back.

Limits, pings and codes are those of uvicorn, so that no client can tell by which way its frames go.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # the stubs leave it out
from uvicorn.config import Config

from openenv.protocol import is_binary
from openenv.server.conversation import CLOSE_S, MAX_UNSENT_BYTES, NOT_READING, POLICY_VIOLATION, Opening

__all__ = ["PicowsPeer"]

_PROTOCOL_ERROR, _NOT_UTF8, _TOO_LARGE, _UNANSWERED, _RESTARTING = 1002, 1007, 1009, 1011, 1012
_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PONG, _CLOSE = WSMsgType.PONG, WSMsgType.CLOSE
_BUFFER_BYTES = 2048  # what a connection begins to read into; it grows with its frames
_HEAD = bytearray(14)  # room for the head of a frame
# Of a larger frame `send` gives the head to the transport as a view of its own buffer, and then uses that for the next
# frame, maybe before the transport has sent it.
_COPIED_BYTES = 8192
_REQUEST = (  # what picows needs to hear of a handshake that is agreed on
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %s\r\n\r\n"
)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """A log that does not call it an error of ours when a client breaks the rules of WebSocket."""

    def error(self, msg: object, *args: object, **settings: Any) -> None:
        self.debug(msg, *args, **settings)


_log = _Quiet(logging.getLogger(__name__), {})


class PicowsPeer(WSListener):
    """The other end of a socket that picows carries.

    Args:
        opening: Opens the conversation.
        config: uvicorn's.
        connections: uvicorn's, each of which it tells to shut down.
    """

    def __init__(self, opening: Opening, config: Config, connections: set[Any]) -> None:
        self.is_reading = True
        self._conversation = opening(self)
        self._config = config
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._ping = b""
        self._is_closing = False
        self._kind = _CONTINUATION  # of the message that is under way; this for none
        self._parts: list[bytes] = []

    # ---- what a conversation sees

    def send(self, frame: bytes) -> None:
        """Send a frame."""
        kind = _BINARY if is_binary(frame) else _TEXT
        if not self.is_reading and self._unsent() and self._unsent() + len(frame) > MAX_UNSENT_BYTES:
            self.close(POLICY_VIOLATION, NOT_READING)
        if len(frame) <= _COPIED_BYTES:
            self._transport.send(kind, frame)  # which does nothing after a close
        else:
            self._transport.send_reuse_external_bytearray(kind, _HEAD + frame, len(_HEAD))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket once what was sent has left; who does not read it within `CLOSE_S` is cut off."""
        if self._is_closing:
            return
        self._is_closing = True
        self._transport.send_close(WSCloseCode(code), reason)
        self._transport.underlying_transport.resume_reading()  # for the answer to it
        self._set_timer(CLOSE_S, self._cut_off)

    # ---- what uvicorn tells

    def take(self, transport: asyncio.Transport, key: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the socket over, and accept the handshake that it has asked for."""
        said = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        response = WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(extra_headers=said), self)
        protocol = WSProtocol(
            None,  # host and path are a client's
            None,
            False,
            lambda request: response,
            _log,
            True,  # disconnect on exceptions
            None,  # no limit of its own to the handshake
            False,  # no pings of its own: they are a task a connection
            0,
            0,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            True,  # answer pings
            self._config.ws_max_size,
            None,
            _BUFFER_BYTES,
        )
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        request = _REQUEST % key.encode()
        protocol.get_buffer(-1)[: len(request)] = request
        protocol.buffer_updated(len(request))
        transport.resume_reading()

    def shutdown(self) -> None:
        """Close because the server stops, and wait for nobody."""
        self._lose(_RESTARTING, "")
        self._transport.disconnect()

    # ---- what picows tells

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        self._transport = transport
        self._connections.add(self)
        for handshake in (transport.request, transport.response):  # which picows keeps, at 3 KB a connection
            handshake.headers.clear()
        self._await_ping()
        self._conversation.begin()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame; the usual ones are whole messages of text."""
        if self._is_closing and frame.msg_type is not _CLOSE:
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._lose(_PROTOCOL_ERROR, "a reserved bit is set")
        elif frame.fin and frame.msg_type is _TEXT and self._kind is _CONTINUATION:
            try:
                text = frame.get_payload_as_utf8_text()
            except UnicodeDecodeError:
                self._lose(_NOT_UTF8, "text that is not UTF-8")
            else:
                self._conversation.received(text)
        elif frame.msg_type is _CLOSE:
            self._answer_close(frame.get_payload_as_bytes())
        elif frame.msg_type is _PONG:
            self._take_pong(frame.get_payload_as_bytes())
        else:
            self._take_part(frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End."""
        self._set_timer(None, self._cut_off)
        self._connections.discard(self)
        self._conversation.lost()

    def pause_writing(self) -> None:
        """Read no requests of a client that does not read its replies."""
        self.is_reading = False
        if not self._is_closing:
            self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self.is_reading = True
        self._transport.underlying_transport.resume_reading()
        self._conversation.resumed()

    def _take_part(self, frame: WSFrame) -> None:
        """Take a binary frame, or part of a message in several; pings come between them, and picows answers those."""
        kind = frame.msg_type
        if kind in (_TEXT, _BINARY, _CONTINUATION):
            if (kind is _CONTINUATION) == (self._kind is _CONTINUATION):
                self._lose(_PROTOCOL_ERROR, "a message begins within another, or goes on that never began")
                return
            self._kind = self._kind if kind is _CONTINUATION else kind
            self._parts.append(frame.get_payload_as_bytes())
            if sum(map(len, self._parts)) > self._config.ws_max_size:
                self._lose(_TOO_LARGE, f"a message of more than {self._config.ws_max_size} bytes")
            elif frame.fin:
                self._take_message()

    def _take_message(self) -> None:
        kind, self._kind = self._kind, _CONTINUATION
        message = b"".join(self._parts)
        self._parts.clear()
        if kind is _BINARY:
            self._conversation.received(message)
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._lose(_NOT_UTF8, "text that is not UTF-8")
        else:
            self._conversation.received(text)

    def _lose(self, code: int, reason: str) -> None:
        """Say why this cannot go on."""
        self._conversation.lost()
        self._parts.clear()
        self.close(code, reason)

    def _answer_close(self, payload: bytes) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._conversation.lost(int.from_bytes(payload[:2], "big") if payload else None)
            self._transport.send(_CLOSE, payload)
            self._set_timer(CLOSE_S, self._cut_off)
        self._transport.disconnect()

    def _cut_off(self) -> None:
        self._transport.disconnect(False)

    def _unsent(self) -> int:
        return self._transport.underlying_transport.get_write_buffer_size()

    # ---- pings

    def _await_ping(self) -> None:
        if self._config.ws_ping_interval:
            self._set_timer(self._config.ws_ping_interval, self._send_ping)

    def _send_ping(self) -> None:
        self._ping = os.urandom(4)
        self._transport.send_ping(self._ping)
        if self._config.ws_ping_timeout is None:
            self._await_ping()
        else:
            self._set_timer(self._config.ws_ping_timeout, self._give_up)

    def _take_pong(self, payload: bytes) -> None:
        if self._ping and payload == self._ping:
            self._ping = b""
            self._await_ping()

    def _give_up(self) -> None:
        self._lose(_UNANSWERED, "keepalive ping timeout")
        self._transport.disconnect()

    def _set_timer(self, seconds: float | None, then: Callable[[], None]) -> None:
        """Have one thing happen later, in place of what would have."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self._loop.call_later(seconds, then)
