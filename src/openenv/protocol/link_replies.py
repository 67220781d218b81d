"""Dialect 2, from server to client: replies as frames.

On a single lane the messages are those of dialect 1, with `id` and `lane` beside `type`. A batch has columns, so that
each of its lanes costs a place in a list and no message of its own.
"""

from collections.abc import Callable, Mapping, Sequence

import orjson

from openenv.errors import PeerError
from openenv.protocol.dialect1 import dump_json, excerpt, reply_from_json, reply_to_json, shown
from openenv.protocol.faults import rule_of
from openenv.protocol.frames import pack_reply, unpack
from openenv.protocol.link_fields import OPS, are_lanes, is_column, is_count, snapshot_from_text, snapshot_to_text
from openenv.protocol.link_messages import BatchReply, Closed, Forked, LinkReply, Opened, Restored, SnapshotIs
from openenv.protocol.messages import Fault, Json, Reply

__all__ = ["decode_reply", "encode_reply"]


def encode_reply(
    reply: LinkReply, call_id: int | None, lane: int | None, *, binary: bool, buffers: Sequence[bytes] = ()
) -> bytes:
    """Make a server's frame; `buffers` are as in `pack_reply`. Raises LocalError when no frame can carry it."""
    message: dict[str, Json] = {"id": call_id}
    if lane is not None:
        message["lane"] = lane
    match reply:
        case BatchReply():
            message.update(type="batch", op=reply.op, lanes=reply.lanes, data=_columns(reply))
        case Opened():
            message.update(type="opened", lanes=reply.lanes)
        case Closed():
            message.update(type="closed", lanes=reply.lanes)
        case Forked():
            message.update(type="forked", lanes=reply.lanes)
        case SnapshotIs():
            message.update(type="snapshot", data={"snapshot": snapshot_to_text(reply.snapshot)})
        case Restored():
            message["type"] = "restored"
        case Fault():
            message.update(type="error", data=_fault_to_json(reply))
        case _:
            message.update(reply_to_json(reply))
    if isinstance(reply, BatchReply | Opened | Forked) and reply.errors:
        message["errors"] = {str(lane): _fault_to_json(fault) for lane, fault in reply.errors.items()}
    if isinstance(reply, BatchReply) and reply.more:
        message["more"] = True
    return pack_reply(message, binary=binary, buffers=buffers)


def _columns(reply: BatchReply) -> dict[str, Json]:
    if reply.op == "state":
        return {"state": _column(reply.state)}
    columns: dict[str, Json] = {
        "observation": _column(reply.observation),
        "reward": reply.reward,
        "done": reply.done,
    }
    if reply.truncated is not None:
        columns["truncated"] = reply.truncated
    if reply.metadata is not None:
        columns["metadata"] = _column(reply.metadata)
    return columns


def _column(values: Sequence[Json]) -> Json:
    """Make one value of many that are JSON text, as bytes, already; None is null."""
    if hasattr(values, "dtype"):
        return values
    if not set(map(type, values)) <= {bytes, type(None)}:
        return [orjson.Fragment(value) if type(value) is bytes else value for value in values]
    return orjson.Fragment(b"[%b]" % b",".join([b"null" if value is None else value for value in values]))


def _fault_to_json(fault: Fault) -> Json:
    said = {"code": fault.code, "message": fault.message, "retryable": rule_of(fault.code).retryable, **fault.details}
    return orjson.Fragment(dump_json(said, otherwise=repr))


def decode_reply(frame: str | bytes, *, arrays: bool) -> tuple[int | None, int | None, LinkReply]:
    """Read a server's frame: the call's id, the lane if it names one, and the reply.

    Raises:
        PeerError: It is no reply of this dialect.
    """
    message = _object(frame, arrays=arrays)
    call_id, lane = message.get("id"), message.get("lane")
    if not (call_id is None or is_count(call_id)) or not (lane is None or is_count(lane)):
        raise PeerError(f"the server sent an id or a lane that is none: {excerpt(frame)}")
    read = _REPLIES.get(shown(message.get("type")))
    if read is None:
        return call_id, lane, _settled(reply_from_json(message, frame))
    if read in _WITH_LANES and not are_lanes(message.get("lanes")):
        raise PeerError(f"the server sent a frame without its lanes: {excerpt(frame)}")
    try:
        return call_id, lane, read(message)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # a field is missing, or of another kind
        raise PeerError(f"the server sent a frame that makes no sense: {excerpt(frame)}") from error


def _object(frame: str | bytes, *, arrays: bool) -> dict[str, Json]:
    try:
        message = unpack(frame, arrays=arrays)
    except ValueError as error:
        raise PeerError(f"the server sent something that is no frame ({error}): {excerpt(frame)}") from error
    if type(message) is not dict:
        raise PeerError(f"the server sent a frame that is no object: {excerpt(frame)}")
    return message


def _settled(reply: Reply) -> Reply:
    """Leave out of a fault what its code says anyway."""
    if isinstance(reply, Fault) and reply.details.get("retryable") is rule_of(reply.code).retryable:
        details = {key: value for key, value in reply.details.items() if key != "retryable"}
        return Fault(reply.code, reply.message, details)
    return reply


def _read_errors(message: Mapping[str, Json], lanes: tuple[int, ...]) -> dict[int, Fault]:
    known = set(lanes)
    errors: dict[int, Fault] = {}
    for lane, said in message.get("errors", {}).items():
        fault = _settled(reply_from_json({"type": "error", "data": said}, ""))
        if int(lane) not in known or not isinstance(fault, Fault):
            raise ValueError("an error names a lane that was not asked")
        errors[int(lane)] = fault
    return errors


def _read_opened(message: Mapping[str, Json]) -> Opened:
    lanes = tuple(message["lanes"])
    return Opened(lanes, _read_errors(message, lanes))


def _read_forked(message: Mapping[str, Json]) -> Forked:
    lanes = tuple(message["lanes"])
    return Forked(lanes, _read_errors(message, lanes))


def _read_batch_reply(message: Mapping[str, Json]) -> BatchReply:
    op, lanes, data = message["op"], tuple(message["lanes"]), message["data"]
    names = ("state",) if op == "state" else ("observation", "reward", "done", "truncated", "metadata")
    columns = {name: data[name] for name in names if data.get(name) is not None}
    if not all(is_column(column) and len(column) == len(lanes) for column in columns.values()):
        raise ValueError("a column is not as long as the lanes are many")
    if op not in OPS or not columns.keys() >= set(names[:3]):
        raise ValueError("a column is missing")
    return BatchReply(op, lanes, **columns, errors=_read_errors(message, lanes), more=message.get("more") is True)


_REPLIES: dict[Json, Callable[[Mapping[str, Json]], LinkReply]] = {
    "opened": _read_opened,
    "closed": lambda message: Closed(tuple(message["lanes"])),
    "batch": _read_batch_reply,
    "forked": _read_forked,
    "snapshot": lambda message: SnapshotIs(snapshot_from_text(message["data"]["snapshot"])),
    "restored": lambda message: Restored(),
}
_WITH_LANES = frozenset(_REPLIES[kind] for kind in ("opened", "closed", "batch", "forked"))
