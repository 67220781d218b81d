"""Tools and conversations in the vocabularies of models."""

from types import SimpleNamespace
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.llm.schemas import anthropic_messages, anthropic_tools, clean_schema, openai_tools, read_arguments

EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
COUNT = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n", "text"]}


@pytest.mark.parametrize(
    ("schema", "cleaned"),
    [
        (TEXT, TEXT),
        ({}, {"type": "object", "properties": {}}),
        ({"properties": TEXT["properties"]}, {"type": "object", "properties": TEXT["properties"]}),
        ({"type": "string"}, {"type": "string"}),
        (None, EMPTY),
        ([], EMPTY),
        ({"oneOf": [{"type": "string"}, TEXT, COUNT]}, TEXT),
        ({"anyOf": [{"type": "null"}, TEXT]}, TEXT),
        ({"oneOf": [{"type": "string"}, True]}, EMPTY),
        ({"anyOf": []}, EMPTY),
        (
            {"allOf": [TEXT, True, COUNT], "$defs": {"a": {}}, "properties": {"own": {}}},
            {
                "type": "object",
                "properties": {"own": {}, "text": {"type": "string"}, "n": {"type": "integer"}},
                "required": ["text", "n"],
                "$defs": {"a": {}},
            },
        ),
    ],
)
def test_a_schema_becomes_one_of_an_object(schema: Any, cleaned: dict[str, Any]) -> None:
    before = repr(schema)
    assert clean_schema(schema) == cleaned
    assert repr(schema) == before


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "say", "description": "Says.", "inputSchema": TEXT},
        {"name": "say", "description": "Says.", "input_schema": TEXT},
        SimpleNamespace(name="say", description="Says.", input_schema=TEXT),
        SimpleNamespace(name="say", description="Says.", inputSchema=TEXT),
    ],
)
def test_tools_of_mcp_are_those_of_the_models(tool: Any) -> None:
    (openai,) = openai_tools([tool])
    assert openai == {"type": "function", "function": {"name": "say", "description": "Says.", "parameters": TEXT}}
    assert anthropic_tools([tool]) == [{"name": "say", "description": "Says.", "input_schema": TEXT}]


def test_a_tool_may_say_little_but_its_name() -> None:
    assert anthropic_tools([{"name": "go", "description": None}]) == [
        {"name": "go", "description": "", "input_schema": EMPTY}
    ]
    for tool in ({}, {"name": ""}, {"name": 5}, None):
        with pytest.raises(ConfigurationError, match="is no tool of MCP: it has no name"):
            openai_tools([tool])


def call(call_id: str, arguments: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "say", "arguments": arguments}}


def test_a_conversation_keeps_its_turns() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {
            "role": "assistant",
            "content": "I call.",
            "tool_calls": [call("1", '{"text": "a"}'), call("2", {"text": "b"})],
        },
        {"role": "tool", "tool_call_id": "1", "content": "A"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "B"}]},
        {"role": "developer", "content": [{"type": "text", "text": "And kind."}]},
        {"role": "assistant", "content": None, "tool_calls": [call("3", "")]},
        {"role": "tool", "tool_call_id": "3", "content": None},
        {"role": "assistant", "content": "Done."},
    ]
    before = repr(messages)
    system, turns = anthropic_messages(messages)
    assert system == "Be brief.\n\nAnd kind."
    used = [
        {"type": "tool_use", "id": n, "name": "say", "input": {"text": text}} for n, text in (("1", "a"), ("2", "b"))
    ]
    results = [{"type": "tool_result", "tool_use_id": n, "content": text} for n, text in (("1", "A"), ("2", "B"))]
    assert turns == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "I call."}, *used]},
        {"role": "user", "content": results},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "3", "name": "say", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "3", "content": ""}]},
        {"role": "assistant", "content": "Done."},
    ]
    assert repr(messages) == before


def test_what_is_no_conversation_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has the role 'function'; it is system, user, assistant or tool"):
        anthropic_messages([{"role": "function", "content": ""}])
    with pytest.raises(ConfigurationError, match="calls 'say' with arguments that are no JSON object"):
        anthropic_messages([{"role": "assistant", "content": "", "tool_calls": [call("1", "{")]}])


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (None, {}),
        ("[1]", None),
        ("{", None),
        ("[" * 100_000, None),
        (5, None),
    ],
)
def test_arguments_are_an_object_or_nothing(given: Any, read: dict[str, Any] | None) -> None:
    assert read_arguments(given) == read
