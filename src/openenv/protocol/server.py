"""The server's half of a session: requests come out in order, and each gets exactly one reply.

Sans-I/O. A driver feeds frames to `receive`, serves the call that `next_call` hands out, and sends the frame that
`reply` makes of its answer. Frames that arrive meanwhile wait their turn, faulty ones too, so replies keep the order of
requests. `take` is the first two in one.
"""

from openenv.errors import LocalError, PeerError
from openenv.protocol.client import fits
from openenv.protocol.codec import Codec, ServerCall
from openenv.protocol.messages import Fault, Reply

__all__ = ["MAX_BACKLOG", "MAX_BACKLOG_BYTES", "ServerSession"]

MAX_BACKLOG = 64
"""Requests a client may send ahead of their replies. Clients of dialect 1 send none; this many is a confused peer."""
MAX_BACKLOG_BYTES = 32 * 1024 * 1024
"""Bytes of them. One frame more than a server takes at once is a peer that would fill its memory."""


class ServerSession:
    """One session, as its server sees it."""

    def __init__(self, codec: Codec, *, max_backlog: int = MAX_BACKLOG) -> None:
        self._codec = codec
        self._max_backlog = max_backlog
        self._backlog: list[tuple[ServerCall, int]] = []  # it is short, and an empty deque takes 600 bytes
        self._backlog_bytes = 0
        self._serving: ServerCall | None = None

    def receive(self, frame: str | bytes) -> None:
        """Take a frame off the wire.

        Raises:
            PeerError: Too many requests wait; close the connection.
        """
        if len(self._backlog) >= self._max_backlog:
            raise PeerError(f"more than {self._max_backlog} requests were sent ahead of their replies")
        if self._backlog_bytes + len(frame) > MAX_BACKLOG_BYTES and self._backlog:
            raise PeerError(f"more than {MAX_BACKLOG_BYTES} bytes of requests were sent ahead of their replies")
        self._backlog.append((self._codec.decode_request(frame), len(frame)))
        self._backlog_bytes += len(frame)

    def next_call(self) -> ServerCall | None:
        """Hand out the next request to serve; None while one is being served or none waits."""
        if self._serving is not None or not self._backlog:
            return None
        self._serving, size = self._backlog.pop(0)
        self._backlog_bytes -= size
        return self._serving

    def take(self, frame: str | bytes) -> ServerCall | None:
        """Take a frame off the wire and hand out the next request. Raises as `receive` does."""
        if self._serving is None and not self._backlog:
            self._serving = self._codec.decode_request(frame)
            return self._serving
        self.receive(frame)
        return self.next_call()

    def reply(self, call: ServerCall, reply: Reply) -> bytes:
        """Answer `call`; the driver sends the frame returned.

        Raises:
            LocalError: The call is not the one being served, or the reply is of another kind than its request.
        """
        if call is not self._serving:
            raise LocalError("this call is not being served: it has its reply already, or is another session's")
        if not isinstance(reply, Fault) and (isinstance(call.request, Fault) or not fits(call.request, reply)):
            raise LocalError(f"{type(reply).__name__} does not answer {type(call.request).__name__}")
        self._serving = None
        return self._codec.encode_reply(reply, call.id)

    def refuse(self, fault: Fault) -> bytes:
        """Make the frame by which a server says, unasked, that there will be no session."""
        return self._codec.encode_reply(fault, None)
