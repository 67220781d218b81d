"""`openenv.server.mcp_messages`: requests read, answers spelled as MCP spells them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv.protocol.dialect1 import dump_json
from openenv.server.mcp_messages import (
    VERSIONS,
    Call,
    Refusal,
    agreed_version,
    read_call,
    respelled,
    result_of,
    session_asked_for,
    tool_result,
)
from tests.server.smithy import rpc

DUMP = {
    "content": [{"type": "text", "text": "5", "annotations": None, "meta": None}],
    "structured_content": {"result": 5},
    "meta": {"fastmcp": {"wrap_result": True}},
    "data": 5,
    "is_error": False,
}


def result_after(method: str, **reply: Any) -> Any:
    answer = respelled(method, {"jsonrpc": "2.0", "id": "theirs", **reply}, 9)
    assert (answer.pop("jsonrpc"), answer.pop("id")) == ("2.0", 9)
    return answer


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ([], "it is no object"),
        (None, "it is no object"),
        ("tools/list", "it is no object"),
        ({}, "jsonrpc must be '2.0'"),
        ({"jsonrpc": "1.0", "method": "a"}, "jsonrpc must be '2.0'"),
        ({"jsonrpc": "2.0"}, "method must be a string"),
        ({"jsonrpc": "2.0", "method": 7}, "method must be a string"),
        (rpc("a") | {"params": [1]}, "params must be an object"),
        (rpc("a") | {"params": None}, "params must be an object"),
        (rpc("a") | {"id": True}, "id must be a string or an integer"),
        (rpc("a") | {"id": 1.5}, "id must be a string or an integer"),
        (rpc("a") | {"id": {}}, "id must be a string or an integer"),
        (rpc("a") | {"result": 1}, "there is no field 'result'"),
    ],
)
def test_message_that_is_no_request_is_refused_with_what_is_wrong(message: Any, wrong: str) -> None:
    assert read_call(message) == Refusal(-32600, f"Invalid request: {wrong}")


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda j: st.lists(j) | st.dictionaries(st.sampled_from(["jsonrpc", "method", "params", "id", "x"]), j),
    )
)
def test_any_json_is_a_call_or_a_refusal(message: Any) -> None:
    assert isinstance(read_call(message), Call | Refusal)
    session_asked_for(json.dumps(message).encode(), None)


def test_refusal_says_its_data_also_when_there_is_none() -> None:
    told = Refusal(-32601, "Method not found: fly", id=4).reply()
    assert (
        dump_json(told)
        == b'{"jsonrpc":"2.0","id":4,"error":{"code":-32601,"message":"Method not found: fly","data":null}}'
    )


def test_call_can_lose_an_argument_without_changing_the_message_that_it_came_in() -> None:
    message = rpc("tools/call", name="a", session_id="s")
    call = Call(message)
    assert call.without("session_id").payload == rpc("tools/call", name="a")
    assert message["params"]["session_id"] == "s"
    assert call.without("other") is call
    assert Call({"jsonrpc": "2.0", "method": "ping"}).params == {}


@pytest.mark.parametrize("asked", VERSIONS)
def test_version_that_is_spoken_is_agreed_on(asked: str) -> None:
    assert agreed_version(asked) == asked


@pytest.mark.parametrize("asked", ["2026-07-28", "", None, 7, ["2025-11-25"]])
def test_version_that_is_not_spoken_is_answered_with_our_newest(asked: Any) -> None:
    assert agreed_version(asked) == "2025-11-25"


def test_results_are_spelled_as_mcp_does_without_nulls() -> None:
    assert result_after("tools/call", result=DUMP) == {
        "result": {
            "content": [{"type": "text", "text": "5"}],
            "structuredContent": {"result": 5},
            "_meta": {"fastmcp": {"wrap_result": True}},
            "isError": False,
        }
    }


def test_nulls_inside_what_a_tool_says_are_kept() -> None:
    told = {"reward": None, "is_error": 1}
    assert (
        result_after("tools/call", result={**DUMP, "structured_content": told})["result"]["structuredContent"] == told
    )


def test_pictures_and_resources_keep_their_data() -> None:
    picture = {"type": "image", "data": "aGk=", "mime_type": "image/png", "annotations": None}
    resource = {"type": "resource", "resource": {"uri": "a:b", "mime_type": "text/plain", "text": "hi", "meta": None}}
    assert result_after("tools/call", result={"content": [picture, resource, "odd"]})["result"]["content"] == [
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
        {"type": "resource", "resource": {"uri": "a:b", "mimeType": "text/plain", "text": "hi"}},
        "odd",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, {"content": [{"type": "text", "text": "5"}], "isError": False}),
        ("hi", {"content": [{"type": "text", "text": "hi"}], "isError": False}),
        (None, {"content": [{"type": "text", "text": "null"}], "isError": False}),
        ({"a": 1}, {"content": [{"type": "text", "text": '{"a":1}'}], "structuredContent": {"a": 1}, "isError": False}),
    ],
)
def test_bare_value_becomes_a_result(value: Any, expected: Any) -> None:
    assert result_after("tools/call", result=value) == {"result": expected}


def test_structured_content_that_is_no_object_is_left_out() -> None:
    assert "structuredContent" not in result_after("tools/call", result={**DUMP, "structured_content": [1]})["result"]


def test_tool_that_failed_is_a_result_that_says_so() -> None:
    error = {"code": -32603, "message": "no iron", "data": None}
    assert result_after("tools/call", error=error) == {
        "result": {"content": [{"type": "text", "text": "no iron"}], "isError": True}
    }


@pytest.mark.parametrize(("method", "code"), [("tools/call", -32602), ("tools/list", -32603), ("prompts/get", -32601)])
def test_other_errors_stay_errors(method: str, code: int) -> None:
    error = {"code": code, "message": "no", "data": None}
    assert result_after(method, error=error) == {"error": {"code": code, "message": "no"}}


def test_tools_are_listed_without_nulls() -> None:
    listed = [{"name": "a", "title": None, "input_schema": {"type": "object", "default": None}, "meta": None}, "odd"]
    assert result_after("tools/list", result={"tools": listed, "nextCursor": None}) == {
        "result": {"tools": [{"name": "a", "inputSchema": {"type": "object", "default": None}}, "odd"]}
    }


@pytest.mark.parametrize(("result", "expected"), [({"resources": []}, {"resources": []}), (None, {}), (7, {})])
def test_other_results_pass_as_they_are_if_they_are_objects(result: Any, expected: Any) -> None:
    assert result_after("resources/list", result=result) == {"result": expected}
    assert result_after("tools/list", result=result) == {"result": expected}


def test_results_are_made_as_fastmcp_dumps_them() -> None:
    assert tool_result(5) == {**DUMP, "meta": None}
    assert result_of("no", is_error=True) == {
        "content": [{"type": "text", "text": "no", "annotations": None, "meta": None}],
        "structured_content": None,
        "meta": None,
        "data": None,
        "is_error": True,
    }


@pytest.mark.parametrize(
    ("message", "named", "session"),
    [
        (rpc("tools/list"), None, None),
        (rpc("tools/list", session_id="1-a"), None, "1-a"),
        (rpc("tools/list", session_id="1-a"), "0-b", "1-a"),
        (rpc("tools/list"), "0-b", "0-b"),
        (rpc("tools/list", session_id=7), None, "new"),
        (rpc("openenv/session/create"), None, "new"),
        (rpc("openenv/session/close", session_id="1-a"), None, "1-a"),
        (rpc("initialize"), None, "new"),
        (rpc("initialize"), "0-b", "0-b"),
        (rpc("ping"), None, "new"),
        ([1], None, "new"),
    ],
)
def test_session_of_a_bare_request_can_be_told(message: Any, named: str | None, session: str | None) -> None:
    assert session_asked_for(json.dumps(message).encode(), named) == session


def test_body_that_is_no_json_needs_no_session() -> None:
    assert session_asked_for(b"{", None) == session_asked_for(b"\xff", "0-b") == "new"
