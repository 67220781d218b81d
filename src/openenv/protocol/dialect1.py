"""Dialect 1: the OpenEnv wire, one JSON object a text frame, no ids.

Two additions of ours, both absent unless used: a request may carry `timeout_s` (reset, step) and `options` (step)
beside `data`, and an observation may carry `truncated`. A server that understands the first says so in its handshake
(see `EXTENSIONS_HEADER`); a client must not send them to one that does not.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from openenv.errors import LocalError, PeerError
from openenv.protocol.codec import Incoming
from openenv.protocol.messages import (
    Close,
    Fault,
    GetState,
    Json,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
)

__all__ = ["EXTENSIONS", "EXTENSIONS_HEADER", "Dialect1", "load_json"]

EXTENSIONS_HEADER = "x-openenv-extensions"
"""Handshake header by which a server lists the additions it understands."""
EXTENSIONS = ("options", "timeout_s")

_ENVELOPE = frozenset({"type", "data"})
_FIELDS: dict[str, frozenset[str]] = {
    "reset": _ENVELOPE | {"timeout_s"},
    "step": _ENVELOPE | {"timeout_s", "options"},
    "state": frozenset({"type"}),
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
            case Close():
                message = {"type": "close"}
            case JsonRpc():
                message = {"type": "mcp", "data": request.payload}
        return _dump_request(message)

    def decode_request(self, frame: str | bytes) -> Incoming:
        """Read a client's frame; what is wrong with it becomes the fault to answer."""
        return Incoming(None, _read_request(frame))

    def encode_reply(self, reply: Reply, call_id: int | None) -> bytes:
        """Make the text frame of `reply`, keys in OpenEnv's order."""
        match reply:
            case Observed():
                data = {"observation": reply.observation, "reward": reply.reward, "done": reply.done}
                if reply.metadata is not None:
                    data["metadata"] = reply.metadata
                if reply.truncated:
                    data["truncated"] = True
                return _dump({"type": "observation", "data": data})
            case StateIs():
                return _dump({"type": "state", "data": reply.state})
            case JsonRpcReply():
                return _dump({"type": "mcp", "data": reply.payload})
            case Fault():
                data = {"message": reply.message, "code": reply.code, **reply.details}
                return _dump({"type": "error", "data": data}, otherwise=repr)

    def decode_reply(self, frame: str | bytes) -> tuple[int | None, Reply]:
        """Read a server's frame.

        Raises:
            PeerError: It is no reply of this dialect.
        """
        try:
            message = load_json(frame)
        except ValueError as error:
            raise PeerError(f"the server sent something that is not JSON ({error}): {_excerpt(frame)}") from error
        if not isinstance(message, dict) or not isinstance(message.get("data"), dict):
            raise PeerError(f"the server sent a frame without a data object: {_excerpt(frame)}")
        kind = message.get("type")
        read = _REPLIES.get(kind) if isinstance(kind, str) else None
        if read is None:
            raise PeerError(f"the server sent a reply of unknown type {_shown(kind)!r}")
        return None, read(message["data"])


def _read_request(frame: str | bytes) -> Request | Fault:
    if isinstance(frame, bytes):
        return Fault("INVALID_JSON", f"Invalid JSON: expected a text frame, got {len(frame)} bytes of binary")
    try:
        message = load_json(frame)
    except ValueError as error:
        return Fault("INVALID_JSON", f"Invalid JSON: {error}")
    if not isinstance(message, dict):
        return _invalid("dict_type", (), "Input should be an object")
    kind = message.get("type", "")
    known = _FIELDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        return Fault("UNKNOWN_TYPE", f"Unknown message type: {_shown(kind)}")
    return _check_fields(message, kind, known) or _BUILD[kind](message)


def _check_fields(message: Mapping[str, Json], kind: str, known: frozenset[str]) -> Fault | None:
    for key in message:
        if key not in known:
            return _invalid("extra_forbidden", (key,), "Extra inputs are not permitted")
    if kind in _PAYLOAD_REQUIRED and "data" not in message:
        return _invalid("missing", ("data",), "Field required")
    for key in ("data", "options"):
        if key in message and not isinstance(message[key], dict):
            return _invalid("dict_type", (key,), "Input should be a valid dictionary")
    limit = message.get("timeout_s")
    if limit is not None and not _is_duration(limit):
        return _invalid("greater_than", ("timeout_s",), "Input should be a number of seconds greater than 0")
    return None


def _is_duration(value: Json) -> bool:
    """Tell whether `value` counts seconds: not NaN, not infinite, and no integer too large for a float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max


_BUILD: dict[str, Callable[[Mapping[str, Json]], Request]] = {
    "reset": lambda m: Reset(m.get("data", {}), m.get("timeout_s")),
    "step": lambda m: Step(m["data"], m.get("timeout_s"), m.get("options", {})),
    "state": lambda m: GetState(),
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
    return Fault(str(_shown(code)), str(_shown(message)), details)


_REPLIES: dict[str, Callable[[dict[str, Json]], Reply]] = {
    "observation": _read_observed,
    "state": StateIs,
    "mcp": JsonRpcReply,
    "error": _read_fault,
}


def _invalid(kind: str, loc: tuple[str, ...], sentence: str) -> Fault:
    return Fault("VALIDATION_ERROR", "Invalid message", {"errors": [{"type": kind, "loc": list(loc), "msg": sentence}]})


def _dump_request(message: Mapping[str, Json]) -> bytes:
    try:
        frame = _dump(message)
        # orjson writes null for NaN and the infinities, and the peer would never know; existing clients send them.
        return _dump_by_module(message) if b"null" in frame and _has_nonfinite(message) else frame
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalError(f"this request cannot be sent as JSON: {error}") from error


def _dump(message: Mapping[str, Json], otherwise: Callable[[Any], Json] | None = None) -> bytes:
    try:
        return orjson.dumps(message, default=otherwise)
    except TypeError:  # an integer past 64 bits, a lone surrogate, or not JSON at all: the JSON module knows which
        return _dump_by_module(message, otherwise)


def _dump_by_module(message: Mapping[str, Json], otherwise: Callable[[Any], Json] | None = None) -> bytes:
    def plain(value: Any) -> Json:
        """Give a value that only orjson knows, such as a fragment, the form the JSON module knows."""
        return load_json(orjson.dumps(value, default=otherwise))

    return json.dumps(message, separators=(",", ":"), default=plain).encode()


def _has_nonfinite(value: Json) -> bool:
    if isinstance(value, Mapping):
        return any(_has_nonfinite(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_nonfinite(item) for item in value)
    return isinstance(value, float) and not math.isfinite(value)


def _shown(value: Json) -> Json:
    """Name what stands where a word should; a list or object by its class, as it may be too deep for `str`."""
    return type(value).__name__ if isinstance(value, list | dict) else value


def _excerpt(frame: str | bytes) -> str:
    text = repr(frame[:80])
    return text if len(frame) <= 80 else f"{text}..."
