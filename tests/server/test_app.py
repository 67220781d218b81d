"""`openenv.server.app`: what `create_app` takes, and that its environments are closed whoever runs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn

from openenv import State
from openenv.errors import ConfigurationError
from openenv.server import ServerConfig, create_app
from openenv.server.run import bind, url_of
from tests.server.peers import ask, closing, http, step, ws
from tests.server.stage import InlineStaged, Stage, Staged, app_of
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


class Lonely(EchoEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = False


def made(env: Any, *arguments: Any, **options: Any) -> Any:
    return create_app(env, EchoAction, EchoObservation, *arguments, **options)


@contextmanager
def served(app: Any) -> Iterator[httpx.Client]:
    """Serve an app and give a client of it."""
    with serving(app, log_config=None) as url, http(url) as client:
        yield client


def factory() -> Any:
    return EchoEnvironment()


# ---- what it takes


@pytest.mark.parametrize("env", [EchoEnvironment, partial(EchoEnvironment), factory, EchoEnvironment()])
def test_environment_may_come_as_class_partial_factory_or_instance(env: Any) -> None:
    with served(made(env)) as client:
        for _ in range(2):
            assert client.post("/step", json={"action": {"message": "Hi"}}).json()["reward"] == 0.2


@pytest.mark.parametrize(
    ("env", "options", "said"),
    [
        (5, {}, "is no environment"),
        (dict, {}, "is no environment"),
        (Lonely, {"max_concurrent_envs": 2}, "SUPPORTS_CONCURRENT_SESSIONS"),
        (Lonely, {"config": ServerConfig(max_sessions=2)}, "SUPPORTS_CONCURRENT_SESSIONS"),
        (EchoEnvironment, {"max_concurrent_envs": 0}, "must be 1 or more"),
        (EchoEnvironment, {"config": ServerConfig(max_sessions=0)}, "ask for 1 or more"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(env: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        made(env, **options)


@pytest.mark.parametrize(
    ("variable", "asked", "config", "limit"),
    [
        (None, None, None, 64),
        (None, 5, None, 5),
        ("3", 5, None, 3),
        ("3", 5, ServerConfig(), 5),
        ("3", 5, ServerConfig(max_sessions=2), 2),
    ],
)
def test_limit_is_the_first_that_is_given(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, asked: int | None, config: Any, limit: int
) -> None:
    if variable is not None:
        monkeypatch.setenv("OPENENV_MAX_SESSIONS", variable)
    assert made(EchoEnvironment, max_concurrent_envs=asked, config=config).state.openenv.limit == limit


def test_name_is_shown_in_place_of_the_class() -> None:
    app = made(EchoEnvironment, "my-echo")
    assert "my-echo" in app.description
    with served(app) as client:
        assert client.get("/metadata").json()["name"] == "my-echo"


def test_class_of_the_state_can_be_given_when_annotations_do_not_say() -> None:
    class Board(State):
        """Named in the schema."""

    for given, title in (({"state_cls": Board}, "Board"), ({}, "State")):
        with served(made(factory, **given)) as client:
            assert client.get("/schema").json()["state"]["title"] == title


@pytest.mark.parametrize(("web", "status"), [(False, 404), (True, 200)])
def test_page_is_there_when_it_is_asked_for(web: bool, status: int) -> None:
    with served(made(EchoEnvironment, config=ServerConfig(web=web))) as client:
        assert client.get("/web").status_code == status


# ---- what an environment can do besides


class Versatile(EchoEnvironment):
    def render_web(self, observation: EchoObservation) -> str:
        return f"<b>{observation.echoed_message}</b>"

    async def web_actions(self, observation: EchoObservation) -> list[tuple[str, dict[str, str]]]:
        return [("Again", {"message": observation.echoed_message})]

    def handle_json_rpc(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": request["id"], "result": {"tools": []}}


def test_view_and_json_rpc_travel_over_the_socket() -> None:
    with serving(app_of(Versatile), log_config=None) as url, ws(url) as peer:
        assert ask(peer, {"type": "view"}) == {"type": "view", "data": {"html": None, "actions": []}}
        ask(peer, step("Hi"))
        view = {"html": "<b>Hi</b>", "actions": [{"label": "Again", "action": {"message": "Hi"}}]}
        assert ask(peer, {"type": "view"}) == {"type": "view", "data": view}
        answer = ask(peer, {"type": "mcp", "data": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}})
        assert answer == {"type": "mcp", "data": {"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}}


def test_server_says_that_it_knows_views() -> None:
    with serving(app_of(Versatile), log_config=None) as url, ws(url) as peer:
        assert peer.response is not None
        assert peer.response.headers["X-OpenEnv-Extensions"] == "options,timeout_s,view"


def test_agent_sees_what_it_is_sent_and_no_view_of_it() -> None:
    app = app_of(Versatile, token="boss", agent_token="hand")
    with (
        serving(app, log_config=None) as url,
        ws(url, additional_headers={"Authorization": "Bearer hand"}) as peer,
    ):
        assert ask(peer, step("Hi"))["type"] == "observation"
        assert ask(peer, {"type": "view"})["data"]["code"] == "FORBIDDEN"


# ---- run by plain uvicorn


@contextmanager
def plain_uvicorn(app: Any) -> Iterator[str]:
    """Serve as `uvicorn module:app` does, without anything of ours around it."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield url_of("127.0.0.1", listener)
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


def test_environments_are_closed_when_uvicorn_stops(stage: Stage) -> None:
    with plain_uvicorn(app_of(partial(Staged, stage))) as url, ws(url) as peer, http(url) as client:
        ask(peer, {"type": "reset"})
        client.post("/reset")
        client.post("/reset", headers={"X-Session-Id": "new"})
    assert (stage.count("init"), stage.count("close")) == (3, 3)


def test_frame_above_the_limit_closes_the_socket_with_1009(stage: Stage) -> None:
    with plain_uvicorn(app_of(partial(InlineStaged, stage))) as url, ws(url) as peer:
        assert ask(peer, step("Hi"))["data"]["reward"] == 0.2
        peer.socket.sendall(b"\x81\xff" + (20_000_000).to_bytes(8) + b"mask")
        assert closing(peer) == 1009


def test_hung_close_does_not_hang_the_stop(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.held = {"close"}
    with plain_uvicorn(app_of(partial(Staged, stage), drain_s=0.1)) as url, http(url) as client:
        client.post("/reset")
    assert "1 environments had not closed when the server stopped" in caplog.text
