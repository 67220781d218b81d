"""A blocking WebSocket for the sync client: the `websockets` protocol core on a plain socket.

A reply is read by the thread that waits for it, without a helper thread or an event loop in between, which halves the
time of a step. The price is that nobody reads while no call is under way; `keeper` sees to that.
"""

import contextlib
import socket
import ssl
import time
from collections import deque

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidProxy
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.proxy import get_proxy, parse_proxy, prepare_connect_request
from websockets.uri import WebSocketURI, parse_uri

from openenv.client.endpoint import SUBPROTOCOLS, Endpoint, listed
from openenv.client.failures import CONNECT_ERRORS, closed_error, connect_error
from openenv.client.pieces import Pieces
from openenv.errors import ConnectionLost
from openenv.protocol import EXTENSIONS_HEADER, is_binary

__all__ = ["BlockingSocket"]

_CHUNK = 65536
_CLOSE_S = 2.0
"""Seconds that `close` waits for the server's half of the closing handshake."""


class BlockingSocket:
    """One open WebSocket. Not thread-safe: its owner holds a lock around every method but `is_open`.

    Attributes:
        extensions: What the server's handshake says it understands.
        subprotocol: The dialect that the server chose; None when it chose none.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        """Connect.

        Raises:
            ConnectFailed: No connection, or no WebSocket at the other end.
            Refused: The server does not let us in.
        """
        self._endpoint = endpoint
        self._inbox: deque[bytes] = deque()
        self._pieces = Pieces()
        self._pinged_at: float | None = None
        self._heard_at = time.monotonic()
        uri = parse_uri(endpoint.url)
        self._protocol = ClientProtocol(uri, subprotocols=SUBPROTOCOLS, max_size=endpoint.max_message_bytes)
        limit = endpoint.connect_timeout_s
        deadline = None if limit is None else time.monotonic() + limit
        try:
            self._socket = _open(uri, endpoint, deadline)
            self.extensions = self._shake_hands(deadline)
            self.subprotocol = self._protocol.subprotocol
        except CONNECT_ERRORS as error:
            self.drop()
            raise connect_error(endpoint, error) from error
        except BaseException:  # Ctrl-C
            self.drop()
            raise

    @property
    def is_open(self) -> bool:
        """Whether frames can still be exchanged, as far as we have heard."""
        return self._protocol.state is State.OPEN

    def fileno(self) -> int:
        """Give the descriptor of the connection."""
        return self._socket.fileno()

    def send(self, frames: list[bytes]) -> None:
        """Send frames, each in its own encoding.

        Raises:
            ConnectionLost: The connection has ended.
        """
        if not self.is_open:
            raise self._lost()
        for frame in frames:
            if is_binary(frame):
                self._protocol.send_binary(frame)
            else:
                self._protocol.send_text(frame)
        self._flush()

    def receive(self, timeout_s: float | None) -> bytes:
        """Wait for a frame, keeping the connection alive meanwhile.

        Raises:
            TimeoutError: None came in time.
            ConnectionLost: The connection has ended.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._inbox:
            if not self.is_open:
                raise self._lost()
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise TimeoutError(f"no frame within {timeout_s} s")
            waits = [at - now for at in (deadline, self._next_ping()) if at is not None]
            self._read(max(min(waits), 0.0) if waits else None)
            self._keep_alive()
        return self._inbox.popleft()

    def tend(self) -> None:
        """Read what has arrived, answer pings and send ours; never waits. Raises ConnectionLost when it has ended."""
        while self.is_open and self._read(0.0):
            pass
        if self.is_open:
            self._keep_alive()
        if not self.is_open and not self._inbox:
            raise self._lost()

    def take(self) -> bytes | None:
        """Take a frame that `tend` has read; None when there is none."""
        return self._inbox.popleft() if self._inbox else None

    def close(self) -> None:
        """Close in good order: say so, hear the server out for a moment, release the descriptor."""
        try:
            if self.is_open:
                self._protocol.send_close(1000)
                self._flush()
            deadline = time.monotonic() + _CLOSE_S
            while self._protocol.state is not State.CLOSED and (left := deadline - time.monotonic()) > 0:
                self._read(left)
        finally:
            self.drop()

    def drop(self) -> None:
        """Release the descriptor at once."""
        if hasattr(self, "_socket"):
            self._socket.close()
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()

    def leave(self) -> None:
        """Say goodbye, so that the server need not wait for us to come back, and release the descriptor at once."""
        if self.is_open:
            self._protocol.send_close(1000)
            with contextlib.suppress(OSError):  # it has ended, or takes nothing: the server will find out
                self._socket.settimeout(0)
                self._socket.sendall(b"".join(self._protocol.data_to_send()))
        self.drop()

    def __del__(self) -> None:
        if hasattr(self, "_socket"):
            self.leave()

    def _shake_hands(self, deadline: float | None) -> frozenset[str]:
        request = self._protocol.connect()
        for name, value in self._endpoint.headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            self._receive_data(left)
            events = self._protocol.events_received()
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            if events:
                response, *frames = events  # a server that is full says so in the same breath
                assert isinstance(response, Response)
                self._take_frames(frames)
                self._flush()
                return listed(response.headers.get(EXTENSIONS_HEADER, ""))

    def _read(self, timeout_s: float | None) -> bool:
        """Read once, waiting so long at most; False when nothing came."""
        if not self._receive_data(timeout_s):
            return False
        self._take_frames(self._protocol.events_received())
        self._flush()
        return True

    def _receive_data(self, timeout_s: float | None) -> bool:
        self._socket.settimeout(timeout_s)
        try:
            data = self._socket.recv(_CHUNK)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            data = b""
        if data:
            self._heard_at = time.monotonic()
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        return True

    def _take_frames(self, events: list[Event]) -> None:
        for event in events:
            assert isinstance(event, Frame)  # the handshake is over
            if event.opcode is Opcode.PONG:
                self._pinged_at = None
            elif (message := self._pieces.add(event)) is not None:
                self._inbox.append(message)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            try:
                if data:
                    self._socket.settimeout(self._endpoint.message_timeout_s)
                    self._socket.sendall(data)
                else:  # the protocol's way to say: close the writing half
                    self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                # What the server said before it hung up may still be there to be read; the end comes after it.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _next_ping(self) -> float | None:
        """When to look at the keep-alive again, as a monotonic time; None when it is off."""
        interval, patience = self._endpoint.ping_interval_s, self._endpoint.ping_timeout_s
        if self._pinged_at is not None:
            return None if patience is None else self._pinged_at + patience
        return None if interval is None else self._heard_at + interval

    def _keep_alive(self) -> None:
        due = self._next_ping()
        if due is None or time.monotonic() < due or not self.is_open:
            return
        if self._pinged_at is not None:
            self._protocol.fail(1011)
            self._protocol.receive_eof()
            return
        self._pinged_at = time.monotonic()
        self._protocol.send_ping(b"openenv")
        self._flush()

    def _lost(self) -> ConnectionLost:
        return closed_error(self._protocol.close_rcvd, self._protocol.close_sent)


def _open(uri: WebSocketURI, endpoint: Endpoint, deadline: float | None) -> socket.socket:
    """Open the TCP or TLS connection, through the environment's HTTP proxy where there is one."""

    def left() -> float | None:
        return None if deadline is None else max(deadline - time.monotonic(), 0.001)

    proxy = None if endpoint.is_local else get_proxy(uri)
    if proxy is None:
        connection = socket.create_connection((uri.host, uri.port), timeout=left())
    else:
        connection = _through_proxy(proxy, uri, left())
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if uri.secure:
            connection.settimeout(left())
            return ssl.create_default_context().wrap_socket(connection, server_hostname=uri.host)
    except BaseException:  # Ctrl-C too: nobody else would close it
        connection.close()
        raise
    return connection


def _through_proxy(proxy: str, uri: WebSocketURI, timeout_s: float | None) -> socket.socket:
    parsed = parse_proxy(proxy)
    if parsed.scheme != "http":
        raise InvalidProxy(proxy, f"the sync client knows http proxies only, not {parsed.scheme}: use .aio()")
    connection = socket.create_connection((parsed.host, parsed.port), timeout=timeout_s)
    try:
        connection.sendall(prepare_connect_request(parsed, uri))
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = connection.recv(_CHUNK)
            if not data:
                raise InvalidHandshake("the proxy closed the connection")
            answer += data
        status = answer.split(b"\r\n", 1)[0].decode("latin-1")
        if " 200" not in status:
            raise InvalidHandshake(f"the proxy answered {status!r}")
    except BaseException:  # Ctrl-C too: nobody else would close it
        connection.close()
        raise
    return connection
