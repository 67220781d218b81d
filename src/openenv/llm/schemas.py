"""Tools and conversations, from one vocabulary to another: MCP's, OpenAI's and Anthropic's. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openenv.errors import ConfigurationError

__all__ = ["anthropic_messages", "anthropic_tools", "clean_schema", "openai_tools", "read_arguments"]

_COMBINED = ("allOf", "anyOf", "oneOf")


def openai_tools(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Give MCP tools as OpenAI's chat completions take them.

    Raises:
        ConfigurationError: One has no name.
    """
    return [
        {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
        for name, description, schema in map(_tool, tools)
    ]


def anthropic_tools(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Give MCP tools as Anthropic's messages take them. Raises as `openai_tools`."""
    return [
        {"name": name, "description": description, "input_schema": schema}
        for name, description, schema in map(_tool, tools)
    ]


def clean_schema(schema: Any) -> dict[str, Any]:
    """Make the input schema of a tool one of an object, at its top, which is all that models take.

    Of alternatives the first that is an object is kept; what has to hold together is put together.
    """
    if not isinstance(schema, Mapping):
        return {"type": "object", "properties": {}, "required": []}
    if not any(key in schema for key in _COMBINED):
        kept = {"type": "object", **schema}
        return {"properties": {}, **kept} if kept["type"] == "object" else kept
    parts: list[Mapping[str, Any]] = [{key: value for key, value in schema.items() if key not in _COMBINED}]
    parts += [part for part in schema.get("allOf", ()) if isinstance(part, Mapping)]
    for key in ("oneOf", "anyOf"):
        objects = (part for part in schema.get(key, ()) if isinstance(part, Mapping) and part.get("type") == "object")
        parts += [part for part in (next(objects, None),) if part is not None]
    made: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for part in parts:
        made["properties"].update(part.get("properties", {}))
        made["required"] += [name for name in part.get("required", ()) if name not in made["required"]]
        made |= {key: value for key, value in part.items() if key not in made}
    return made


def anthropic_messages(messages: Sequence[Mapping[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """Give a conversation as Anthropic has it: what is said to the system, and the turns of the two others.

    Raises:
        ConfigurationError: A message has a role that there is not.
    """
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []  # of the tools that the last turn of the model called: they belong into one turn
    for message in messages:
        content = message.get("content") or ""
        match message.get("role"):
            case "system" | "developer":
                system.append(_text(content))
            case "user":
                turns.append({"role": "user", "content": content})
            case "assistant":
                turns.append({"role": "assistant", "content": _said(content, message.get("tool_calls") or ())})
            case "tool":
                if not results:
                    turns.append({"role": "user", "content": results})
                called = message.get("tool_call_id")
                results.append({"type": "tool_result", "tool_use_id": called, "content": _text(content)})
                continue
            case role:
                raise ConfigurationError(f"a message has the role {role!r}; it is system, user, assistant or tool")
        results = []
    return "\n\n".join(filter(None, system)), turns


def read_arguments(given: Any) -> dict[str, Any] | None:
    """Read the arguments of a tool call, which are JSON in a string, or a mapping already; None if they are neither."""
    try:
        read = json.loads(given or "{}") if isinstance(given, str | None) else given
    except (ValueError, RecursionError):
        return None
    return dict(read) if isinstance(read, Mapping) else None


def _said(content: Any, calls: Sequence[Mapping[str, Any]]) -> Any:
    if not calls:
        return content
    blocks: list[dict[str, Any]] = [{"type": "text", "text": _text(content)}] if content else []
    for call in calls:
        function = call["function"]
        arguments = read_arguments(function.get("arguments"))
        if arguments is None:
            raise ConfigurationError(f"a message calls {function['name']!r} with arguments that are no JSON object")
        blocks.append({"type": "tool_use", "id": call["id"], "name": function["name"], "input": arguments})
    return blocks


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _tool(tool: Any) -> tuple[str, str, dict[str, Any]]:
    def told(*names: str) -> Any:
        given = (tool.get(name) if isinstance(tool, Mapping) else getattr(tool, name, None) for name in names)
        return next((value for value in given if value is not None), None)

    name = told("name")
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{tool!r} is no tool of MCP: it has no name")
    return name, told("description") or "", clean_schema(told("inputSchema", "input_schema"))
