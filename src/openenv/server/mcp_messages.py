"""JSON-RPC 2.0 as `/mcp` speaks it: what a request says, what an answer looks like, and how MCP spells results.

OpenEnv's own clients send bare JSON-RPC and read results as FastMCP dumps them, in snake case and with nulls. Clients
of MCP want its spelling. An environment answers in either; `respelled` makes the latter of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openenv.env.mcp.types import JsonRpcErrorCode
from openenv.protocol import Json
from openenv.protocol.dialect1 import dump_json, load_json, shown

__all__ = [
    "BATCHED_IN",
    "CLOSE",
    "CREATE",
    "UNSUPPORTED_VERSION",
    "VERSIONS",
    "Call",
    "Refusal",
    "agreed_version",
    "read_call",
    "respelled",
    "result_of",
    "session_asked_for",
    "tool_result",
    "unsupported_version",
]

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The versions of MCP that have sessions, newest first."""
BATCHED_IN = "2025-03-26"
"""The version of MCP that has batches over HTTP; whoever names none is taken to speak it, as MCP says."""
UNSUPPORTED_VERSION = -32022
"""MCP's code for a version that is not spoken here."""

CREATE, CLOSE = "openenv/session/create", "openenv/session/close"
"""What OpenEnv's clients ask of a server rather than of an environment."""

_NEED_NONE = frozenset({"initialize", "ping", CREATE})
_FIELDS = frozenset({"jsonrpc", "method", "params", "id"})
_SPELLINGS = {
    "structured_content": "structuredContent",
    "is_error": "isError",
    "meta": "_meta",
    "input_schema": "inputSchema",
    "output_schema": "outputSchema",
    "mime_type": "mimeType",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A request, or a notification, which has no id."""

    payload: dict[str, Json]

    @property
    def method(self) -> str:
        """What is asked for."""
        method: str = self.payload["method"]
        return method

    @property
    def params(self) -> dict[str, Json]:
        """Its arguments."""
        params: dict[str, Json] = self.payload.get("params", {})
        return params

    @property
    def id(self) -> str | int | None:
        """Its id; None for a notification, and for a bare request whose id is null."""
        return self.payload.get("id")

    @property
    def has_id(self) -> bool:
        """Whether it wants an answer, as MCP counts."""
        return self.id is not None

    def without(self, param: str) -> "Call":
        """Give the same call without one of its arguments."""
        if param not in self.params:
            return self
        return Call({**self.payload, "params": {k: v for k, v in self.params.items() if k != param}})

    def succeed(self, result: Json) -> dict[str, Json]:
        """Answer it."""
        return {"jsonrpc": "2.0", "id": self.id, "result": result}

    def refuse(self, code: int, message: str, data: Json = None) -> "Refusal":
        """Answer it with "no"."""
        return Refusal(code, message, data, self.id)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error. `data` is always written, also as null, as OpenEnv's clients know it."""

    code: int
    message: str
    data: Json = None
    id: str | int | None = None

    def reply(self) -> dict[str, Json]:
        """Lay it out as a message."""
        error = {"code": int(self.code), "message": self.message, "data": self.data}
        return {"jsonrpc": "2.0", "id": self.id, "error": error}


def read_call(message: Json) -> Call | Refusal:
    """Read a message that asks for something; what is wrong with it becomes the refusal."""
    wrong = _wrong_with(message)
    return Call(message) if wrong is None else Refusal(JsonRpcErrorCode.INVALID_REQUEST, f"Invalid request: {wrong}")


def _wrong_with(message: Json) -> str | None:
    if not isinstance(message, dict):
        return "it is no object"
    if message.get("jsonrpc") != "2.0":
        return "jsonrpc must be '2.0'"
    if not isinstance(message.get("method"), str):
        return "method must be a string"
    if not isinstance(message.get("params", {}), dict):
        return "params must be an object"
    call_id = message.get("id")
    if call_id is not None and (isinstance(call_id, bool) or not isinstance(call_id, str | int)):
        return "id must be a string or an integer"
    unknown = message.keys() - _FIELDS
    return f"there is no field {min(unknown)!r}" if unknown else None


def agreed_version(asked: Json) -> str:
    """Agree on a version of MCP: the client's, if it is spoken here, else our newest, which it may turn down."""
    return asked if isinstance(asked, str) and asked in VERSIONS else VERSIONS[0]


def unsupported_version(asked: str) -> Refusal:
    """Refuse a request that names a version which is not spoken here, and say which are."""
    sentence = f"This server does not speak version {shown(asked)} of MCP; initialize with one that it does."
    return Refusal(UNSUPPORTED_VERSION, sentence, {"supported": list(VERSIONS), "requested": asked})


def session_asked_for(body: bytes, named: str | None) -> str | None:
    """Tell which session a bare request is for; None for that of its caller's address.

    `named` is what a header says. A request that needs no session, as it opens one or is no call, is for `new`.
    """
    try:
        call = read_call(load_json(body))
    except ValueError:
        return "new"
    if isinstance(call, Refusal) or (named is None and call.method in _NEED_NONE):
        return "new"
    given = call.params.get("session_id", named)
    return given if isinstance(given, str | None) else "new"


def respelled(method: str, reply: Mapping[str, Json], call_id: str | int | None) -> dict[str, Json]:
    """Give an environment's answer the form that MCP's clients expect.

    A tool that failed is a result that says so, for the model to read, rather than an error of the protocol.
    """
    answer = {"jsonrpc": "2.0", "id": call_id}
    error = reply.get("error")
    if isinstance(error, Mapping):
        if method == "tools/call" and error.get("code") == JsonRpcErrorCode.INTERNAL_ERROR:
            return {**answer, "result": _tool_result(result_of(str(error.get("message")), is_error=True))}
        return {**answer, "error": _without_nulls(error)}
    result = reply.get("result")
    if method == "tools/call":
        return {**answer, "result": _tool_result(result)}
    if method == "tools/list" and isinstance(result, Mapping) and isinstance(result.get("tools"), list):
        return {**answer, "result": _without_nulls({**result, "tools": [_spelled(tool) for tool in result["tools"]]})}
    return {**answer, "result": result if isinstance(result, Mapping) else {}}


def _tool_result(result: Json) -> dict[str, Json]:
    """Make a result of MCP of what a tool returned, be it one already or any value."""
    if not isinstance(result, Mapping) or not isinstance(result.get("content"), list):
        told = {"structuredContent": result} if isinstance(result, Mapping) else {}
        return {"content": [{"type": "text", "text": _text(result)}], **told, "isError": False}
    spelled = _spelled(result)
    spelled.pop("data", None)  # FastMCP's own, made of the rest
    if not isinstance(spelled.get("structuredContent"), Mapping):
        spelled.pop("structuredContent", None)
    content = [_block(item) for item in result["content"]]
    return {**spelled, "content": content, "isError": bool(spelled.get("isError", False))}


def tool_result(value: Json) -> dict[str, Json]:
    """Make a result as FastMCP dumps it of any value."""
    return result_of(_text(value), value if isinstance(value, Mapping) else {"result": value}, value)


def result_of(text: str, told: Json = None, data: Json = None, *, is_error: bool = False) -> dict[str, Json]:
    """Make a result as FastMCP dumps it: `text` for the model to read, `told` for programs, `data` for clients."""
    block = {"type": "text", "text": text, "annotations": None, "meta": None}
    return {"content": [block], "structured_content": told, "meta": None, "data": data, "is_error": is_error}


def _block(item: Json) -> Any:
    block = _spelled(item)
    if isinstance(block, dict) and "resource" in block:
        block["resource"] = _spelled(block["resource"])
    return block


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dump_json(value).decode()


def _spelled(value: Json) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {_SPELLINGS.get(key, key): item for key, item in value.items() if item is not None}


def _without_nulls(value: Mapping[str, Json]) -> dict[str, Json]:
    return {key: item for key, item in value.items() if item is not None}
