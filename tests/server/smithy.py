"""An environment that answers JSON-RPC itself, and talk to `/mcp` by hand."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx
from fastapi import FastAPI
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from openenv.server import ServerConfig, create_app
from tests.server.peers import Peer
from tests.server.stage import Stage, Staged
from tests.support.echo import EchoAction, EchoObservation

__all__ = [
    "BOTH",
    "INITIALIZE",
    "TOOLS",
    "VERSION",
    "InlineSmith",
    "Smith",
    "call",
    "joining",
    "post",
    "rpc",
    "smithy",
    "tool",
]

VERSION = "2025-11-25"
BOTH = {"Accept": "application/json, text/event-stream"}
CLIENT = {"name": "by hand", "version": "1"}
INITIALIZE: dict[str, Any] = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": CLIENT}
TOOLS = [{"name": name, "description": f"{name}s.", "inputSchema": {"type": "object"}} for name in ("forge", "hold")]


class Smith(Staged):
    """Says what it forged, and for how many times; `hold` waits for its stage, `raise` raises."""

    def handle_json_rpc(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        answer = {"jsonrpc": "2.0", "id": request.get("id")}
        params = request.get("params", {})
        match request["method"], params.get("name"):
            case "tools/list", _:
                return {**answer, "result": {"tools": [{**each, "title": None} for each in TOOLS]}}
            case "tools/call", "forge" | "hold":
                self.stage.enter(params["name"])
                self._state.step_count += 1
                told = {"count": self._state.step_count, "params": sorted(params), **params.get("arguments", {})}
                block = {"type": "text", "text": json.dumps(told), "annotations": None, "meta": None}
                dump = {"content": [block], "structured_content": told, "meta": None, "data": told, "is_error": False}
                return {**answer, "result": dump}
            case "tools/call", "raise":
                raise KeyError("cold iron")
            case "tools/call", "nan":
                return {**answer, "result": {"heat": float("nan")}}
            case "tools/call", "silent":
                return None
            case "resources/list", _:
                return {**answer, "result": {"resources": []}}
            case method, _:
                return {**answer, "error": {"code": -32601, "message": f"Method not found: {method}", "data": None}}


class InlineSmith(Smith):
    """The same, run on the event loop."""

    BLOCKING = False


def smithy(stage: Stage | None = None, *, smith: type[Smith] = Smith, **settings: Any) -> FastAPI:
    """Make the app that serves smiths."""
    scene = stage or Stage()
    config = ServerConfig(**{"queue_s": 0, **settings})
    return create_app(partial(smith, scene), EchoAction, EchoObservation, config=config, env_name="smithy")


def rpc(method: str, call_id: int | str | None = 1, **params: Any) -> dict[str, Any]:
    """Make a request; without an id, a notification."""
    return {"jsonrpc": "2.0", "method": method, "params": params} | ({} if call_id is None else {"id": call_id})


def tool(
    name: str, call_id: int | str | None = 1, *, session_id: str | None = None, **arguments: Any
) -> dict[str, Any]:
    """Make a request that calls a tool."""
    named = {} if session_id is None else {"session_id": session_id}
    return rpc("tools/call", call_id, name=name, arguments=arguments, **named)


def post(client: httpx.Client, message: Any, **headers: str) -> httpx.Response:
    """Send a message, or a raw body."""
    content = message if isinstance(message, bytes) else json.dumps(message).encode()
    given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.post("/mcp", content=content, headers=given)


def call(client: httpx.Client, message: Any, **headers: str) -> Any:
    """Send a message, and give the answer's JSON."""
    answer = post(client, message, **headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def joining(url: str, session_id: str) -> Peer:
    """Connect to `/ws` for a session that there is already; use it in `with`."""
    address = f"{url.replace('http', 'ws', 1)}/ws?session_id={session_id}"
    return connect(
        address, proxy=None, compression=None, subprotocols=[Subprotocol(n) for n in ("openenv.v2", "openenv.v1")]
    )
