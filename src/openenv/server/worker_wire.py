"""What a server and its worker processes say to each other, and how it is written.

A frame is a length and a body. Requests are pickled: the worker trusts its server. Replies are JSON with the encoded
observations and the numbers of their arrays behind it, untouched: whatever an environment does to its process, it
cannot make the server run code.
"""

import asyncio
import itertools
import json
import pickle
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast, get_args

import orjson

from openenv.env import EncodedObservation, EnvironmentMetadata
from openenv.protocol import SnapshotIs, StateIs, ViewIs
from openenv.protocol.placing import check_places
from openenv.server.session import Answer as SessionAnswer
from openenv.server.session import Served

__all__ = [
    "Answer",
    "Build",
    "Built",
    "Channel",
    "Describe",
    "Described",
    "Done",
    "End",
    "Errand",
    "Logged",
    "Ping",
    "Settle",
    "decode_reply",
    "encode_errand",
    "encode_frame",
    "encode_reply",
    "receive_frame",
]


@dataclass(frozen=True, slots=True)
class Build:
    """Build an environment for a new session of this number; answered by `Built`."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask the environment to describe itself; answered by `Described`."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Cancel the session's call; answered by `Done` once it has come to an end."""


@dataclass(frozen=True, slots=True)
class End:
    """Close the environment; answered by `Done`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by `Done` at once, unless a call holds the whole process up."""


@dataclass(frozen=True, slots=True)
class Built:
    """The part of an environment's spec that the server decides by."""

    name: str
    is_concurrent: bool


@dataclass(frozen=True, slots=True)
class Described:
    """Answers `Describe`."""

    metadata: EnvironmentMetadata


@dataclass(frozen=True, slots=True)
class Done:
    """Answers what has nothing to say."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A log record, which the server logs as its own; nobody asked for it."""

    name: str
    level: int
    text: str


Errand = Served | Build | Describe | Settle | End | Ping
Answer = SessionAnswer | Built | Described | Done | Logged

_LENGTH = struct.Struct("!I")
_ANSWERS: dict[str, type[Any]] = {answer.__name__: answer for answer in get_args(Answer)}
_FIELDS = {
    name: tuple(field.name for field in fields(answer)) if is_dataclass(answer) else answer._fields
    for name, answer in _ANSWERS.items()
}
_AS_TEXT = {
    EncodedObservation: ("observation", "metadata"),
    StateIs: ("state",),
    ViewIs: ("view",),
    SnapshotIs: ("snapshot",),
}
"""Fields that go on as the JSON text, or the bytes, that they are, without being read."""
_AS_BYTES = (EncodedObservation, SnapshotIs)


def encode_frame(body: bytes, *more: bytes) -> bytes:
    """Put a length before a body that may come in parts."""
    return b"".join((_LENGTH.pack(len(body) + sum(map(len, more))), body, *more))


def encode_errand(call_id: int, number: int, errand: Errand, *, raw: bool = False) -> bytes:
    """Write a request for session `number` of a worker, which answers with arrays beside the JSON if `raw` says so."""
    return encode_frame(pickle.dumps((call_id, number, errand, raw), pickle.HIGHEST_PROTOCOL))


def encode_reply(call_id: int, answer: Answer) -> bytes:
    """Write a reply."""
    name = type(answer).__name__
    values = [getattr(answer, field) for field in _FIELDS[name]]
    texts: list[bytes] = []
    for field in _AS_TEXT.get(type(answer), ()):
        at = _FIELDS[name].index(field)
        if values[at] is not None:
            texts.append(values[at] if type(values[at]) is bytes else orjson.dumps(values[at]))
            values[at] = len(texts[-1])
    if type(answer) is EncodedObservation and answer.arrays:
        texts += answer.arrays
        values[-1] = [len(array) for array in answer.arrays]
    head = _dumps([call_id, name, values])
    return encode_frame(_LENGTH.pack(len(head)), head, *texts)


def decode_reply(body: memoryview) -> tuple[int, Answer]:
    """Read a reply. Raises ValueError, or what a lookup raises, when it is none."""
    (size,) = _LENGTH.unpack_from(body)
    at = _LENGTH.size + size
    call_id, name, values = _loads(bytes(body[_LENGTH.size : at]))
    answer = _ANSWERS[name]
    for field in _AS_TEXT.get(answer, ()):
        index = _FIELDS[name].index(field)
        if values[index] is not None:
            at, start = at + values[index], at
            text = bytes(body[start:at])
            values[index] = text if answer in _AS_BYTES else orjson.Fragment(text)
    if answer is EncodedObservation and values[-1]:
        values[-1] = _arrays(body, at, values[-1])
        check_places(values[0], values[-1])
    if answer is Described:
        values = [EnvironmentMetadata(**values[0])]
    return call_id, answer(*values)


def _arrays(body: memoryview, at: int, sizes: list[int]) -> list[bytes]:
    """Cut what lies at the end of a frame."""
    ends = list(itertools.accumulate(sizes, initial=at))
    if min(sizes) < 0 or ends[-1] != len(body):
        raise ValueError("the arrays do not lie in their frame")
    return [bytes(body[start:end]) for start, end in itertools.pairwise(ends)]


def receive_frame(connection: socket.socket) -> bytes:
    """Read one frame from a blocking socket; empty at its end."""
    with connection.makefile("rb", buffering=0) as stream:
        head = stream.read(_LENGTH.size)
        if not head or len(head) < _LENGTH.size:
            return b""
        body = b""
        (size,) = _LENGTH.unpack(head)
        while len(body) < size and (chunk := stream.read(size - len(body))):
            body += chunk
        return body


class Channel(asyncio.Protocol):
    """Frames over one socket.

    Args:
        received: Called with the body of each frame; the memory is its only while the call lasts.
        lost: Called once, when the other side has gone.
    """

    def __init__(self, received: Callable[[memoryview], None], lost: Callable[[], None]) -> None:
        self._received = received
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def over(
        cls, connection: socket.socket, received: Callable[[memoryview], None], lost: Callable[[], None]
    ) -> "Channel":
        """Take over a connected socket."""
        channel = cls(received, lost)
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=connection)
        return channel

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._transport is None

    def send(self, frame: bytes) -> None:
        """Send a frame, or drop it when the other side has gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self) -> None:
        """Close the socket, at once and whatever is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it

    def data_received(self, data: bytes) -> None:
        """Cut what arrives into frames."""
        self._buffer += data
        used = 0
        with memoryview(self._buffer) as view:
            for start, end in _frames(view):
                with view[start:end] as body:
                    self._received(body)
                used = end
        del self._buffer[:used]

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._transport = None
        self._lost()


def _frames(view: memoryview) -> Iterator[tuple[int, int]]:
    start = _LENGTH.size
    while start <= len(view):
        (size,) = _LENGTH.unpack_from(view, start - _LENGTH.size)
        if start + size > len(view):
            return
        yield start, start + size
        start += size + _LENGTH.size


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate or a huge number in what an environment said
        return json.dumps(value, default=str).encode()


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:  # as above
        return json.loads(text)
