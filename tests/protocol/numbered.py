"""A codec with ids, as small as one can be: what a dialect with ids asks of a session, without the dialect.

A frame is one dialect 1 frame behind its number: `7 {"type":"state"}`; `- {...}` has none.
"""

from openenv.errors import PeerError
from openenv.protocol import Dialect1, Fault, Reply, Request, ServerCall

__all__ = ["Numbered"]


class Numbered:
    """Dialect 1 with a number before every frame."""

    has_ids = True

    def __init__(self) -> None:
        self._plain = Dialect1()

    def encode_request(self, request: Request, call_id: int) -> bytes:
        return b"%d " % call_id + self._plain.encode_request(request, call_id)

    def decode_request(self, frame: str | bytes) -> ServerCall:
        number, _, rest = _text(frame).partition(" ")
        if not number.isdecimal():
            return ServerCall(None, Fault("INVALID_JSON", "no number"))
        return ServerCall(int(number), self._plain.decode_request(rest).request)

    def encode_reply(self, reply: Reply, call_id: int | None) -> bytes:
        number = b"-" if call_id is None else b"%d" % call_id
        return number + b" " + self._plain.encode_reply(reply, call_id)

    def decode_reply(self, frame: str | bytes) -> tuple[int | None, Reply]:
        number, _, rest = _text(frame).partition(" ")
        if number != "-" and not number.isdecimal():
            raise PeerError(f"no number: {frame!r}")
        return None if number == "-" else int(number), self._plain.decode_reply(rest)[1]


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="replace")
