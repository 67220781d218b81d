"""`openenv.server.worker_process` and `nursery_process` under `openenv serve`: nothing of them is left behind."""

import os
import select
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from tests.server.peers import Peer, ask, closing, http, step, ws
from tests.support.command import Serving, expect_refusal, openenv_serve

APP = """
from openenv import create_app
from tests.server.hazards import Hazard
from tests.support.echo import EchoAction, EchoObservation

app = create_app(Hazard, EchoAction, EchoObservation, max_concurrent_envs=4)
"""
ISOLATED = ("--isolation", "process")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my_env")
    (folder / "server").mkdir()
    (folder / "server/app.py").write_text(APP)
    (folder / "openenv.yaml").write_text("name: my_env\n")
    return folder


@pytest.fixture
def isolated(folder: Path, tmp_path: Path) -> Iterator[Serving]:
    os.mkfifo(tmp_path / "entered")
    os.mkfifo(tmp_path / "go")
    environ = {
        "OPENENV_QUEUE_S": "5",
        "HAZARD_ENTERED": str(tmp_path / "entered"),
        "HAZARD_GO": str(tmp_path / "go"),
    }
    with openenv_serve(folder, *ISOLATED, environ=environ) as serving:
        yield serving


def _pid(peer: Peer) -> int:
    return int(ask(peer, step("Hi"))["data"]["observation"]["metadata"]["pid"])


def _code(answer: dict[str, Any]) -> str:
    assert answer["type"] == "error", answer
    return str(answer["data"]["code"])


def _ended(watched: int) -> bool:
    ended = bool(select.select([watched], [], [], 10)[0])
    os.close(watched)
    return ended


def test_crash_is_told_over_the_socket_and_costs_nobody_else(isolated: Serving) -> None:
    with ws(isolated.url) as doomed, ws(isolated.url) as other:
        assert _pid(doomed) != _pid(other)
        answer = ask(doomed, step("segfault"))
        assert _code(answer) == "EXECUTION_ERROR"
        assert "killed by signal 11 (SIGSEGV)" in answer["data"]["message"]
        assert _code(ask(doomed, step("Hi"))) == "SESSION_ENDED"
        assert closing(doomed) == 1000
        assert ask(other, step("Hi"))["data"]["observation"]["metadata"]["step"] == 2
    isolated.stop()
    assert "Fatal Python error: Segmentation fault" in isolated.said
    assert "died (killed by signal 11 (SIGSEGV)), and 1 sessions with it" in isolated.said


def test_sessions_over_http_live_in_processes_too(isolated: Serving) -> None:
    with http(isolated.url) as client:
        opened = client.post("/reset", json={}, headers={"X-Session-Id": "new"})
        bound = {"X-Session-Id": opened.headers["X-Session-Id"]}
        assert client.post("/step", json={"action": {"message": "Hi"}}, headers=bound).json()["reward"] == 0.2
        hung = client.post("/step", json={"action": {"message": "hang"}, "timeout_s": 0.2}, headers=bound)
        assert (hung.status_code, hung.json()["code"]) == (504, "TIMED_OUT")
        gone = client.get("/state", headers=bound)
        assert (gone.status_code, gone.json()["code"]) == (410, "SESSION_ENDED")
        opened = client.post("/reset", json={}, headers={"X-Session-Id": "new"})
        bound = {"X-Session-Id": opened.headers["X-Session-Id"]}
        crashed = client.post("/step", json={"action": {"message": "exit 3"}}, headers=bound)
        assert (crashed.status_code, crashed.json()["code"]) == (500, "EXECUTION_ERROR")
        assert "exit code 3" in client.get("/state", headers=bound).json()["detail"]
        assert client.get("/metadata").json()["name"] == "Hazard"


def test_what_environments_print_and_log_is_in_the_servers_output(isolated: Serving) -> None:
    with ws(isolated.url) as peer:
        ask(peer, step("print hello"))
        ask(peer, step("raise"))
    isolated.stop()
    assert "\nhello\n" in isolated.said
    assert "logged hello" in isolated.said
    assert "ValueError: asked to" in isolated.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_server_and_its_workers_quietly(
    number: signal.Signals, isolated: Serving, tmp_path: Path
) -> None:
    with ws(isolated.url) as peer, ThreadPoolExecutor(1) as executor:
        watched = os.pidfd_open(_pid(peer))
        said = isolated.said
        answer = executor.submit(ask, peer, step("gate"))
        (tmp_path / "entered").read_text()
        os.killpg(isolated.process.pid, number)  # as a terminal does
        expect_refusal(isolated.url)
        (tmp_path / "go").write_text("")
        assert answer.result(10)["data"]["reward"] == 0.4  # the step was let finish
        isolated.process.wait(15)
        assert isolated.stop() == 0
    assert _ended(watched)
    assert isolated.said == said


@pytest.mark.parametrize("message", [None, "hang", "hold", "spin"])
def test_workers_end_when_their_server_is_killed(message: str | None, isolated: Serving, tmp_path: Path) -> None:
    with ws(isolated.url) as peer, ThreadPoolExecutor(1) as executor:
        watched = os.pidfd_open(_pid(peer))
        if message:
            executor.submit(ask, peer, step(f"announced {message}"))
            (tmp_path / "entered").read_text()
        isolated.process.kill()
        assert _ended(watched), "a worker lives on without its server"


@pytest.mark.slow
def test_it_goes_with_several_servers_behind_the_port(folder: Path) -> None:
    with openenv_serve(folder, "--workers", "2", *ISOLATED, "--env-workers", "1") as serving:
        with ws(serving.url) as one, ws(serving.url) as two:
            watched = [os.pidfd_open(pid) for pid in {_pid(one), _pid(two)}]
            assert _code(ask(one, step("exit 1"))) == "EXECUTION_ERROR"
        assert serving.stop() == 0
    assert all(map(_ended, watched))


@pytest.mark.parametrize(
    ("source", "arguments", "complaint"),
    [
        (APP.replace("(Hazard", "(lambda: Hazard()"), ISOLATED, "defined at the top level of a module"),
        (APP.replace("(Hazard", "(Hazard()"), ISOLATED, "an instance, which lives in the server's process"),
        (APP, ("--env-workers", "2"), "--env-workers goes with --isolation process: add that, or leave it out"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_exit_2(
    source: str, arguments: tuple[str, ...], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"isolated_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / "openenv.yaml").write_text(f"name: my_env\napp: {name}:app\n")
    for variable in ("OPENENV_ISOLATION", "OPENENV_ENV_WORKERS", "ENABLE_WEB_INTERFACE"):
        monkeypatch.setenv(variable, "")  # so that what the command sets is taken back
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    ran = CliRunner().invoke(app, ["serve", str(tmp_path), *arguments])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1
