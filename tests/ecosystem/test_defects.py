"""What is known to go wrong with servers and clients of this kind, as far as no other test here has to do with it."""

import asyncio
import dataclasses
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.routing import Route, WebSocketRoute
from typer.testing import CliRunner
from websockets.sync.client import connect

import openenv.gym
from openenv import EnvironmentMetadata, create_app
from openenv.cli.app import app as cli
from openenv.core.env_server import create_fastapi_app
from openenv.errors import BadObservation, ConfigurationError, OpenEnvError
from openenv.server import ServerConfig
from openenv.server.run import bind
from openenv.server.serving import table_of
from tests.server.neighbours import workers
from tests.server.peers import ask, http, reply, step, ws
from tests.server.stage import Stage, Staged, app_of
from tests.server.test_access import EVIL, HANDSHAKE, subprotocol
from tests.support.command import ROOT, openenv_serve
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.folders import environment_folder
from tests.support.leftovers import Holdings, leftovers
from tests.support.serving import TRANSPORTS, serving

HI = EchoAction(message="Hi")


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.release()


# ---- what clients leave behind


def in_a_block(url: str) -> None:
    with EchoEnv(url) as env:
        env.reset()
        assert env.step(HI).observation.echoed_message == "Hi"


def in_a_block_of_its_sync_face(url: str) -> None:
    with EchoEnv(url).sync() as env:
        env.reset()


def without_a_close(url: str) -> None:
    EchoEnv(url).reset()


def in_a_loop_of_its_own(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as env:
            await env.reset()

    asyncio.run(play())


@pytest.mark.parametrize(
    "episode",
    [in_a_block, in_a_block_of_its_sync_face, without_a_close, in_a_loop_of_its_own],
    ids=lambda f: f.__name__,
)
def test_two_hundred_clients_in_a_row_hold_no_more_than_one(episode: Callable[[str], None]) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, max_concurrent_envs=2)
    with serving(app) as url:
        episode(url)
        gc.collect()
        before, files = Holdings.now(), _open_files()
        for _ in range(200):
            episode(url)
        assert leftovers(before, within_s=5) == []
        assert _open_files() <= files
        table = table_of(app)
        assert table is not None
        assert table.active <= 1


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else 0


def test_client_that_is_killed_frees_its_place_once_its_grace_is_over() -> None:
    program = (
        "import sys; from tests.support.echo import EchoEnv; env = EchoEnv(sys.argv[1]); env.reset();"
        "print('ready', flush=True); sys.stdin.read()"
    )
    config = ServerConfig(max_sessions=1, grace_s=0.2, queue_s=10)
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url:
        command = [sys.executable, "-c", program, url]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            try:
                assert client.stdout is not None
                assert client.stdout.readline() == b"ready\n"
            finally:
                client.send_signal(signal.SIGKILL)
        in_a_block(url)


@pytest.mark.parametrize("play", [in_a_block, in_a_loop_of_its_own], ids=["sync", "async"])
def test_a_proxy_is_passed_by_without_a_change_to_the_environment(
    play: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    before = dict(os.environ)
    with serving(app_of(EchoEnvironment)) as url:
        play(url)
    assert dict(os.environ) == before


# ---- a server that has to wait for an environment


class Described(Staged):
    """Describes itself, and waits before it does."""

    def get_metadata(self) -> EnvironmentMetadata:
        self.stage.enter("get_metadata")
        return EnvironmentMetadata(name="slow")


def test_environments_are_built_side_by_side_and_health_waits_for_none(stage: Stage) -> None:
    stage.held = {"init"}
    with (
        serving(app_of(partial(Staged, stage), max_sessions=4), log_config=None) as url,
        http(url) as client,
        ThreadPoolExecutor(4) as callers,
    ):
        resets = [callers.submit(client.post, "/reset", headers={"X-Session-Id": "new"}) for _ in range(4)]
        stage.expect("init", 4)
        assert client.get("/health").status_code == 200
        stage.release()
        assert [reset.result().status_code for reset in resets] == [200] * 4


def test_health_does_not_wait_for_a_description(stage: Stage) -> None:
    stage.held = {"get_metadata"}
    with (
        serving(app_of(partial(Described, stage)), log_config=None) as url,
        http(url) as client,
        ThreadPoolExecutor(1) as caller,
    ):
        asked = caller.submit(client.get, "/metadata")
        stage.expect("get_metadata")
        assert client.get("/health").status_code == 200
        stage.release()
        assert asked.result().json()["name"] == "slow"


def test_session_that_is_deleted_is_not_stepped_on_by_the_socket_that_joined_it(stage: Stage) -> None:
    with serving(app_of(partial(Staged, stage)), log_config=None) as url, http(url) as client:
        session = _session_of(client)
        with ws(url, additional_headers={"X-Session-Id": session}) as peer:
            assert ask(peer, step("Hi"))["type"] == "observation"
            assert client.delete("/session", headers={"X-Session-Id": session}).json()["closed"]
            assert ask(peer, step("Hi"))["data"]["code"] == "SESSION_ENDED"
        assert (stage.count("step"), stage.count("close")) == (1, 1)


def _session_of(client: Any) -> str:
    created = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create", "params": {}}
    session: str = client.post("/mcp", json=created).json()["result"]["session_id"]
    return session


# ---- what environments return


class Odd(EchoEnvironment):
    """Counts a step, and then returns what cannot be sent."""

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        observation = self._echo(action.message)
        observation.reward = float(action.message)
        return observation


def test_step_whose_observation_cannot_be_sent_was_taken_all_the_same() -> None:
    with serving(app_of(Odd), log_config=None) as url, EchoEnv(url) as env:
        env.reset()
        with pytest.raises(BadObservation, match="field 'reward' is nan"):
            env.step(EchoAction(message="nan"))
        assert env.state().step_count == 1
        assert env.step(EchoAction(message="0.5")).metadata == {"step": 2}


class Interrupting(Staged):
    """Raises what Ctrl-C raises, in the method that its stage says."""

    def __init__(self, stage: Stage, method: str | None) -> None:
        self.interrupted = method
        super().__init__(stage)
        self._may("init")

    def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        self._may("reset")
        return super().reset(**options)

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        self._may("step")
        return super().step(action)

    @property
    def state(self) -> Any:
        self._may("state")
        return super().state

    def close(self) -> None:
        super().close()
        self._may("close")

    def _may(self, method: str) -> None:
        if method == self.interrupted:
            raise KeyboardInterrupt


@pytest.mark.parametrize("method", ["init", "reset", "step", "state", "close"])
def test_interrupt_that_an_environment_raises_does_not_end_the_server(method: str, stage: Stage) -> None:
    methods: list[str | None] = [method]  # of the first environment alone
    app = app_of(lambda: Interrupting(stage, methods.pop() if methods else None), max_sessions=1, queue_s=8)
    with serving(app, log_config=None) as url:
        with ws(url) as peer:
            if method == "init":  # said unasked, and then the server hangs up
                assert reply(peer)["data"]["exception"] == "KeyboardInterrupt"
            for request in [] if method == "init" else [{"type": "reset"}, step("Hi"), {"type": "state"}]:
                said = ask(peer, request)["data"].get("exception")
                assert said == ("KeyboardInterrupt" if request["type"] == method else None)
        in_a_block(url)


@dataclasses.dataclass
class Plain:
    message: str = ""


@pytest.mark.parametrize("given", [Plain, dict, None, "EchoAction", EchoAction(message="")])
def test_classes_that_are_no_models_are_refused_at_once(given: Any) -> None:
    for make in (create_app, create_fastapi_app):
        for name, options in (
            ("action_cls", {"action_cls": given, "observation_cls": EchoObservation}),
            ("observation_cls", {"action_cls": EchoAction, "observation_cls": given}),
        ):
            with pytest.raises(ConfigurationError, match=f"{name}=.* is no model of pydantic"):
                make(EchoEnvironment, **options)


# ---- pages elsewhere


def test_no_route_answers_a_page_elsewhere_or_a_form() -> None:
    app = app_of(EchoEnvironment, web=True)
    routes = [route for route in app.routes if isinstance(route, Route) and route.path != "/health"]
    sockets = [route.path for route in app.routes if isinstance(route, WebSocketRoute)]
    assert {"/reset", "/step", "/state", "/mcp", "/web/step", "/docs"} <= {route.path for route in routes}
    assert {"/ws", "/mcp"} <= set(sockets)
    form = {"Content-Type": "text/plain"}
    with serving(app, log_config=None) as url, http(url) as client:
        for route in routes:
            if "/static/" in route.path:  # open to the sandboxed frame, which has no origin
                continue
            for method in (route.methods or set()) - {"HEAD"}:
                answer = client.request(method, route.path, headers={"Origin": EVIL})
                assert (route.path, answer.status_code) == (route.path, 403)
                if method != "POST":
                    continue
                for headers in ([] if route.path == "/mcp" else [form]) + [{**form, "Origin": url}]:
                    answer = client.post(route.path, content="{}", headers=headers)
                    assert (route.path, answer.status_code) == (route.path, 415)
        for path in sockets:
            answer = client.get(path, headers={**HANDSHAKE, "Origin": EVIL})
            assert (path, answer.status_code) == (path, 403)


@contextmanager
def the_scaffolds_own_script(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "server.app", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[-1]
        finally:
            server.terminate()
            server.communicate(timeout=15)


@contextmanager
def the_command(folder: Path) -> Iterator[str]:
    with openenv_serve(folder) as serving:
        yield serving.url


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has every address that begins with 127")
@pytest.mark.parametrize("start", [the_command, the_scaffolds_own_script], ids=["command", "script"])
def test_server_listens_on_one_address_of_this_machine_unless_told_otherwise(
    start: Callable[[Path], AbstractContextManager[str]], tmp_path: Path
) -> None:
    with start(environment_folder(tmp_path)) as url:
        port = urlsplit(url).port
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)


# ---- what is secret


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_log_of_the_server_has_neither_sessions_nor_tokens(transport: str, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(EchoEnvironment, token="hush")
    with serving(app, ws=transport, log_level="info", log_config=None) as url:
        with http(url, headers={"Authorization": "Bearer hush"}) as client:
            session = _session_of(client)
        _join(url, session, caplog, subprotocols=["openenv.v1", subprotocol("hush")])
    for secret in (session, "hush", subprotocol("hush")):
        assert secret not in caplog.text


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_log_of_a_worker_that_passes_a_socket_on_has_no_session(
    transport: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with workers(tmp_path, ws=transport) as (one, other):
        with http(one) as client:
            session = client.post("/reset", headers={"X-Session-Id": "new"}).headers["X-Session-Id"]
        _join(other, session, caplog)
    assert session not in caplog.text


def _join(url: str, session: str, caplog: pytest.LogCaptureFixture, **settings: Any) -> None:
    """Join a session by the address of a socket, as OpenEnv's clients do, and see that the log tells of the socket."""
    uvicorn = logging.getLogger("uvicorn")
    propagates, uvicorn.propagate = uvicorn.propagate, True
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, "uvicorn.error")
    try:
        with connect(f"{url.replace('http', 'ws', 1)}/ws?session_id={session}", proxy=None, **settings) as peer:
            assert ask(peer, step("Hi"))["type"] == "observation"
    finally:
        uvicorn.propagate = propagates
    assert '"WebSocket /ws" [accepted]' in caplog.text


def nobody() -> str:
    """An address where nobody listens, with a password and a query."""
    with bind("127.0.0.1", 0) as listener:
        return f"http://someone:hush@127.0.0.1:{listener.getsockname()[1]}?key=hush"


def drawn_from_a_pool(url: str) -> None:
    with EchoEnv.pool([url], open_timeout_s=1) as pool, pool.session(timeout_s=0.2) as env:
        env.reset()


@pytest.mark.parametrize(
    "call",
    [
        lambda: in_a_block(nobody()),
        lambda: in_a_loop_of_its_own(nobody()),
        lambda: EchoEnv.vector([nobody()], num_envs=2).reset(),
        lambda: drawn_from_a_pool(nobody()),
        lambda: openenv.gym.make(nobody()),
        lambda: in_a_block("http://someone:hush@[::1"),
        lambda: EchoEnv("http://localhost", headers={"Authorization": "Bearer hush\n"}),
        lambda: EchoEnv("http://localhost", headers={"X-Key\r\n": "hush"}),
    ],
    ids=["sync", "async", "vector", "pool", "gym", "address", "header", "name of a header"],
)
def test_error_says_where_and_no_secret(call: Callable[[], Any]) -> None:
    with pytest.raises(OpenEnvError) as caught:
        call()
    chain: BaseException | None = caught.value
    while isinstance(chain, OpenEnvError):
        assert "hush" not in str(chain)
        chain = chain.__cause__


# ---- the command


def test_folder_one_stands_in_is_validated_under_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(environment_folder(tmp_path))
    ran = CliRunner().invoke(cli, ["validate", ".", "--level", "static"])
    assert ran.stdout.splitlines()[-1].startswith(f"{tmp_path / 'my_env'}: ")


@pytest.mark.parametrize(
    ("options", "has_page"), [(["no-interface", "interface"], True), (["interface", "no-interface"], False)]
)
def test_of_two_options_that_contradict_each_other_the_last_holds(
    options: list[str], has_page: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(environment_folder(tmp_path))
    ran = CliRunner().invoke(cli, ["push", "--dry-run", *(f"--{option}" for option in options)])
    assert ran.exit_code == 0, ran.output
    assert ("base_path: /web" in ran.stdout) is has_page
