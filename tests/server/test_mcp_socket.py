"""`openenv.server.mcp_socket`: JSON-RPC over a WebSocket, a session of its own for each connection."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from openenv.server.sessions import SessionTable
from tests.server.peers import Peer, ask, closing, http, reply, ws
from tests.server.smithy import INITIALIZE, TOOLS, call, rpc, smithy, tool
from tests.server.stage import Stage, app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import Served, serving


@pytest.fixture(scope="module")
def smith(served: Served) -> Iterator[str]:
    """Smiths behind each of the two transports of WebSockets."""
    with served(smithy(max_sessions=64)) as url:
        yield url


def talk(url: str, **settings: Any) -> Peer:
    peer: Peer = connect(f"{url.replace('http', 'ws', 1)}/mcp", proxy=None, compression=None, **settings)
    return peer


def count(answer: Any) -> int:
    told: int = answer["result"]["structured_content"]["count"]
    return told


def test_connections_have_sessions_of_their_own(smith: str) -> None:
    with talk(smith) as one, talk(smith) as other:
        assert [count(ask(one, tool("forge", n))) for n in range(3)] == [1, 2, 3]
        assert count(ask(other, tool("forge"))) == 1
        own = ask(one, rpc("openenv/session/create"))["result"]["session_id"]
        assert own == ask(one, rpc("openenv/session/create"))["result"]["session_id"]
        sentence = "Cannot close active WebSocket-managed session via MCP method"
        refused = {"code": -32600, "message": sentence, "data": None}
        assert ask(one, rpc("openenv/session/close", session_id=own))["error"] == refused
        with http(smith) as client:
            assert call(client, rpc("openenv/session/close", session_id=own))["error"] == refused
            told = call(client, tool("forge", session_id=own))["result"]["data"]
        assert told["count"] == 4


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", -32700),
        ("[1,2]", -32600),
        ("null", -32600),
        (b"\xff\x00", -32700),
        ("{}", -32600),
        (json.dumps(rpc("fly")), -32601),
        (json.dumps(tool("raise")), -32603),
    ],
)
def test_what_is_wrong_is_answered_and_the_session_goes_on(smith: str, frame: str | bytes, code: int) -> None:
    with talk(smith) as peer:
        assert ask(peer, frame)["error"]["code"] == code
        assert count(ask(peer, tool("forge"))) == 1


def test_frames_that_are_sent_ahead_are_answered_in_order(smith: str) -> None:
    with talk(smith) as peer:
        for n in range(20):
            peer.send(json.dumps(tool("forge", n)))
        peer.send(json.dumps(rpc("notifications/progress", None)))
        peer.send(json.dumps(tool("silent", None)))
        answers = [reply(peer) for _ in range(20)]
        assert [(answer["id"], count(answer)) for answer in answers] == [(n, n + 1) for n in range(20)]
        assert ask(peer, rpc("ping", "last")) == {"jsonrpc": "2.0", "id": "last", "result": {}}


def test_client_of_mcp_may_speak_it_here_as_well(smith: str) -> None:
    with talk(smith, subprotocols=[Subprotocol("mcp")]) as peer:
        assert peer.subprotocol == "mcp"
        assert ask(peer, rpc("initialize", **INITIALIZE))["result"]["serverInfo"]["name"] == "smithy"
        peer.send(json.dumps(rpc("notifications/initialized", None)))
        assert ask(peer, rpc("tools/list", 2))["result"] == {"tools": TOOLS}
        assert ask(peer, tool("forge"))["result"]["isError"] is False


def test_client_that_leaves_during_a_call_frees_its_session(stage: Stage) -> None:
    app = smithy(stage, max_sessions=1, queue_s=8)
    table: SessionTable = app.state.openenv
    with serving(app, log_config=None) as url:
        stage.held.add("hold")
        with talk(url) as peer:
            peer.send(json.dumps(tool("hold")))
            stage.expect("hold")
        with ws(url) as peer:  # which waits for the place
            until(lambda: table.waiting == 1)
            assert stage.count("close") == 0
            stage.release()
            assert ask(peer, {"type": "state"})["data"]["step_count"] == 0
        stage.expect("close")


def test_capacity_is_said_before_the_socket_closes() -> None:
    with serving(smithy(max_sessions=1), log_config=None) as url, talk(url) as first:
        assert count(ask(first, tool("forge"))) == 1
        with talk(url) as second:
            refused = reply(second)
            assert (refused["id"], refused["error"]["code"]) == (None, -32000)
            assert refused["error"]["data"] == {"active_sessions": 1, "max_sessions": 1}
            assert closing(second) == 1000


def test_session_that_is_deleted_ends_the_connection(smith: str) -> None:
    with talk(smith) as peer, http(smith) as client:
        own = ask(peer, rpc("openenv/session/create"))["result"]["session_id"]
        assert client.delete("/session", headers={"X-Session-Id": own}).json()["closed"] is True
        told = ask(peer, tool("forge"))["error"]
        assert (told["code"], "it was deleted" in told["message"]) == (-32602, True)
        assert closing(peer) == 1000


def test_call_past_its_limit_ends_the_connection(stage: Stage) -> None:
    with serving(smithy(stage, step_timeout_s=0.2), log_config=None) as url, talk(url) as peer:
        stage.held.add("hold")
        assert "within 0.2 s" in ask(peer, tool("hold"))["error"]["message"]
        assert closing(peer) == 1000
        stage.release()


def test_too_many_requests_that_wait_close_the_connection(stage: Stage) -> None:
    with serving(smithy(stage), log_config=None) as url, talk(url) as peer:
        stage.held.add("hold")
        with suppress(ConnectionClosed):  # by then, maybe
            for _ in range(80):
                peer.send(json.dumps(tool("hold")))
        assert closing(peer) == 1008
        stage.release()


def test_rules_of_access_hold_for_sockets_too() -> None:
    config = {"token": "orchestrator", "agent_token": "agent"}
    with serving(app_of(EchoEnvironment, **config), log_config=None) as url:
        with pytest.raises(Exception, match="401"), talk(url):
            pass
        agent = {"Authorization": "Bearer agent"}
        with (
            pytest.raises(Exception, match="403"),
            talk(url, additional_headers={**agent, "Origin": "http://e.example"}),
        ):
            pass
        with talk(url, additional_headers=agent) as peer:
            assert [each["name"] for each in ask(peer, rpc("tools/list"))["result"]["tools"]] == ["step"]


def until(condition: Callable[[], bool]) -> None:
    """Look again until it is so; the test's own limit is the limit."""
    while not condition():
        pass
