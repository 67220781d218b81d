"""Dialect 2, from client to server: requests as frames, and what makes no sense as the fault to answer.

On a single lane the messages are those of dialect 1, with `id`, `lane` and `ack` beside `type`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from openenv.protocol.dialect1 import invalid, is_duration, request_from_json, request_to_json
from openenv.protocol.frames import is_binary, pack_request, unpack
from openenv.protocol.link_fields import (
    MAX_COUNT,
    MAX_LANE,
    OPS,
    are_lanes,
    is_column,
    is_count,
    snapshot_from_text,
    snapshot_to_text,
)
from openenv.protocol.link_messages import (
    Acknowledge,
    Batch,
    Cancel,
    CloseLanes,
    Fork,
    GetSnapshot,
    LinkRequest,
    Open,
    Restore,
)
from openenv.protocol.messages import Fault, Json

__all__ = ["Arrived", "decode_request", "encode_request"]

_FIELDS: dict[str, frozenset[str]] = {
    "open": frozenset({"type", "lanes"}),
    "close": frozenset({"type", "lanes"}),
    "batch": frozenset({"type", "op", "lanes", "data", "timeout_s", "parts"}),
    "cancel": frozenset({"type", "of"}),
    "ack": frozenset({"type"}),
    "snapshot": frozenset({"type"}),
    "restore": frozenset({"type", "data"}),
    "fork": frozenset({"type", "lanes"}),
}
_ON_A_LANE = frozenset({"snapshot", "restore", "fork"})


@dataclass(frozen=True, slots=True)
class Arrived:
    """A client's frame as the server read it.

    Attributes:
        id: The call's; None when there is none to be read.
        lane: The lane's; None when the request names none, or several.
        request: What it says, or the fault to answer.
        ack: How many of the server's frames the client has; None when it does not say.
        is_binary: The encoding, which is that of its reply, too.
    """

    id: int | None
    lane: int | None
    request: LinkRequest | Fault
    ack: int | None
    is_binary: bool


def encode_request(request: LinkRequest, call_id: int | None, lane: int | None, ack: int, *, binary: bool) -> bytes:
    """Make a client's frame. Raises LocalError when no frame can carry it."""
    message: dict[str, Json] = {"ack": ack} if call_id is None else {"id": call_id, "ack": ack}
    if lane is not None:
        message["lane"] = lane
    match request:
        case Batch():
            message.update(type="batch", op=request.op, lanes=request.lanes)
            if request.data is not None:
                message["data"] = request.data
            if request.timeout_s is not None:
                message["timeout_s"] = request.timeout_s
            if request.parts:
                message["parts"] = True
        case Open():
            message.update(type="open", lanes=request.lanes)
        case CloseLanes():
            message.update(type="close", lanes=request.lanes)
        case Fork():
            message.update(type="fork", lanes=request.lanes)
        case GetSnapshot():
            message["type"] = "snapshot"
        case Restore():
            message.update(type="restore", data={"snapshot": snapshot_to_text(request.snapshot)})
        case Cancel():
            message.update(type="cancel", of=request.of)
        case Acknowledge():
            message["type"] = "ack"
        case _:
            message.update(request_to_json(request))
    return pack_request(message, binary=binary)


def decode_request(frame: str | bytes, *, arrays: bool) -> Arrived:
    """Read a client's frame; what is wrong with it becomes the fault to answer."""
    binary = isinstance(frame, bytes) and is_binary(frame)
    try:
        message = unpack(frame, arrays=arrays)
    except ValueError as error:
        return Arrived(None, None, Fault("INVALID_JSON", f"Invalid JSON: {error}"), None, binary)
    if type(message) is not dict:
        return Arrived(None, None, invalid("dict_type", (), "Input should be an object"), None, binary)
    call_id, lane, ack = message.pop("id", None), message.pop("lane", None), message.pop("ack", None)
    refusal = None
    if ack is not None and not is_count(ack):
        refusal, ack = _no_count("ack"), None
    if lane is not None and not (is_count(lane) and lane <= MAX_LANE):
        refusal, lane = _no_count("lane"), None
    if not is_count(call_id):
        refusal, call_id = (refusal if message.get("type") == "ack" and call_id is None else _no_count("id")), None
    return Arrived(call_id, lane, refusal or _read_request(message, lane), ack, binary)


def _read_request(message: dict[str, Json], lane: int | None) -> LinkRequest | Fault:
    kind = message.get("type")
    known = _FIELDS.get(kind) if isinstance(kind, str) else None
    if known is None:
        request = request_from_json(message)
        if lane is None and not isinstance(request, Fault):
            return invalid("missing", ("lane",), "Field required")
        return request
    assert isinstance(kind, str)  # it was found in the table
    if lane is None and kind in _ON_A_LANE:
        return invalid("missing", ("lane",), "Field required")
    if lane is not None and kind not in _ON_A_LANE:
        return invalid("extra_forbidden", ("lane",), "Extra inputs are not permitted")
    for key in message:
        if key not in known:
            return invalid("extra_forbidden", (key,), "Extra inputs are not permitted")
    read = _READERS[kind](message)
    if isinstance(read, Fork) and lane in read.lanes:
        return invalid("value_error", ("lanes",), "A lane cannot be forked into itself")
    return read


def _read_open(message: Mapping[str, Json]) -> Open | Fault:
    lanes = message.get("lanes")
    return _refused_lanes(lanes) or Open(tuple(lanes))  # type: ignore[arg-type]  # a list of integers, or refused


def _read_close(message: Mapping[str, Json]) -> CloseLanes | Fault:
    lanes = message.get("lanes")
    return _refused_lanes(lanes) or CloseLanes(tuple(lanes))  # type: ignore[arg-type]  # as above


def _read_fork(message: Mapping[str, Json]) -> Fork | Fault:
    lanes = message.get("lanes")
    return _refused_lanes(lanes) or Fork(tuple(lanes))  # type: ignore[arg-type]  # as above


def _read_restore(message: Mapping[str, Json]) -> Restore | Fault:
    data = message.get("data")
    if not isinstance(data, dict) or data.keys() != {"snapshot"}:
        return invalid("dict_type", ("data",), "Input should be an object with the field snapshot and no other")
    try:
        return Restore(snapshot_from_text(data["snapshot"]))
    except ValueError:
        return invalid("base64_decode", ("data", "snapshot"), "Input should be text in base64")


def _read_cancel(message: Mapping[str, Json]) -> Cancel | Fault:
    return Cancel(message["of"]) if is_count(message.get("of")) else _no_count("of")


def _read_batch(message: Mapping[str, Json]) -> Batch | Fault:
    op, lanes, data = message.get("op"), message.get("lanes"), message.get("data")
    limit, parts = message.get("timeout_s"), message.get("parts", False)
    if op not in OPS:
        return invalid("literal_error", ("op",), "Input should be 'reset', 'step' or 'state'")
    if refused := _refused_lanes(lanes):
        return refused
    if (data is None) if op == "step" else (op == "state" and data is not None):
        return invalid("missing", ("data",), "A step has data, one item for each lane; a state has none")
    if data is not None and not (is_column(data) and len(data) == len(lanes)):  # type: ignore[arg-type]  # as above
        return invalid("list_type", ("data",), "Input should be a list or an array with one item for each lane")
    if limit is not None and not is_duration(limit):
        return invalid("greater_than", ("timeout_s",), "Input should be a number of seconds greater than 0")
    if type(parts) is not bool:
        return invalid("bool_type", ("parts",), "Input should be a valid boolean")
    return Batch(op, tuple(lanes), data, limit, parts)  # type: ignore[arg-type]  # as above


_READERS: dict[str, Callable[[Mapping[str, Json]], LinkRequest | Fault]] = {
    "open": _read_open,
    "close": _read_close,
    "batch": _read_batch,
    "cancel": _read_cancel,
    "ack": lambda message: Acknowledge(),
    "snapshot": lambda message: GetSnapshot(),
    "restore": _read_restore,
    "fork": _read_fork,
}


def _no_count(field: str) -> Fault:
    return invalid("int_type", (field,), f"Input should be an integer from 0 to {MAX_COUNT}")


def _refused_lanes(lanes: Json) -> Fault | None:
    if not are_lanes(lanes):
        return invalid("list_type", ("lanes",), f"Input should be a list of integers from 0 to {MAX_LANE}, each once")
    return None
