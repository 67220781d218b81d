"""A client of dialect 2 that is not ours: `ClientLink` over a blocking socket of `websockets`, which a test may cut."""

from contextlib import ExitStack, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed

from openenv.protocol import (
    RESUME_HEADER,
    SUBPROTOCOL,
    Batch,
    BatchReply,
    ClientLink,
    CloseLanes,
    LinkCall,
    LinkReply,
    Open,
    Opened,
    Welcome,
    is_binary,
)
from tests.server.peers import Peer, ws

__all__ = ["Client", "batch", "closed_with", "messages", "text_of"]

_PATIENCE_S = 8


class Client:
    """One link; use it in `with`.

    Attributes:
        url: The server's; the next socket goes there.
        link: The sans-I/O half.
        peer: The present socket.
        replies: What has arrived that nobody has asked for yet, by call.
    """

    def __init__(self, url: str, *, binary: bool = False, arrays: bool = False, **settings: Any) -> None:
        self.url = url
        self.link = ClientLink(binary=binary, arrays=arrays)
        self.replies: dict[int, list[LinkReply]] = {}
        self._settings = settings
        self._sockets = ExitStack()
        self.connect()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()
        self._sockets.close()

    def connect(self, **more: Any) -> Welcome:
        """Open a socket, and go on with the link on it."""
        headers = {} if self.link.resume is None else {RESUME_HEADER: self.link.resume}
        given = self._settings.get("additional_headers", {})
        settings = {**self._settings, **more, "additional_headers": {**given, **headers}}
        offered = [SUBPROTOCOL, "openenv.v1"]
        self.peer: Peer = self._sockets.enter_context(ws(self.url, subprotocols=offered, max_size=None, **settings))
        assert self.peer.subprotocol == SUBPROTOCOL
        welcome = self.link.attach(self.peer.recv(timeout=_PATIENCE_S))
        self._send()
        return welcome

    def cut(self) -> None:
        """End the socket as a network does."""
        self.link.detach()
        self.peer.socket.close()

    def lanes(self, *lanes: int) -> None:
        """Open lanes; all must have room."""
        reply = self.ask(Open(lanes))
        assert isinstance(reply, Opened)
        assert not reply.errors, reply

    def begin(self, request: Any, lane: int | None = None) -> LinkCall:
        """Ask, and wait for nothing."""
        call = self.link.ask(request, lane)
        self._send()
        return call

    def ask(self, request: Any, lane: int | None = None) -> LinkReply:
        """Ask, and wait for the reply."""
        return self.reply(self.begin(request, lane))

    def reply(self, call: LinkCall) -> LinkReply:
        """Wait for a call's reply, or the next part of it."""
        while not self.replies.get(call.id):
            self.read()
        return self.replies[call.id].pop(0)

    def read(self) -> None:
        """Take one frame."""
        received = self.link.receive(self.peer.recv(timeout=_PATIENCE_S))
        self._send()
        if received is not None:
            self.replies.setdefault(received[0].id, []).append(received[1])

    def close_lanes(self, *lanes: int) -> LinkReply:
        """End the sessions of lanes."""
        return self.ask(CloseLanes(lanes))

    def cancel(self, call: LinkCall) -> None:
        """Ask the server to give a call up, and go on waiting for its reply."""
        frame = b'{"id":%d,"type":"cancel","of":%d}' % (self.link._asked, call.id)
        self.link._asked += 1
        self.link._outbox.add(frame)
        self._send()

    def _send(self) -> None:
        for frame in self.link.outgoing():
            self.peer.send(frame if is_binary(frame) else frame.decode())


def batch(client: Client, op: str, lanes: Any, data: Any = None, **settings: Any) -> BatchReply:
    """Ask many lanes at once."""
    reply = client.ask(Batch(op, tuple(lanes), data, **settings))
    assert isinstance(reply, BatchReply), reply
    return reply


def messages(reply: BatchReply) -> list[str]:
    """Say what each lane of an echo has answered."""
    return [observation and observation["echoed_message"] for observation in reply.observation]


def closed_with(client: Client) -> tuple[int, str]:
    """Wait until the server closes the socket, and say how; what comes before is dropped."""
    with suppress(ConnectionClosed):
        while True:
            client.peer.recv(timeout=_PATIENCE_S)
    code, reason = client.peer.close_code, client.peer.close_reason
    assert code is not None
    assert reason is not None
    return code, reason


def text_of(frame: Any) -> bytes:
    """Give the JSON of a frame of either encoding."""
    raw: bytes = frame if isinstance(frame, bytes) else frame.encode()
    return raw[4 : 4 + int.from_bytes(raw[:4], "big")] if raw[:1] == b"\0" else raw
