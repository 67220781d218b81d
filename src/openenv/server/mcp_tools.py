"""Environments that answer no JSON-RPC of their own, as tools.

One whose actions are `ListToolsAction` and `CallToolAction` has tools, and is stepped with these. Any other is offered
as the tools `reset`, `step` and `state`, as far as the caller may use them.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import orjson
from pydantic import BaseModel, RootModel

from openenv.env import EncodedObservation, EnvironmentSpec
from openenv.env.mcp.types import CallToolAction, JsonRpcErrorCode, ListToolsAction
from openenv.env.signature import LenientJsonSchema, reset_schema
from openenv.errors import BadAction
from openenv.protocol import GetState, Json, JsonRpc, Reset, StateIs, Step
from openenv.protocol.dialect1 import dump_json, load_json, shown
from openenv.server.mcp_messages import CLOSE, CREATE, Call, Refusal, read_call, result_of, tool_result

__all__ = ["Tools"]

_UNSUPPORTED = "Environment does not support MCP"
_NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
_TOOL_ACTIONS = (ListToolsAction, CallToolAction)

Perform = Callable[[Step | Reset | GetState], Awaitable[Any]]
"""Carries a request out, in the turn that the JSON-RPC request has."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one environment.

    Attributes:
        spec: What its class is like.
        action_class: What actions are validated against.
        session_id: The session that it is in.
        perform: Carries out what a tool does.
    """

    spec: EnvironmentSpec
    action_class: type[BaseModel]
    session_id: str
    perform: Perform

    async def answer(self, request: JsonRpc) -> dict[str, Json]:
        """Answer a request. Raises what `perform` raises, but for an action that does not fit: that is a result."""
        if request.payload.get("method") in (CREATE, CLOSE):
            return self._about_session(request.payload)
        if not _has_tool_actions(self.action_class) and request.offered is None:
            call_id = request.payload.get("id")
            known = call_id if isinstance(call_id, str | int) else None  # JSON-RPC has no other ids
            return Refusal(JsonRpcErrorCode.INTERNAL_ERROR, _UNSUPPORTED, id=known).reply()
        call = read_call(request.payload)
        if isinstance(call, Refusal):
            return call.reply()
        match call.method:
            case "tools/list":
                return await self._list(call, request.offered)
            case "tools/call":
                return await self._call(call, request.offered)
            case unknown:
                return call.refuse(JsonRpcErrorCode.METHOD_NOT_FOUND, f"Method not found: {unknown}").reply()

    def _about_session(self, payload: Mapping[str, Json]) -> dict[str, Json]:
        """Answer one that is connected, whose session is open, and closes with the connection."""
        call = read_call(payload)
        if isinstance(call, Refusal):
            return call.reply()
        if call.method == CREATE:
            return call.succeed({"session_id": self.session_id})
        asked = call.params.get("session_id")
        if asked == self.session_id:
            sentence = "Cannot close active WebSocket-managed session via MCP method"
            return call.refuse(JsonRpcErrorCode.INVALID_REQUEST, sentence).reply()
        return call.refuse(JsonRpcErrorCode.INVALID_PARAMS, f"Unknown session_id: {shown(asked)}").reply()

    async def _list(self, call: Call, offered: frozenset[str] | None) -> dict[str, Json]:
        if not _has_tool_actions(self.action_class):
            described = _described(self.spec, self.action_class)
            return call.succeed({"tools": [tool for tool in described if tool["name"] in (offered or ())]})
        observation = load_json((await self.perform(Step({"type": "list_tools"}))).observation)
        tools = observation.get("tools") if isinstance(observation, dict) else None
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            sentence = f"{self.spec.step.source} answered ListToolsAction without a list of tools"
            return call.refuse(JsonRpcErrorCode.INTERNAL_ERROR, sentence).reply()
        return call.succeed({"tools": [_listed(tool) for tool in tools]})

    async def _call(self, call: Call, offered: frozenset[str] | None) -> dict[str, Json]:
        name, arguments = call.params.get("name"), call.params.get("arguments")
        if not isinstance(name, str) or not name:
            return call.refuse(JsonRpcErrorCode.INVALID_PARAMS, "Missing 'name' in params").reply()
        if not isinstance(arguments, dict | None):
            return call.refuse(JsonRpcErrorCode.INVALID_PARAMS, "'arguments' must be an object").reply()
        try:
            if _has_tool_actions(self.action_class):
                action = {"type": "call_tool", "tool_name": name, "arguments": arguments or {}}
                return _outcome(call, await self.perform(Step(action)))
            if name not in (offered or ()):
                return call.refuse(JsonRpcErrorCode.INVALID_PARAMS, f"Unknown tool: {name!r}").reply()
            return call.succeed(_observed(await self.perform(_REQUESTS[name](arguments or {}))))
        except BadAction as error:  # the agent's mistake, for it to read
            return call.succeed(result_of(str(error), is_error=True))


_REQUESTS: dict[str, Callable[[dict[str, Json]], Step | Reset | GetState]] = {
    "reset": Reset,
    "step": Step,
    "state": lambda _: GetState(),
}


@functools.cache
def _has_tool_actions(action_class: type[BaseModel]) -> bool:
    """Tell whether listing and calling tools are actions of this class: it is one of the two, a union, or a base."""
    kinds: tuple[Any, ...] = (action_class,)
    if issubclass(action_class, RootModel):
        kinds = get_args(action_class.model_fields["root"].annotation)
    return any(
        isinstance(kind, type) and (issubclass(kind, tool) or issubclass(tool, kind))
        for kind in kinds
        for tool in _TOOL_ACTIONS
    )


@functools.cache
def _described(spec: EnvironmentSpec, action_class: type[BaseModel]) -> tuple[dict[str, Json], ...]:
    step = action_class.model_json_schema(schema_generator=LenientJsonSchema)
    gives = "gives the observation, the reward, and whether the episode is done"
    return (
        _tool("reset", "Begins an episode, and gives its first observation.", reset_schema(spec)),
        _tool("step", f"Carries out one action, and {gives}.", step),
        _tool("state", "Gives the state of the environment.", _NOTHING),
    )


def _tool(name: str, description: str, schema: Mapping[str, Json]) -> dict[str, Json]:
    return {"name": name, "description": description, "inputSchema": {**schema, "type": "object"}}


def _listed(tool: dict[str, Json]) -> dict[str, Json]:
    """Spell a tool as lists of OpenEnv and MCP do."""
    schema = tool.get("input_schema") or tool.get("inputSchema") or {"type": "object"}
    return {"name": tool.get("name"), "description": tool.get("description") or "", "inputSchema": schema}


def _outcome(call: Call, answer: EncodedObservation) -> dict[str, Json]:
    """Make an answer of what a tool's step observed, be it a `CallToolObservation` or one of the author's own."""
    observation = load_json(answer.observation)
    error = observation.get("error")
    if isinstance(error, dict) and "message" in error:
        return call.refuse(JsonRpcErrorCode.INTERNAL_ERROR, str(error["message"])).reply()
    if "result" not in observation:
        return call.succeed(_observed(answer))
    result = observation["result"]
    is_result = isinstance(result, dict) and isinstance(result.get("content"), list)
    return call.succeed(result if is_result else tool_result(result))


def _observed(answer: EncodedObservation | StateIs) -> dict[str, Json]:
    """Make a result of what a request gave, without taking it apart."""
    if isinstance(answer, StateIs):
        told = answer.state
    else:
        metadata = None if answer.metadata is None else orjson.Fragment(answer.metadata)
        observed = {"observation": orjson.Fragment(answer.observation), "reward": answer.reward, "done": answer.done}
        told = {**observed, "metadata": metadata, **({"truncated": True} if answer.truncated else {})}
    text = dump_json(told)
    return result_of(text.decode(), orjson.Fragment(text), orjson.Fragment(text))
