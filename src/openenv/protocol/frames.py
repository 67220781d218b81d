"""The two encodings of dialect 2: a message as a text frame, or as a binary one.

A text frame is JSON. A binary frame is the length of its JSON in four bytes, big-endian, the JSON, and the buffers of
its arrays. The JSON of a binary frame is shorter than 16 MiB, so its first byte is zero, which no JSON begins with: a
frame says by itself which of the two it is, and a transport may hand over either as bytes.
"""

from collections.abc import Mapping, Sequence

import orjson

from openenv.errors import LocalError
from openenv.protocol.arrays import ARRAY_KEY, ArrayReader, ArrayWriter, to_lists
from openenv.protocol.dialect1 import dump_json, dump_request, has_nonfinite, load_json
from openenv.protocol.messages import Json

__all__ = ["is_binary", "pack_reply", "pack_request", "unpack"]

_HEAD = 4
_MAX_JSON_BYTES = 2**24
_MARK = f'"{ARRAY_KEY}"'.encode()


def is_binary(frame: bytes) -> bool:
    """Tell whether to send `frame` as a binary one."""
    return frame[:1] == b"\0"


def pack_request(message: Mapping[str, Json], *, binary: bool) -> bytes:
    """Make the frame of a client's message.

    It is a text frame in spite of `binary` when the message cannot be told from one with other arrays, as it has a
    key `$array` itself, and when it holds what only the slow encoder can write.

    Raises:
        LocalError: No frame can carry it.
    """
    frame = _pack_binary(message) if binary else None
    # As in text: what was NaN must not arrive as null.
    if frame is None or (b"null" in frame and has_nonfinite(message)):
        return dump_request(message, to_lists)
    return frame


def pack_reply(message: Mapping[str, Json], *, binary: bool, buffers: Sequence[bytes] = ()) -> bytes:
    """Make the frame of a server's message, with the same exceptions.

    Args:
        message: What is said.
        binary: Whether in a binary frame.
        buffers: The numbers of arrays that text within the message describes already; then no text frame will do.

    Raises:
        LocalError: No frame can carry it.
    """
    frame = _pack_binary(message, buffers) if binary else None
    if frame is not None:
        return frame
    if buffers:
        raise LocalError("arrays travel in binary frames only, and this message needs a text frame")
    try:
        return dump_json(message, to_lists)
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalError(f"this reply cannot be sent as JSON: {error.__cause__ or error}") from error


def _pack_binary(message: Mapping[str, Json], buffers: Sequence[bytes] = ()) -> bytes | None:
    arrays = ArrayWriter(buffers)
    try:
        text = orjson.dumps(message, default=arrays.describe)
    except TypeError:
        return None
    if len(text) >= _MAX_JSON_BYTES or text.count(_MARK) != len(arrays.buffers):
        return None
    return b"".join((len(text).to_bytes(_HEAD, "big"), text, *arrays.buffers))


def unpack(frame: str | bytes, *, arrays: bool) -> Json:
    """Read a frame.

    Args:
        frame: What arrived.
        arrays: Whether arrays of binary frames become NumPy's; else, and without NumPy, lists.

    Raises:
        ValueError: It is neither JSON nor a binary frame, is nested too deeply, or describes an array that lies.
    """
    if isinstance(frame, str) or not is_binary(frame):
        return load_json(frame)
    end = _HEAD + int.from_bytes(frame[:_HEAD], "big")
    if len(frame) < end:
        raise ValueError(f"a binary frame of {len(frame)} bytes is shorter than it says")
    text = frame[_HEAD:end]
    message = load_json(text)
    if _MARK not in text:
        return message
    try:
        return ArrayReader(memoryview(frame)[end:], len(frame), arrays=arrays).restore(message)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
