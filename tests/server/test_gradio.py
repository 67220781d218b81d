"""`openenv.server.gradio`: an environment's own UI, with the real Gradio in a process of its own and without any."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import httpx
import pytest
from pydantic import BaseModel, Field

from openenv import Action, create_app
from openenv.env import EnvironmentMetadata, EnvironmentSource
from openenv.errors import BadAction, EnvironmentFailed, UnknownSession
from openenv.server import ServerConfig
from openenv.server.gradio import action_fields
from openenv.server.sessions import SessionTable
from openenv.server.web_manager import WebInterfaceManager
from tests.server.peers import http
from tests.support.command import openenv_serve
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.serving import serving

METADATA = EnvironmentMetadata(name="echo")
BOSS = {"Authorization": "Bearer boss"}


def with_gradio(test: Any) -> Any:
    """Mark a test that imports it, which takes 3 s of a processor that other tests may be using."""
    return pytest.mark.slow(pytest.mark.timeout(120)(test))


def never(*_: Any) -> Any:
    raise AssertionError("nobody asked for it")


def served_by(builder: Any, *, web: bool = True) -> Any:
    config = ServerConfig(web=web)
    return create_app(EchoEnvironment, EchoAction, EchoObservation, config=config, gradio_builder=builder)


# ---- without Gradio


def test_without_gradio_there_is_no_ui_and_the_log_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # as an import fails that is not installed
    app = served_by(never)
    (record,) = caplog.records
    assert "pip install gradio" in record.getMessage()
    with serving(app, log_config=None) as url, http(url) as client:
        assert client.get("/web/gradio/").status_code == 404
        assert client.get("/schema").json()["capabilities"] == []
        assert client.get("/web").status_code == 200


def test_without_the_page_the_builder_is_not_asked() -> None:
    with serving(served_by(never, web=False), log_config=None) as url, http(url) as client:
        assert client.get("/schema").json()["capabilities"] == []


def test_gradio_is_imported_only_for_a_builder() -> None:
    program = (
        "import sys; from tests.support.echo import *; from openenv.server import ServerConfig, create_app; "
        "create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(web=True)); "
        "print('gradio' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@with_gradio
def test_builder_that_builds_no_ui_is_refused_by_what_it_returned() -> None:
    program = (
        "from tests.support.echo import *; from openenv.server import ServerConfig, create_app; create_app("
        "EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(web=True), gradio_builder=lambda *_: 5)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ConfigurationError: gradio_builder returned int; return the gr.Blocks" in ran.stderr


# ---- with it


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("painted")
    (folder / "openenv.yaml").write_text("name: painted\napp: tests.server.gradio_app:app\n")
    with openenv_serve(folder, environ={"OPENENV_TOKEN": "boss", "OPENENV_MAX_SESSIONS": "1"}) as server:
        yield server.url


def call(client: httpx.Client, name: str, *arguments: Any) -> Any:
    """Call a function of the UI as its page does."""
    event = client.post(f"/web/gradio/gradio_api/call/{name}", json={"data": arguments}).json()["event_id"]
    said = client.get(f"/web/gradio/gradio_api/call/{name}/{event}").text
    assert said.startswith("event: complete\n"), said
    return json.loads(said.partition("data: ")[2])[0]


@with_gradio
def test_ui_is_closed_to_who_cannot_say_the_token(painted: str) -> None:
    with http(painted) as client:
        for path in ("/web/gradio", "/web/gradio/", "/web/gradio/config", "/web/gradio/gradio_api/info"):
            assert client.get(path).status_code == 401
        assert client.get("/schema").status_code == 401
        assert not client.cookies


@with_gradio
def test_browser_that_has_said_the_token_may_show_the_ui_in_a_frame(painted: str) -> None:
    with http(painted) as client:
        schema = client.get("/schema", headers=BOSS)
        assert schema.json()["capabilities"] == ["gradio"]
        cookie = schema.headers["Set-Cookie"]
        assert cookie.endswith("; HttpOnly; SameSite=Strict")
        assert "boss" not in cookie
        page = client.get("/web/gradio/")
        assert (page.status_code, "gradio" in page.text) == (200, True)
        assert (
            page.headers["Content-Security-Policy"]
            == "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
        )
        assert "X-Frame-Options" not in page.headers
        assert client.get("/web/gradio/config").json()["root"] == f"{painted}/web/gradio"


@with_gradio
def test_builder_gets_what_it_is_used_to(painted: str) -> None:
    with http(painted, headers=BOSS) as client:
        told = call(client, "told")
    assert told.pop("start").startswith("### Quick start\n")
    title = "OpenEnv Agentic Environment: painted"
    assert told == {"fields": ["message"], "name": "painted", "chat": True, "title": title}


@with_gradio
def test_ui_plays_in_a_session_of_its_own_within_the_limit(painted: str) -> None:
    with http(painted, headers=BOSS) as client:
        played = call(client, "play", "Hi")
        assert played["reset"] == {
            "observation": {"metadata": {}, "echoed_message": "ready", "message_length": 0},
            "reward": 0.0,
            "done": False,
        }
        assert (played["step"]["reward"], played["state"]) == (0.2, {"episode_id": "e1", "step_count": 1})
        assert client.get("/web/sessions").json() == {"active": 1, "max": 1, "waiting": 0}
        assert call(client, "play", "Hello")["state"]["step_count"] == 1  # the same session
        assert client.get("/web/sessions").json()["active"] == 1


@with_gradio
def test_files_are_taken_from_our_own_page_alone(painted: str) -> None:
    files = {"files": ("a.txt", b"hello")}
    with http(painted, headers=BOSS) as client:
        sent = client.post("/web/gradio/gradio_api/upload", files=files, headers={"Origin": painted})
        assert (sent.status_code, sent.json()[0].endswith("a.txt")) == (200, True)
        assert client.post("/web/gradio/gradio_api/upload", files=files).status_code == 415
        evil = {"Origin": "http://evil.example"}
        assert client.post("/web/gradio/gradio_api/upload", files=files, headers=evil).status_code == 403


# ---- the session behind it


@pytest.fixture
async def table() -> AsyncIterator[SessionTable]:
    table = SessionTable(EnvironmentSource(ThreadedEcho), EchoAction, ServerConfig(step_timeout_s=5.0))
    yield table
    await table.close()


@pytest.mark.anyio
async def test_nothing_is_open_before_it_is_used(table: SessionTable) -> None:
    session = WebInterfaceManager.of(table, METADATA)
    assert (session.get_state(), table.active) == ({}, 0)
    await asyncio.gather(*(session.reset_environment() for _ in range(3)))  # three visitors at once
    assert table.active == 1


@pytest.mark.anyio
async def test_step_before_a_reset_is_the_environments_business(table: SessionTable) -> None:
    assert (await WebInterfaceManager.of(table, METADATA).step_environment({"message": "Hi"}))["reward"] == 0.2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("action", "error"), [({}, BadAction), ({"message": 5}, BadAction), ({"message": "raise"}, EnvironmentFailed)]
)
async def test_fault_is_raised_and_the_session_goes_on(
    table: SessionTable, action: dict[str, Any], error: type[Exception]
) -> None:
    session = WebInterfaceManager.of(table, METADATA)
    with pytest.raises(error):
        await session.step_environment(action)
    assert (await session.step_environment({"message": "Hi"}))["done"] is False
    assert table.active == 1


@pytest.mark.anyio
async def test_lost_session_is_said_to_be_lost_until_a_reset(table: SessionTable) -> None:
    session = WebInterfaceManager.of(table, METADATA)
    await session.reset_environment()
    (only,) = table._sessions.values()
    await table.end(only, "it was idle")
    for _ in range(2):
        with pytest.raises(UnknownSession, match="it was idle"):
            await session.step_environment({"message": "Hi"})
    await session.reset_environment()
    assert (await session.step_environment({"message": "Hi"}))["reward"] == 0.2


@pytest.mark.anyio
async def test_state_is_that_after_the_last_call_awaited_or_not(table: SessionTable) -> None:
    session = WebInterfaceManager.of(table, METADATA)
    await session.reset_environment({"episode_id": "e"})
    await session.step_environment({"message": "Hi"})
    assert session.get_state() == await session.get_state() == {"episode_id": "e", "step_count": 1}


@pytest.mark.anyio
async def test_handler_on_another_loop_plays_on_the_servers(table: SessionTable) -> None:
    session = WebInterfaceManager.of(table, METADATA)
    session.seen_on(asyncio.get_running_loop())

    def handler() -> Any:
        return asyncio.run(session.step_environment({"message": "Hi"}))

    assert (await asyncio.to_thread(handler))["reward"] == 0.2


# ---- the fields of an action


class Point(BaseModel):
    x: int


class Paint(Action):
    message: str
    colour: Literal["red", "blue"] = "red"
    strokes: int = Field(default=3, ge=1, le=9, description="How many.")
    width: float | None = None
    wet: bool = True
    tokens: list[int] = []  # noqa: RUF012
    note: str = Field(default="", max_length=500, min_length=0, pattern="^.*$")
    at: Point | None = None
    brush: str = "flat"


def test_fields_are_those_that_builders_expect() -> None:
    fields = {field["name"]: field for field in action_fields(Paint.model_json_schema())}
    assert {name: field["type"] for name, field in fields.items()} == {
        "message": "textarea",
        "colour": "select",
        "strokes": "number",
        "width": "number",
        "wet": "checkbox",
        "tokens": "tensor",
        "note": "textarea",
        "at": "text",
        "brush": "text",
    }
    assert [name for name, field in fields.items() if field["required"]] == ["message"]
    assert fields["colour"]["choices"] == ["red", "blue"]
    strokes = fields["strokes"]
    assert (strokes["default_value"], strokes["min_value"], strokes["max_value"]) == (3, 1, 9)
    assert (strokes["description"], strokes["help"]) == ("How many.", "How many.")
    assert (fields["note"]["max_length"], fields["note"]["pattern"]) == (500, "^.*$")


def test_schema_without_fields_has_none() -> None:
    assert action_fields({}) == []
    assert action_fields({"properties": {"a": {"$ref": "#/$defs/Gone"}}})[0]["type"] == "text"
