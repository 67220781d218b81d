"""Servers that do what a real one should not: a script decides about every byte after the handshake."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from openenv.protocol import EXTENSIONS_HEADER, is_binary

Json = dict[str, Any]
_PATIENCE_S = 10


def observed(message: str = "ready") -> Json:
    """Make the reply to a reset or step of the echo environment."""
    observation = {"echoed_message": message, "message_length": len(message)}
    return {"type": "observation", "data": {"observation": observation, "reward": 0.5, "done": False}}


def fault(code: str, **details: Any) -> Json:
    return {"type": "error", "data": {"message": "no", "code": code, **details}}


def answer(request: Json) -> Json:
    """Answer as the echo environment does."""
    if request["type"] == "state":
        return {"type": "state", "data": {"episode_id": "e", "step_count": 1}}
    return observed(request["data"].get("message", "ready"))


class Peer:
    """The server's end of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._protocol = ServerProtocol(max_size=None)
        self._events: list[Any] = []
        self.has_said_goodbye = False

    def shake_hands(self, extensions: str, subprotocol: str | None = None) -> Request:
        request = self.next_event()
        assert isinstance(request, Request)
        response = self._protocol.accept(request)
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        if extensions:
            response.headers[EXTENSIONS_HEADER] = extensions
        self._protocol.send_response(response)
        self._flush()
        return request

    def next_event(self) -> Any:
        """Wait for a handshake or a frame; None when the client has gone."""
        while not self._events:
            data = self.socket.recv(65536)
            if not data:
                return None
            self._protocol.receive_data(data)
            self._events = self._protocol.events_received()
            with suppress(OSError):  # the client has gone: what it said before counts
                self._flush()
        return self._events.pop(0)

    def requests(self) -> Iterator[Json]:
        """Yield the client's requests until it says goodbye."""
        while (frame := self.next_event()) is not None and frame.opcode is not Opcode.CLOSE:
            if frame.opcode is Opcode.TEXT and (request := json.loads(frame.data))["type"] != "close":
                yield request

    def frames(self) -> Iterator[bytes]:
        """Yield the client's messages until it says goodbye, or is gone."""
        while (frame := self.next_event()) is not None:
            if frame.opcode is Opcode.CLOSE:
                self.has_said_goodbye = True
                return
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                yield bytes(frame.data)

    def say_frames(self, frames: list[bytes]) -> None:
        """Send frames, each in its own encoding, all in one packet."""
        for frame in frames:
            (self._protocol.send_binary if is_binary(frame) else self._protocol.send_text)(frame)
        self._flush()

    def say(self, *messages: Json | str) -> None:
        """Send text frames, all in one packet."""
        for message in messages:
            self._protocol.send_text((message if isinstance(message, str) else json.dumps(message)).encode())
        self._flush()

    def say_in_pieces(self, message: Json) -> None:
        """Send one message in three frames, with a ping between them."""
        text = json.dumps(message).encode()
        self._protocol.send_text(text[:5], fin=False)
        self._protocol.send_continuation(text[5:10], fin=False)
        self.ping()
        self._protocol.send_continuation(text[10:], fin=True)
        self._flush()

    def ping(self) -> None:
        self._protocol.send_ping(b"are you there")
        self._flush()

    def close(self, code: int, reason: str = "") -> None:
        self._protocol.send_close(code, reason)
        self._flush()

    def hang_up(self, code: int | None = None, reason: str = "") -> None:
        """Close with a code and without waiting for the client; without a code as a crash does."""
        if code is not None:
            self.close(code, reason)
        self.socket.shutdown(socket.SHUT_RDWR)

    def _flush(self) -> None:
        if data := b"".join(self._protocol.data_to_send()):
            self.socket.sendall(data)


class Withholding:
    """Sends nothing until it is told, so that all of it goes out together."""

    def __init__(self, connection: socket.socket) -> None:
        self.recv = connection.recv
        self.held = b""

    def sendall(self, data: bytes) -> None:
        self.held += data


Script = Callable[[Peer], None]


def polite(peer: Peer) -> None:
    for request in peer.requests():
        peer.say(answer(request))


def replying(*replies: Json | str) -> Script:
    """Answer requests with `replies`, one each, then politely."""

    def script(peer: Peer) -> None:
        left = list(replies)
        for request in peer.requests():
            peer.say(left.pop(0) if left else answer(request))

    return script


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen, `serve` each connection in a thread, and give the URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                connections.append(listener.accept()[0])
                threads.append(threading.Thread(target=run, args=(connections[-1],), name="scripted-peer"))
                threads[-1].start()

    def run(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError, OSError):  # the client has gone, or the test is over
            serve(connection)

    threads.append(threading.Thread(target=accept, name="scripted-server"))
    threads[0].start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for each in (listener, *connections):
            with suppress(OSError):  # closed already
                each.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in list(threads):
            thread.join(_PATIENCE_S)


@contextmanager
def scripted(*scripts: Script, extensions: str = "", subprotocol: str | None = None) -> Iterator[str]:
    """Serve the first connection by the first script, and so on; the last serves all further ones."""
    left = list(scripts)

    def serve(connection: socket.socket) -> None:
        script = left.pop(0) if len(left) > 1 else left[0]
        peer = Peer(connection)
        peer.shake_hands(extensions, subprotocol)
        script(peer)

    with listening(serve) as url:
        yield url


@contextmanager
def saying(reply: bytes, *, then_close: bool = True) -> Iterator[str]:
    """Serve something that is no WebSocket server: it answers whatever comes with `reply`."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply)
        if not then_close:
            connection.recv(1)

    with listening(serve) as url:
        yield url
