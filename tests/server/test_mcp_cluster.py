"""`/mcp` and sockets that join sessions, with several workers: whoever is asked, the worker of the session answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import fastmcp
import httpx
import pytest

from tests.server.peers import ask, closing, http, reply
from tests.server.smithy import BOTH, INITIALIZE, VERSION, call, joining, post, rpc, tool
from tests.support.command import Serving, openenv_serve

APP = """
import os

from openenv import create_app
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation


class Telling(EchoEnvironment):
    def step(self, action, **options):
        observation = super().step(action)
        observation.metadata["worker"] = os.getpid()
        return observation


app = create_app(Telling, EchoAction, EchoObservation)
"""
WORKERS = 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder: Path = tmp_path_factory.mktemp("my_env")
    (folder / "server").mkdir()
    (folder / "server/app.py").write_text(APP)
    (folder / "openenv.yaml").write_text("name: my_env\n")
    environ = {"OPENENV_QUEUE_S": "0", "OPENENV_MAX_BODY_BYTES": "10000"}
    with openenv_serve(folder, "--workers", str(WORKERS), "--max-sessions", "12", environ=environ) as serving:
        yield serving


@pytest.fixture
def client(cluster: Serving) -> Iterator[httpx.Client]:
    """Makes a connection for each request, which any worker may accept."""
    with http(cluster.url, headers={"Connection": "close"}) as client:
        yield client


def step(client: httpx.Client, session_id: str | None, **headers: str) -> tuple[int, int]:
    """Step a session, and say for how many times and where."""
    told = call(client, tool("step", message="Hi", session_id=session_id), **headers)["result"]
    content = json.loads(told["content"][0]["text"])["metadata"]
    return content["step"], content["worker"]


def on_every_worker(client: httpx.Client) -> list[str]:
    """Give one session of each worker, of those that are opened until there is one."""
    firsts: dict[str, str] = {}
    while len(firsts) < WORKERS:
        session_id = call(client, rpc("openenv/session/create"))["result"]["session_id"]
        if session_id.partition("-")[0] in firsts:
            call(client, rpc("openenv/session/close", session_id=session_id))
        firsts.setdefault(session_id.partition("-")[0], session_id)
    return list(firsts.values())


@pytest.mark.timeout(40)
def test_sessions_are_found_whoever_is_asked(cluster: Serving, client: httpx.Client) -> None:
    sessions = on_every_worker(client)
    for session_id in sessions:
        told = [step(client, session_id) for _ in range(6)]
        assert [count for count, _ in told] == [1, 2, 3, 4, 5, 6]
        assert len({worker for _, worker in told}) == 1
        for _ in range(4):
            with joining(cluster.url, session_id) as peer:
                assert ask(peer, {"type": "state"})["data"]["step_count"] == 6
        named = call(client, tool("step", message="Hi"), **{"X-Session-Id": session_id})
        assert named["result"]["data"]["metadata"]["step"] == 7
        closed = call(client, rpc("openenv/session/close", session_id=session_id))
        assert closed["result"] == {"session_id": session_id, "closed": True}
        with joining(cluster.url, session_id) as peer:
            assert reply(peer)["data"]["code"] == "SESSION_ERROR"
            assert closing(peer) == 1000
    assert [step(client, None)[0] for _ in range(6)] == [1, 2, 3, 4, 5, 6]  # that of this address


@pytest.mark.timeout(40)
def test_client_of_mcp_finds_its_session_over_every_connection(client: httpx.Client) -> None:
    opened = post(client, rpc("initialize", **INITIALIZE), **BOTH).headers["Mcp-Session-Id"]
    named = {**BOTH, "Mcp-Session-Id": opened, "MCP-Protocol-Version": VERSION}
    assert [step(client, None, **named)[0] for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    for session_id in on_every_worker(client):  # an agent is let into each
        answer = post(client, rpc("initialize", **INITIALIZE), X_Session_Id=session_id)
        assert answer.headers["Mcp-Session-Id"] == session_id
        call(client, rpc("openenv/session/close", session_id=session_id))
    assert client.delete("/mcp", headers=named).status_code == 204
    assert post(client, rpc("ping"), **named).status_code == 404


@pytest.mark.anyio
@pytest.mark.timeout(40)
async def test_published_client_need_not_know_of_workers(cluster: Serving) -> None:
    for _ in range(3):
        async with fastmcp.Client(f"{cluster.url}/mcp") as client:
            for count in range(1, 5):
                told = (await client.call_tool("step", {"message": "Hi"})).structured_content
                assert told is not None
                assert told["metadata"]["step"] == count


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"x" * 20_000])
def test_what_is_no_call_is_refused_by_whoever_is_asked(client: httpx.Client, body: bytes) -> None:
    answer = post(client, body)
    assert (answer.status_code, "error" in answer.json()) == (413 if len(body) > 10_000 else 200, True)
