"""The seam between a session and the bytes of a dialect.

A session knows who asked what and what may come next; a codec knows how it looks on the wire. A second dialect is a
second codec.
"""

from typing import NamedTuple, Protocol

from openenv.protocol.messages import Fault, Reply, Request

__all__ = ["Codec", "ServerCall"]


class ServerCall(NamedTuple):  # a frozen dataclass takes four times as long to make
    """One request as the server read it: the request, or the fault to answer it with.

    Attributes:
        id: The caller's name for it; None in a dialect without ids.
        request: What it says, or what is wrong with it.
    """

    id: int | None
    request: Request | Fault


class Codec(Protocol):
    """Encodes and decodes the frames of one dialect. Pure: a frame in, a value out.

    `has_ids` says whether replies name the request they answer. Without ids a session allows one request at a time,
    and an abandoned one breaks it.
    """

    has_ids: bool

    def encode_request(self, request: Request, call_id: int) -> bytes:
        """Make the frame that asks `request`. Raises LocalError for what JSON cannot carry."""

    def decode_request(self, frame: str | bytes) -> ServerCall:
        """Read a client's frame. Never raises: whatever is wrong becomes a fault to answer."""

    def encode_reply(self, reply: Reply, call_id: int | None) -> bytes:
        """Make the frame that answers."""

    def decode_reply(self, frame: str | bytes) -> tuple[int | None, Reply]:
        """Read a server's frame. Raises PeerError when it makes no sense."""
