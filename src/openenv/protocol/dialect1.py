"""Dialect 1: the OpenEnv wire, one JSON object a text frame, no ids.

Additions of ours, absent unless used: a request may carry `timeout_s` (reset, step) and `options` (step) beside
`data`, there is a request `view`, and an observation may carry `truncated`. A server that understands the first three
says so in its handshake (see `EXTENSIONS_HEADER`); a client must not send them to one that does not.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from openenv.errors import LocalError, PeerError
from openenv.protocol.codec import ServerCall
from openenv.protocol.messages import (
    Close,
    Fault,
    GetState,
    GetView,
    Json,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
    ViewIs,
)

__all__ = ["EXTENSIONS", "EXTENSIONS_HEADER", "Dialect1", "load_json"]

EXTENSIONS_HEADER = "x-openenv-extensions"
"""Handshake header by which a server lists the additions it understands."""
EXTENSIONS = ("options", "timeout_s", "view")

_ENVELOPE = frozenset({"type", "data"})
_FIELDS: dict[str, frozenset[str]] = {
    "reset": _ENVELOPE | {"timeout_s"},
    "step": _ENVELOPE | {"timeout_s", "options"},
    "state": frozenset({"type"}),
    "view": frozenset({"type"}),
    "close": frozenset({"type"}),
    "mcp": _ENVELOPE,
}
_PAYLOAD_REQUIRED = frozenset({"step", "mcp"})
_OBSERVED = frozenset({"observation", "reward", "done", "metadata", "truncated"})

# orjson rounds integers past 64 bits to floats. Every such integer, and little else, is a run of 20 of these.
_DIGITS = bytes(ord("0") if byte in b"-0123456789" else ord(".") for byte in range(256))
_LONG_NUMBER = b"0" * 20


def load_json(frame: str | bytes) -> Json:
    """Parse JSON as OpenEnv servers do: NaN, Infinity and integers past 64 bits are let through.

    Raises:
        ValueError: It is not JSON, or is nested too deeply.
    """
    raw = frame.encode(errors="replace") if isinstance(frame, str) else frame
    if _LONG_NUMBER not in raw.translate(_DIGITS):
        try:
            return orjson.loads(frame)
        except orjson.JSONDecodeError as error:
            # It is stricter than the JSON module existing peers write with, so ask that one before saying no; but not
            # how deep a frame may be nested, which differs from Python to Python.
            if "depth" in error.msg or "recursion" in error.msg.lower():
                raise ValueError("nested too deeply") from error
    try:
        return json.loads(frame)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


class Dialect1:
    """The codec of dialect 1."""

    has_ids = False

    def encode_request(self, request: Request, call_id: int) -> bytes:
        """Make the text frame of `request`; the id stays at home."""
        return dump_request(request_to_json(request))

    def decode_request(self, frame: str | bytes) -> ServerCall:
        """Read a client's frame; what is wrong with it becomes the fault to answer."""
        return ServerCall(None, _read_request(frame))

    def encode_reply(self, reply: Reply, call_id: int | None) -> bytes:
        """Make the text frame of `reply`, keys in OpenEnv's order."""
        return dump_json(reply_to_json(reply), otherwise=repr if isinstance(reply, Fault) else None)

    def decode_reply(self, frame: str | bytes) -> tuple[int | None, Reply]:
        """Read a server's frame.

        Raises:
            PeerError: It is no reply of this dialect.
        """
        try:
            message = load_json(frame)
        except ValueError as error:
            raise PeerError(f"the server sent something that is not JSON ({error}): {excerpt(frame)}") from error
        return None, reply_from_json(message, frame)


def request_to_json(request: Request) -> dict[str, Json]:
    """Lay a request out as a message of its own."""
    message: dict[str, Json]
    match request:
        case Step():
            message = {"type": "step", "data": request.action}
            if request.timeout_s is not None:
                message["timeout_s"] = request.timeout_s
            if request.options:
                message["options"] = request.options
        case Reset():
            message = {"type": "reset", "data": request.options}
            if request.timeout_s is not None:
                message["timeout_s"] = request.timeout_s
        case GetState():
            message = {"type": "state"}
        case GetView():
            message = {"type": "view"}
        case Close():
            message = {"type": "close"}
        case JsonRpc():
            message = {"type": "mcp", "data": request.payload}
    return message


def reply_to_json(reply: Reply) -> dict[str, Json]:
    """Lay a reply out as a message, keys in OpenEnv's order."""
    match reply:
        case Observed():
            data = {"observation": reply.observation, "reward": reply.reward, "done": reply.done}
            if reply.metadata is not None:
                data["metadata"] = reply.metadata
            if reply.truncated:
                data["truncated"] = True
            return {"type": "observation", "data": data}
        case StateIs():
            return {"type": "state", "data": reply.state}
        case ViewIs():
            return {"type": "view", "data": reply.view}
        case JsonRpcReply():
            return {"type": "mcp", "data": reply.payload}
        case Fault():
            data = {"message": reply.message, "code": reply.code, **reply.details}
            return {"type": "error", "data": data}


def reply_from_json(message: Json, frame: str | bytes) -> Reply:
    """Read a reply's message; `frame` is what it came in.

    Raises:
        PeerError: It is none.
    """
    if not isinstance(message, dict) or not isinstance(message.get("data"), dict):
        raise PeerError(f"the server sent a frame without a data object: {excerpt(frame)}")
    kind = message.get("type")
    read = _REPLIES.get(kind) if isinstance(kind, str) else None
    if read is None:
        raise PeerError(f"the server sent a reply of unknown type {shown(kind)!r}")
    return read(message["data"])


def _read_request(frame: str | bytes) -> Request | Fault:
    if isinstance(frame, bytes):
        return Fault("INVALID_JSON", f"Invalid JSON: expected a text frame, got {len(frame)} bytes of binary")
    try:
        message = load_json(frame)
    except ValueError as error:
        return Fault("INVALID_JSON", f"Invalid JSON: {error}")
    return request_from_json(message)


def request_from_json(message: Json) -> Request | Fault:
    """Read a request's message; what is wrong with it becomes the fault to answer."""
    if not isinstance(message, dict):
        return invalid("dict_type", (), "Input should be an object")
    kind = message.get("type", "")
    if kind == "step" and len(message) == 2 and type(action := message.get("data")) is dict:
        return Step(action)  # most frames are such, and there is nothing more to check
    known = _FIELDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        return Fault("UNKNOWN_TYPE", f"Unknown message type: {shown(kind)}")
    return _check_fields(message, kind, known) or _BUILD[kind](message)


def _check_fields(message: Mapping[str, Json], kind: str, known: frozenset[str]) -> Fault | None:
    for key in message:
        if key not in known:
            return invalid("extra_forbidden", (key,), "Extra inputs are not permitted")
    if kind in _PAYLOAD_REQUIRED and "data" not in message:
        return invalid("missing", ("data",), "Field required")
    for key in ("data", "options"):
        if key in message and not isinstance(message[key], dict):
            return invalid("dict_type", (key,), "Input should be a valid dictionary")
    limit = message.get("timeout_s")
    if limit is not None and not is_duration(limit):
        return invalid("greater_than", ("timeout_s",), "Input should be a number of seconds greater than 0")
    return None


def is_duration(value: Json) -> bool:
    """Tell whether `value` counts seconds: not NaN, not infinite, and no integer too large for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


_BUILD: dict[str, Callable[[Mapping[str, Json]], Request]] = {
    "reset": lambda m: Reset(m.get("data", {}), m.get("timeout_s")),
    "step": lambda m: Step(m["data"], m.get("timeout_s"), m.get("options", {})),
    "state": lambda m: GetState(),
    "view": lambda m: GetView(),
    "close": lambda m: Close(),
    "mcp": lambda m: JsonRpc(m["data"]),
}


def _read_observed(data: dict[str, Json]) -> Reply:
    if "observation" not in data:
        raise PeerError("the server sent an observation reply without an observation")
    return Observed(
        data["observation"],
        data.get("reward"),
        bool(data.get("done", False)),
        data.get("metadata"),
        bool(data.get("truncated", False)),
        {key: data[key] for key in data.keys() - _OBSERVED},
    )


def _read_fault(data: dict[str, Json]) -> Reply:
    details = {key: value for key, value in data.items() if key not in ("message", "code")}
    code, message = data.get("code", "INTERNAL_ERROR"), data.get("message", "unspecified error")
    return Fault(str(shown(code)), str(shown(message)), details)


_REPLIES: dict[str, Callable[[dict[str, Json]], Reply]] = {
    "observation": _read_observed,
    "state": StateIs,
    "view": ViewIs,
    "mcp": JsonRpcReply,
    "error": _read_fault,
}


def invalid(kind: str, loc: tuple[str, ...], sentence: str) -> Fault:
    """Refuse a message for one of its fields, in the words of a validator."""
    return Fault("VALIDATION_ERROR", "Invalid message", {"errors": [{"type": kind, "loc": list(loc), "msg": sentence}]})


def dump_request(message: Mapping[str, Json], otherwise: Callable[[Any], Json] | None = None) -> bytes:
    """Write a client's message.

    Raises:
        LocalError: JSON cannot carry it.
    """
    try:
        frame = dump_json(message, otherwise)
        # orjson writes null for NaN and the infinities, and the peer would never know; existing clients send them.
        return _dump_by_module(message, otherwise) if b"null" in frame and has_nonfinite(message) else frame
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalError(f"this request cannot be sent as JSON: {error.__cause__ or error}") from error


def dump_json(message: Mapping[str, Json], otherwise: Callable[[Any], Json] | None = None) -> bytes:
    """Write a message; `otherwise` is asked for what JSON has no form for. Raises as `json.dumps` does."""
    try:
        return orjson.dumps(message, default=otherwise)
    except TypeError:  # an integer past 64 bits, a lone surrogate, or not JSON at all: the JSON module knows which
        return _dump_by_module(message, otherwise)


def _dump_by_module(message: Mapping[str, Json], otherwise: Callable[[Any], Json] | None = None) -> bytes:
    def plain(value: Any) -> Json:
        """Give a value that only orjson knows, such as a fragment, the form the JSON module knows."""
        return load_json(orjson.dumps(value, default=otherwise))

    return json.dumps(message, separators=(",", ":"), default=plain).encode()


def has_nonfinite(value: Json) -> bool:
    """Tell whether NaN or an infinity is somewhere in `value`."""
    if isinstance(value, Mapping):
        return any(has_nonfinite(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_nonfinite(item) for item in value)
    return isinstance(value, float) and not math.isfinite(value)


def shown(value: Json) -> Json:
    """Name what stands where a word should; a list or object by its class, as it may be too deep for `str`."""
    return type(value).__name__ if isinstance(value, list | dict) else value


def excerpt(frame: str | bytes) -> str:
    """Quote the beginning of a frame."""
    text = repr(frame[:80])
    return text if len(frame) <= 80 else f"{text}..."
