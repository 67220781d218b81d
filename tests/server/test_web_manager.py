"""`openenv.server.web_manager`: the session that a UI of an author's own drives, and its routes."""

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from fastapi import WebSocket
from fastapi.responses import HTMLResponse
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

from openenv.env import Environment, EnvironmentMetadata, EnvironmentSource
from openenv.errors import BadAction, EnvironmentFailed
from openenv.server import ServerConfig, create_app
from openenv.server.app import create_fastapi_app
from openenv.server.sessions import SessionTable
from openenv.server.web_manager import (
    EpisodeState,
    WebInterfaceManager,
    get_quick_start_markdown,
    load_environment_metadata,
)
from tests.server.peers import http
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.serving import serving

SHAPES = (EchoAction, EchoObservation)


# ---- as an object


@pytest.mark.anyio
async def test_what_goes_wrong_leaves_the_episode_as_it_was() -> None:
    manager = WebInterfaceManager(ThreadedEcho, *SHAPES)
    assert (manager.env, manager.get_state(), manager.episode_state) == (None, {}, EpisodeState())
    await manager.reset_environment({"episode_id": "e1"})
    await manager.step_environment({"message": "Hi"})
    before = manager.episode_state
    for action, error in (({"message": "raise"}, EnvironmentFailed), ({"mesage": "Hi"}, BadAction)):
        with pytest.raises(error):
            await manager.step_environment(action)
    assert manager.episode_state == before
    assert (before.episode_id, before.step_count, before.is_reset) == ("e1", 1, False)
    (log,) = before.action_logs
    assert (log.action, log.reward, log.step_count) == ({"message": "Hi"}, 0.2, 1)
    assert before.current_observation == log.observation
    await manager.close()


@pytest.mark.anyio
async def test_instance_is_used_as_it_is_and_told_about() -> None:
    environment = EchoEnvironment()
    manager = WebInterfaceManager(environment, *SHAPES, EnvironmentMetadata(name="mine"))
    assert manager.metadata.name == "mine"
    await manager.reset_environment()
    assert manager.env is environment
    await asyncio.gather(*(manager.step_environment({"message": "Hi"}) for _ in range(5)))
    assert (await manager.get_state())["step_count"] == 5
    assert manager.episode_state.step_count == 5
    await manager.reset_environment()
    assert (manager.episode_state.action_logs, manager.episode_state.is_reset) == ([], True)
    await manager.close()


@pytest.mark.anyio
async def test_old_steps_leave_the_log() -> None:
    manager = WebInterfaceManager(EchoEnvironment, *SHAPES)
    for number in range(1005):
        await manager.step_environment({"message": str(number)})
    logs = manager.episode_state.action_logs
    assert (len(logs), logs[0].step_count, manager.episode_state.step_count) == (1000, 6, 1005)
    await manager.close()


@pytest.mark.anyio
async def test_session_of_a_server_counts_among_its_own() -> None:
    table = SessionTable(EnvironmentSource(EchoEnvironment), EchoAction, ServerConfig(max_sessions=1))
    manager = WebInterfaceManager.of(table, EnvironmentMetadata(name="echo"))
    await manager.reset_environment()
    assert table.active == 1
    await manager.close()
    assert table.active == 0
    await table.close()


# ---- what is known of an environment


class Telling(EchoEnvironment):
    """Tells about itself."""

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="telling", description="by itself", version="3")


def built() -> Environment[Any, Any, Any]:
    raise AssertionError("nobody asked for one")


def test_metadata_is_known_without_building(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("---\ntitle: x\n---\n# How to\n")
    monkeypatch.setenv("ENV_README_PATH", str(readme))
    told = [load_environment_metadata(env, "given") for env in (Telling(), Telling, built)]
    assert {each.name for each in told} == {"given"}
    assert [each.description for each in told] == ["by itself", "Tells about itself.", ""]
    assert {each.readme_content for each in told} == {"# How to\n"}
    assert dataclasses.asdict(load_environment_metadata(Telling()))["name"] == "telling"


def test_quick_start_names_the_fields_that_are_needed() -> None:
    assert "env.step({'message': '...'})" in get_quick_start_markdown(None, *SHAPES)


# ---- the routes


def test_requests_that_make_no_sense_are_answered_and_not_a_500() -> None:
    app = create_app(ThreadedEcho, *SHAPES, config=ServerConfig(web=True))
    with serving(app) as url, http(url) as client:
        for body, status in (
            ({}, 400),
            ({"action": "Hi"}, 400),
            ({"action": {"wrong": 1}}, 422),
            ({"action": {"message": "raise"}}, 500),
            ({"message": "Hi"}, 200),
            ({"action": {"message": "Hi"}}, 200),
        ):
            assert client.post("/web/step", json=body).status_code == status, body
        assert (
            client.post("/web/reset", content=b"[1]", headers={"Content-Type": "application/json"}).status_code == 422
        )
        assert client.post("/web/reset").json()["done"] is False
        assert client.get("/web/state").json()["step_count"] == 0
        assert client.get("/web/metadata").json()["name"] == "ThreadedEcho"


def test_agent_may_step_and_look_at_nothing() -> None:
    config = ServerConfig(web=True, token="boss", agent_token="hand")
    agent = {"Authorization": "Bearer hand"}
    with serving(create_app(EchoEnvironment, *SHAPES, config=config)) as url:
        with http(url, headers=agent) as client:
            assert client.post("/web/reset").status_code == 403
            assert client.get("/web/state").status_code == 403
            assert client.post("/web/step", json={"action": {"message": "Hi"}}).status_code == 200
        with pytest.raises(Exception, match="403"):
            connect(f"{url.replace('http', 'ws')}/ws/ui", proxy=None, additional_headers=agent)


def test_those_who_look_on_are_told_of_each_step() -> None:
    app = create_app(EchoEnvironment, *SHAPES, config=ServerConfig(web=True))
    with serving(app) as url, http(url) as client:
        with connect(f"{url.replace('http', 'ws')}/ws/ui", proxy=None) as peer:
            seen = [json.loads(peer.recv(timeout=8))]
            client.post("/web/reset", json={"episode_id": "e1"})
            seen.append(json.loads(peer.recv(timeout=8)))
            peer.send("anything")
            client.post("/web/step", json={"action": {"message": "Hi"}})
            seen.append(json.loads(peer.recv(timeout=8)))
        assert {each["type"] for each in seen} == {"state_update"}
        assert [each["episode_state"]["step_count"] for each in seen] == [0, 0, 1]
        assert seen[2]["episode_state"]["action_logs"][0]["observation"]["echoed_message"] == "Hi"
        assert client.post("/web/step", json={"action": {"message": "Hi"}}).status_code == 200  # though one has left


def test_environment_that_brings_its_own_page_and_sockets() -> None:
    env = EchoEnvironment()
    app = create_fastapi_app(env, *SHAPES)
    metadata = load_environment_metadata(env, "wildfire_env")
    manager = WebInterfaceManager(env, *SHAPES, metadata)

    @app.get("/web", response_class=HTMLResponse)
    async def page() -> str:
        return f"<h1>{metadata.name}</h1>"

    @app.websocket("/watch")
    async def watch(websocket: WebSocket) -> None:
        await manager.connect_websocket(websocket)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            await manager.disconnect_websocket(websocket)

    @app.post("/web/step")
    async def step(request: dict[str, Any]) -> dict[str, Any]:
        return await manager.step_environment(request.get("action", {}))

    with serving(app) as url, http(url) as client:
        assert client.get("/web").text == "<h1>wildfire_env</h1>"
        with connect(f"{url.replace('http', 'ws')}/watch", proxy=None) as peer:
            peer.recv(timeout=8)
            assert client.post("/web/step", json={"action": {"message": "Hi"}}).json()["reward"] == 0.2
            assert json.loads(peer.recv(timeout=8))["episode_state"]["step_count"] == 1
