"""`openenv.server.mcp`: bare JSON-RPC frame by frame, MCP over Streamable HTTP, and what confused peers send."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from openenv.env.mcp.types import CallToolAction, CallToolObservation, ListToolsAction, ListToolsObservation, Tool
from openenv.server import create_app
from tests.server.peers import ask, http, reply, step, ws
from tests.server.peers import closing as closed_with
from tests.server.smithy import BOTH, INITIALIZE, TOOLS, VERSION, InlineSmith, call, joining, post, rpc, smithy, tool
from tests.server.stage import Stage, app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import serving

SESSION = "Mcp-Session-Id"
FOREIGN = {"Origin": "http://evil.example"}


@pytest.fixture(scope="module")
def smith() -> Iterator[str]:
    """The URL of smiths that the tests of this file share."""
    with serving(smithy(smith=InlineSmith, max_sessions=512), log_config=None) as url:
        yield url


@pytest.fixture
def client(smith: str) -> Iterator[httpx.Client]:
    """A client whose address has a session that nothing has been asked of."""
    with http(smith) as client:
        client.delete("/session")
        call(client, rpc("tools/list"))
        yield client


def create(client: httpx.Client, **headers: str) -> str:
    session_id: str = call(client, rpc("openenv/session/create"), **headers)["result"]["session_id"]
    return session_id


def close(client: httpx.Client, session_id: Any, **headers: str) -> Any:
    return call(client, rpc("openenv/session/close", session_id=session_id), **headers)


def initialize(client: httpx.Client, **headers: str) -> dict[str, str]:
    """Open a session as a client of MCP does, and give the headers of its further requests."""
    answer = post(client, rpc("initialize", **INITIALIZE), **BOTH, **headers)
    assert answer.status_code == 200, answer.text
    named = {**BOTH, SESSION: answer.headers[SESSION], "MCP-Protocol-Version": VERSION}
    assert post(client, rpc("notifications/initialized", None), **headers, **named).status_code == 202
    return named


def forged(answer: Any) -> dict[str, Any]:
    """What a smith says it made, to a bare caller or to a client of MCP."""
    told: dict[str, Any] = json.loads(answer["result"]["content"][0]["text"])
    return told


def error(code: int, message: str, call_id: Any = 1, data: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "error": {"code": code, "message": message, "data": data}}


# ---- bare calls, as OpenEnv's clients make them


def test_bare_list_is_passed_on_as_the_environment_said_it(client: httpx.Client) -> None:
    answer = post(client, rpc("tools/list"))
    listed = {"tools": [{**each, "title": None} for each in TOOLS]}
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.content == json.dumps({"jsonrpc": "2.0", "id": 1, "result": listed}, separators=(",", ":")).encode()


def test_bare_call_is_passed_on_as_the_environment_said_it(client: httpx.Client) -> None:
    told = {"count": 1, "params": ["arguments", "name"], "of": "iron"}
    assert call(client, tool("forge", "a7", of="iron")) == {
        "jsonrpc": "2.0",
        "id": "a7",
        "result": {
            "content": [{"type": "text", "text": json.dumps(told), "annotations": None, "meta": None}],
            "structured_content": told,
            "meta": None,
            "data": told,
            "is_error": False,
        },
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"{", error(-32700, "Parse error", None)),
        (b"", error(-32700, "Parse error", None)),
        (b"\xff\xfe", error(-32700, "Parse error", None)),
        (b"[" * 100_000, error(-32700, "Parse error", None)),
        ([rpc("tools/list")], error(-32700, "Parse error", None)),
        ([], error(-32700, "Parse error", None)),
        ({}, error(-32600, "Invalid request: jsonrpc must be '2.0'", None)),
        (None, error(-32600, "Invalid request: it is no object", None)),
        (rpc("tools/list") | {"params": []}, error(-32600, "Invalid request: params must be an object", None)),
        (rpc("fly"), error(-32601, "Method not found: fly")),
        (rpc("tools/call"), error(-32601, "Method not found: tools/call")),  # this environment's own words
        (rpc("tools/list", session_id="gone"), error(-32602, "Unknown session_id: gone")),
        (rpc("tools/list", session_id=["a"]), error(-32602, "Unknown session_id: list")),
        (rpc("openenv/session/close"), error(-32602, "Invalid params - 'session_id' is required")),
        (rpc("openenv/session/close", session_id=3), error(-32602, "Invalid params - 'session_id' is required")),
        (rpc("openenv/session/close", session_id="gone"), error(-32602, "Unknown session_id: gone")),
        (tool("raise"), error(-32603, "KeyError: 'cold iron'")),
        (
            tool("nan"),
            error(-32603, "InlineSmith.handle_json_rpc: field 'result.heat' is nan, which JSON cannot carry"),
        ),
        (tool("silent"), error(-32603, "InlineSmith.handle_json_rpc gave no answer")),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bare_refusals_have_the_codes_that_openenvs_clients_know(
    client: httpx.Client, message: Any, expected: Any
) -> None:
    assert call(client, message) == expected


def test_session_is_created_used_and_closed(client: httpx.Client) -> None:
    one, other = create(client), create(client)
    assert [forged(call(client, tool("forge", session_id=one)))["count"] for _ in range(2)] == [1, 2]
    assert forged(call(client, tool("forge", session_id=other))) == {"count": 1, "params": ["arguments", "name"]}
    assert close(client, one) == {"jsonrpc": "2.0", "id": 1, "result": {"session_id": one, "closed": True}}
    gone = call(client, tool("forge", session_id=one))["error"]
    assert (gone["code"], gone["message"].startswith(f"Unknown session_id: {one} (")) == (-32602, True)
    assert close(client, one)["error"]["code"] == -32602
    assert close(client, other)["result"]["closed"] is True


def test_bare_call_without_a_session_has_that_of_its_callers_address(client: httpx.Client) -> None:
    answers = [post(client, tool("forge")), post(client, tool("forge"))]
    assert [forged(answer.json())["count"] for answer in answers] == [1, 2]
    named = {"X-Session-Id": answers[0].headers["X-Session-Id"]}
    assert client.get("/state", headers=named).json()["step_count"] == 2
    assert forged(call(client, tool("forge"), **named))["count"] == 3


def test_anonymous_session_that_has_ended_is_missed_once(client: httpx.Client) -> None:
    client.delete("/session")
    missed = call(client, tool("forge"))["error"]
    assert (missed["code"], "it was deleted" in missed["message"]) == (-32602, True)
    assert forged(call(client, tool("forge")))["count"] == 1


def test_bare_notification_of_an_own_method_is_answered_as_openenv_does(client: httpx.Client) -> None:
    assert call(client, rpc("tools/list", None))["id"] is None
    assert post(client, rpc("notifications/cancelled", None, requestId=1)).status_code == 202
    assert post(client, tool("silent", None)).status_code == 202
    assert call(client, rpc("ping")) == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_call_can_have_a_new_session_by_header(client: httpx.Client) -> None:
    answer = post(client, tool("forge"), X_Session_Id="new")
    assert close(client, answer.headers["X-Session-Id"])["result"]["closed"] is True


def test_capacity_and_a_broken_factory_are_server_errors_with_their_data() -> None:
    with serving(smithy(max_sessions=1), log_config=None) as url, http(url) as client:
        session_id = create(client)
        sentence = "Server at capacity: 1/1 sessions active. Cannot accept new connections."
        full = error(-32000, sentence, data={"active_sessions": 1, "max_sessions": 1})
        assert call(client, rpc("openenv/session/create")) == full
        assert call(client, tool("forge")) == full
        assert call(client, rpc("initialize", **INITIALIZE)) == full
        close(client, session_id)
        assert create(client)

    def broken() -> EchoEnvironment:
        raise OSError("no anvil")

    with serving(app_of(broken), log_config=None) as url, http(url) as client:
        message = "Environment factory 'EchoEnvironment' failed to create instance."
        expected = error(-32000, message, data={"factory_name": "EchoEnvironment"})
        assert call(client, rpc("openenv/session/create")) == expected


def test_idle_session_expires_and_says_so() -> None:
    with serving(smithy(max_sessions=1, idle_s=0.2, queue_s=10), log_config=None) as url, http(url) as client:
        first = create(client)
        named = initialize(client)  # waits until the first has expired
        gone = call(client, tool("forge", session_id=first))["error"]
        assert (gone["code"], "it was idle for 0.2 s" in gone["message"]) == (-32602, True)
        close(client, create(client))
        answer = post(client, tool("forge"), **named)
        assert (answer.status_code, "it was idle for 0.2 s" in answer.json()["error"]["message"]) == (404, True)
        assert SESSION not in answer.headers


# ---- the same session over a WebSocket


def test_socket_joins_a_session_and_leaves_it_as_it_is(client: httpx.Client, smith: str) -> None:
    session_id = create(client)
    call(client, tool("forge", session_id=session_id))
    with joining(smith, session_id) as peer:
        assert ask(peer, {"type": "state"})["data"]["step_count"] == 1
        assert ask(peer, step("Hi"))["type"] == "observation"
        assert forged(call(client, tool("forge", session_id=session_id)))["count"] == 3
        own = ask(peer, {"type": "mcp", "data": rpc("openenv/session/create")})["data"]["result"]
        assert own == {"session_id": session_id}
        with ws(smith, additional_headers={"X-Session-Id": session_id}) as second:
            assert reply(second)["data"]["code"] == "SESSION_ERROR"
            assert closed_with(second) == 1000
        attached = error(-32600, "Cannot close active WebSocket-managed session via MCP method")
        assert close(client, session_id) == attached
        peer.send('{"type":"close"}')
        assert closed_with(peer) == 1000
    assert forged(call(client, tool("forge", session_id=session_id)))["count"] == 4
    assert close(client, session_id)["result"]["closed"] is True


def test_socket_that_joins_an_unknown_session_is_told_so(smith: str) -> None:
    with joining(smith, "gone") as peer:
        refused = reply(peer)["data"]
        assert (refused["code"], "'gone'" in refused["message"]) == ("SESSION_ERROR", True)
        assert closed_with(peer) == 1000


def test_socket_that_breaks_during_a_call_leaves_the_session_it_joined(stage: Stage) -> None:
    with serving(smithy(stage), log_config=None) as url, http(url) as client:
        session_id = create(client)
        stage.held.add("hold")
        with joining(url, session_id) as peer:
            peer.send(json.dumps({"type": "mcp", "data": tool("hold")}))
            stage.expect("hold")
        with ThreadPoolExecutor(1) as executor:
            later = executor.submit(call, client, tool("forge", session_id=session_id))
            stage.release()
            assert forged(later.result(10))["count"] == 2
        with joining(url, session_id) as peer:
            assert ask(peer, {"type": "state"})["data"]["step_count"] == 2


# ---- MCP over Streamable HTTP


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [(VERSION, VERSION), ("2025-06-18", "2025-06-18"), ("2024-11-05", "2024-11-05"), ("9", VERSION)],
)
def test_initialize_opens_a_session_and_says_who_is_there(client: httpx.Client, asked: str, agreed: str) -> None:
    answer = post(client, rpc("initialize", 0, **{**INITIALIZE, "protocolVersion": asked}), **BOTH)
    said = answer.json()
    assert (said["jsonrpc"], said["id"]) == ("2.0", 0)
    assert said["result"] == {
        "protocolVersion": agreed,
        "capabilities": {"tools": {"listChanged": False}},
        "serverInfo": {"name": "smithy", "version": "1.0.0"},
    } | {key: said["result"][key] for key in ("instructions",) if key in said["result"]}
    named = {SESSION: answer.headers[SESSION]}
    assert "X-Session-Id" not in answer.headers
    assert client.delete("/mcp", headers=named).status_code == 204


def test_client_of_mcp_gets_results_in_its_spelling(client: httpx.Client) -> None:
    named = initialize(client)
    assert call(client, rpc("tools/list", "l"), **named) == {"jsonrpc": "2.0", "id": "l", "result": {"tools": TOOLS}}
    called = post(client, tool("forge", 7), **named)
    told = {"count": 1, "params": ["arguments", "name"]}
    content = [{"type": "text", "text": json.dumps(told)}]
    result = {"content": content, "structuredContent": told, "isError": False}
    assert called.json() == {"jsonrpc": "2.0", "id": 7, "result": result}
    assert called.headers[SESSION] == named[SESSION]
    assert call(client, rpc("ping", 8), **named) == {"jsonrpc": "2.0", "id": 8, "result": {}}
    assert call(client, rpc("resources/list"), **named)["result"] == {"resources": []}
    assert call(client, tool("raise"), **named)["result"]["isError"] is True
    assert call(client, rpc("fly"), **named)["error"] == {"code": -32601, "message": "Method not found: fly"}


@pytest.mark.parametrize(
    "message",
    [
        rpc("notifications/initialized", None),
        rpc("notifications/cancelled", None, requestId=3, reason="late"),
        rpc("notifications/progress", None, progressToken=1, progress=2),
        {"jsonrpc": "2.0", "id": 4, "result": {}},
        {"jsonrpc": "2.0", "id": 4, "error": {"code": 1, "message": "no"}},
        tool("forge", None),
    ],
)
def test_what_wants_no_answer_is_accepted(client: httpx.Client, message: Any) -> None:
    answer = post(client, message, **initialize(client))
    assert (answer.status_code, answer.content) == (202, b"")


def test_caller_that_takes_events_only_gets_one(client: httpx.Client) -> None:
    named = {**initialize(client), "Accept": "text/event-stream"}
    answer = post(client, rpc("ping", 3), **named)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == 'event: message\ndata: {"jsonrpc":"2.0","id":3,"result":{}}\n\n'


def test_there_is_no_stream_to_get(client: httpx.Client) -> None:
    answer = client.get("/mcp", headers={**initialize(client), "Accept": "text/event-stream"})
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"DELETE", "POST"})


def test_deleted_session_is_unknown_from_then_on(client: httpx.Client) -> None:
    named = initialize(client)
    assert client.delete("/mcp", headers=named).status_code == 204
    for answer in (post(client, rpc("tools/list"), **named), client.delete("/mcp", headers=named)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32600)
    unknown = post(client, rpc("tools/list"), **{SESSION: "gone"})
    assert (unknown.status_code, "no session 'gone'" in unknown.json()["error"]["message"]) == (404, True)
    assert client.delete("/mcp").status_code == 400


def test_client_of_mcp_without_a_session_is_told_to_initialize(client: httpx.Client) -> None:
    answer = post(client, rpc("tools/list"), **{"MCP-Protocol-Version": VERSION})
    assert (answer.status_code, "initialize first" in answer.json()["error"]["message"]) == (400, True)


def test_two_names_of_one_session_must_agree(client: httpx.Client) -> None:
    named = initialize(client)
    assert forged(call(client, tool("forge", session_id=named[SESSION]), **named))["count"] == 1
    refused = call(client, tool("forge", session_id=create(client)), **named)["error"]
    assert (refused["code"], "name two sessions" in refused["message"]) == (-32602, True)


def test_version_without_sessions_is_refused_with_those_that_have_some(client: httpx.Client) -> None:
    answer = post(client, rpc("server/discover"), **{"MCP-Protocol-Version": "2026-07-28"})
    told = answer.json()["error"]
    assert (answer.status_code, told["code"], told["data"]["requested"]) == (400, -32022, "2026-07-28")
    assert told["data"]["supported"] == [VERSION, "2025-06-18", "2025-03-26", "2024-11-05"]


def test_batch_is_for_the_version_that_has_batches(client: httpx.Client) -> None:
    named = initialize(client)
    batch = [tool("forge", 1), rpc("notifications/progress", None), {}, tool("forge", 2)]
    refused = call(client, batch, **named)
    assert refused["error"]["code"] == -32600
    old = {**named, "MCP-Protocol-Version": "2025-03-26"}
    first, wrong, second = call(client, batch, **old)
    assert [forged(first)["count"], wrong["error"]["code"], forged(second)["count"]] == [1, -32600, 2]
    assert post(client, [rpc("notifications/progress", None)], **old).status_code == 202
    assert call(client, [], **old)["error"]["code"] == -32600
    assert call(client, [rpc("ping")] * 257, **old)["error"]["code"] == -32600


def test_agent_is_let_into_a_session_and_cannot_end_it(client: httpx.Client) -> None:
    session_id = client.post("/reset", headers={"X-Session-Id": "new"}).headers["X-Session-Id"]
    named = initialize(client, X_Session_Id=session_id)
    assert named[SESSION] == session_id
    assert forged(call(client, tool("forge"), **named))["count"] == 1
    assert client.delete("/mcp", headers=named).status_code == 204
    assert client.get("/state", headers={"X-Session-Id": session_id}).json()["step_count"] == 1
    again = post(client, rpc("initialize", **INITIALIZE), **named)
    assert again.headers[SESSION] == session_id
    assert close(client, session_id)["result"]["closed"] is True
    assert post(client, rpc("initialize", **INITIALIZE), X_Session_Id=session_id).status_code == 404


# ---- many at once


def test_calls_of_one_session_run_in_order_and_of_others_meanwhile(stage: Stage) -> None:
    with serving(smithy(stage, max_sessions=2), log_config=None) as url, http(url) as client:
        one, other = create(client), create(client)
        stage.held.add("hold")
        with ThreadPoolExecutor(8) as executor:
            first = executor.submit(call, client, tool("hold", "same", session_id=one))
            stage.expect("hold")
            rest = [executor.submit(call, client, tool("forge", "same", session_id=one)) for _ in range(4)]
            assert forged(call(client, tool("forge", session_id=other)))["count"] == 1
            assert not any(each.done() for each in (first, *rest))
            stage.release()
            assert forged(first.result(10))["count"] == 1
            answers = [each.result(10) for each in rest]
        assert sorted(forged(answer)["count"] for answer in answers) == [2, 3, 4, 5]
        assert {answer["id"] for answer in answers} == {"same"}


def test_client_that_leaves_during_a_call_loses_nothing(stage: Stage) -> None:
    with serving(smithy(stage), log_config=None) as url, http(url) as client:
        named = initialize(client)
        stage.held.add("hold")
        with http(url) as hasty:
            hasty.timeout = 0.3
            with pytest.raises(httpx.ReadTimeout):
                post(hasty, tool("hold"), **named)
        stage.expect("hold")
        stage.release()
        assert forged(call(client, tool("forge"), **named))["count"] == 2


def test_session_that_is_ended_during_a_call_lets_it_finish(stage: Stage) -> None:
    with serving(smithy(stage), log_config=None) as url, http(url) as client:
        session_id, named = create(client), initialize(client)
        stage.held.add("hold")
        with ThreadPoolExecutor(6) as executor:
            running = [executor.submit(call, client, tool("hold", session_id=session_id))]
            running.append(executor.submit(call, client, tool("hold"), **named))
            stage.expect("hold", 2)
            ending = executor.submit(close, client, session_id)
            deleting = executor.submit(client.delete, "/mcp", headers=named)
            until(lambda: "error" in call(client, rpc("ping", session_id=session_id)))
            until(lambda: post(client, rpc("ping"), **named).status_code == 404)
            assert not any(each.done() for each in (*running, ending, deleting))
            stage.release()
            assert [forged(each.result(10))["count"] for each in running] == [1, 1]
            assert ending.result(10)["result"]["closed"] is True
            assert deleting.result(10).status_code == 204


def test_call_that_waited_in_a_session_that_ended_is_told_why(stage: Stage) -> None:
    with serving(smithy(stage, step_timeout_s=1), log_config=None) as url, http(url) as client:
        session_id, named = create(client), initialize(client)
        stage.held.add("hold")
        with ThreadPoolExecutor(4) as executor:
            running = [executor.submit(call, client, tool("hold", session_id=session_id))]
            running.append(executor.submit(call, client, tool("hold"), **named))
            stage.expect("hold", 2)
            waiting = [executor.submit(post, client, tool("forge", session_id=session_id))]
            waiting.append(executor.submit(post, client, tool("forge"), **named))
            bare, mcp = (each.result(10) for each in waiting)
            stage.release()
    assert (bare.status_code, bare.json()["error"]["code"]) == (200, -32602)
    assert (mcp.status_code, mcp.json()["error"]["code"]) == (404, -32600)
    assert all(" 1 s" in each.json()["error"]["message"] for each in (bare, mcp))


def until(condition: Callable[[], bool]) -> None:
    """Ask again until it is so; the test's own limit is the limit."""
    while not condition():
        pass


def test_call_past_its_limit_ends_its_session(stage: Stage) -> None:
    with serving(smithy(stage, step_timeout_s=0.2), log_config=None) as url, http(url) as client:
        session_id, named = create(client), initialize(client)
        stage.held.add("hold")
        late = call(client, tool("hold", session_id=session_id))["error"]
        assert (late["code"], "within 0.2 s" in late["message"]) == (-32603, True)
        assert call(client, tool("hold"), **named)["result"]["isError"] is True
        assert call(client, tool("forge", session_id=session_id))["error"]["code"] == -32602
        assert post(client, tool("forge"), **named).status_code == 404
        old = {**initialize(client), "MCP-Protocol-Version": "2025-03-26"}
        assert post(client, [tool("hold"), tool("forge")], **old).status_code == 404
        stage.release()


# ---- who may


def test_body_that_is_too_large_is_refused(stage: Stage) -> None:
    with serving(smithy(stage, max_body_bytes=1000), log_config=None) as url, http(url) as client:
        answer = post(client, tool("forge", of="x" * 2000))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, -32600)
        assert stage.calls == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain", **FOREIGN}, 403),
        ({"Content-Type": "application/json", **FOREIGN}, 403),
        ({"Content-Type": "application/json", "Host": "evil.example"}, 403),
        ({"Content-Type": "text/plain", "Origin": "OWN"}, 415),
        ({"Content-Type": "application/json", "Origin": "OWN"}, 200),
        ({"Content-Type": "text/plain"}, 200),
    ],
)
def test_page_elsewhere_may_not_call(stage: Stage, headers: dict[str, str], status: int) -> None:
    with serving(smithy(stage), log_config=None) as url, http(url) as client:
        given = {name: url if value == "OWN" else value for name, value in headers.items()}
        answer = client.post("/mcp", content=json.dumps(tool("forge")).encode(), headers=given)
        assert answer.status_code == status
        assert stage.count("init") == (status == 200)


def test_tokens_say_what_may_be_called(stage: Stage) -> None:
    config = {"token": "orchestrator", "agent_token": "agent", "queue_s": 0, "max_sessions": 8}
    with serving(app_of(EchoEnvironment, **config), log_config=None) as url, http(url) as client:
        assert post(client, rpc("tools/list")).status_code == 401
        assert post(client, rpc("tools/list"), Authorization="Bearer wrong").status_code == 401
        agent, orchestrator = {"Authorization": "Bearer agent"}, {"Authorization": "Bearer orchestrator"}

        def names(**headers: str) -> list[str]:
            return [each["name"] for each in call(client, rpc("tools/list"), **headers)["result"]["tools"]]

        theirs, named = create(client, **orchestrator), initialize(client, **agent)
        assert (names(**orchestrator), names(**agent)) == (["reset", "step", "state"], ["step"])
        assert names(**agent, **named) == ["step"]
        assert call(client, tool("reset"), **agent)["error"] == {
            "code": -32602,
            "message": "Unknown tool: 'reset'",
            "data": None,
        }
        stepped = call(client, tool("step", message="Hi", session_id=theirs), **agent)["result"]
        assert stepped["data"]["reward"] == 0.2
        assert close(client, theirs, **agent)["error"]["code"] == -32600
        assert close(client, create(client, **agent), **agent)["result"]["closed"] is True
        assert client.delete("/mcp", headers={**agent, **named}).status_code == 204
        assert post(client, rpc("ping"), **agent, **named).status_code == 404


def test_production_has_the_environments_own_tools_only() -> None:
    with serving(smithy(mode="production"), log_config=None) as url, http(url) as client:
        assert forged(call(client, tool("forge")))["count"] == 1
        assert call(client, tool("raise"))["error"]["message"].startswith("The environment raised an error")
    with serving(app_of(EchoEnvironment, mode="production"), log_config=None) as url, http(url) as client:
        assert call(client, rpc("tools/list"), **initialize(client))["result"] == {"tools": []}
        for name in ("reset", "step", "state"):
            assert call(client, tool(name, message="Hi"))["error"]["message"] == f"Unknown tool: {name!r}"


def test_environment_whose_actions_are_tools_is_stepped() -> None:
    class Adder(EchoEnvironment):
        def step(self, action: Any, **options: Any) -> Any:  # type: ignore[override]
            if isinstance(action, ListToolsAction):
                return ListToolsObservation(tools=[Tool(name="add", description="Adds.", input_schema={})])
            return CallToolObservation(tool_name=action.tool_name, result=sum(action.arguments.values()))

    with serving(create_app(Adder, CallToolAction, CallToolObservation), log_config=None) as url, http(url) as client:
        named = initialize(client)
        assert call(client, rpc("tools/list"), **named)["result"]["tools"][0]["name"] == "add"
        assert call(client, tool("add", a=3, b=4), **named)["result"]["structuredContent"] == {"result": 7}
        with ws(url) as peer:
            asked = {"type": "mcp", "data": tool("add", a=3, b=4)}
            assert ask(peer, asked)["data"]["result"]["data"] == 7


def test_isolated_environments_are_offered_as_tools_too() -> None:
    with serving(app_of(EchoEnvironment, isolation="process"), log_config=None) as url, http(url) as client:
        named = initialize(client)
        called = call(client, tool("step", message="Hi"), **named)["result"]
        assert called["structuredContent"]["reward"] == 0.2
