"""`openenv serve`: finds the environment, serves it as it was told to, and stops in good order."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from openenv.server.run import bind
from tests.server.peers import ask, http, reply, step, ws
from tests.support.command import OPENENV, ROOT, expect_refusal, openenv_serve
from tests.support.upstream import write_environment

APP = """
from openenv import create_app
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho


class Gated(ThreadedEcho):
    def step(self, action, **options):
        if action.message == "hold":
            open("entered", "w").close()  # both are pipes, with the test at the other end
            open("go").close()
        return super().step(action)


app = create_app(Gated, EchoAction, EchoObservation, env_name="echo", max_concurrent_envs=5)
"""
NEW = {"X-Session-Id": "new"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An environment's folder."""
    folder = tmp_path / "my_env"
    (folder / "server").mkdir(parents=True)
    (folder / "server/app.py").write_text(APP)
    (folder / "openenv.yaml").write_text("name: my_env\n")
    return folder


def _get(url: str, **settings: Any) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=10, **settings)


# ---- what it finds, and what it says


@pytest.mark.parametrize(("where", "path"), [(".", []), ("..", ["my_env"]), ("/", None)])
def test_environment_is_served_from_inside_and_outside_its_folder(
    where: str, path: list[str] | None, folder: Path
) -> None:
    arguments = [str(folder)] if path is None else path
    with openenv_serve(*arguments, cwd=folder / where) as serving:
        assert _get(f"{serving.url}/metadata").json()["name"] == "echo"
        with ws(serving.url) as peer:
            assert ask(peer, step("Hello, World!"))["data"]["reward"] == 1.3


def test_it_says_where_the_page_the_docs_and_the_socket_are(folder: Path) -> None:
    with openenv_serve(folder) as serving:
        host = serving.url.removeprefix("http://")
        assert serving.said == (
            f"Serving my_env at http://{host}\n\n"
            f"  page    http://{host}/web\n"
            f"  docs    http://{host}/docs\n"
            f"  socket  ws://{host}/ws\n\n"
            "Ctrl-C stops it.\n"
        )
        for name, url in re.findall(r"  (page|docs) +(\S+)", serving.said):
            assert _get(url).status_code == 200, name
        said = serving.said
        assert serving.stop() == 0
        assert serving.said == said, "it said more than it was asked"


def test_app_is_where_it_is_told_to_be_with_or_without_a_manifest(folder: Path) -> None:
    (folder / "server").rename(folder / "elsewhere")
    with openenv_serve(folder, "--app", "elsewhere.app:app") as serving:
        assert _get(f"{serving.url}/metadata").json()["name"] == "echo"
    (folder / "openenv.yaml").unlink()
    with openenv_serve(folder, "--app", "elsewhere.app:app") as serving:
        assert "Serving my_env at" in serving.said
        assert _get(f"{serving.url}/metadata").json()["name"] == "echo"


@pytest.mark.parametrize("arguments", [[".", "--app", "server.app"], ["gym:CartPole-v1", "--app", "server.app:app"]])
def test_an_app_that_cannot_be_one_is_refused(arguments: list[str], folder: Path) -> None:
    done = CliRunner().invoke(app, ["serve", *arguments])
    assert done.exit_code == 2
    assert "write it as module:attribute" in done.stderr


def test_an_environment_written_for_openenv_is_served_as_it_is(tmp_path: Path) -> None:
    folder = write_environment(tmp_path / "who_env", "openenv-core[core]>=0.2.1")
    beside = tmp_path / "site-packages"
    (info := beside / "openenv_core-0.3.0.dist-info").mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: openenv-core\nVersion: 0.3.0\n")
    with openenv_serve(folder, environ={"PYTHONPATH": os.pathsep.join([str(ROOT), str(beside)])}) as serving:
        assert "openenv-core is installed beside openenv-runtime" in serving.said
        assert "pip uninstall -y openenv-core" in serving.said
        with ws(serving.url) as peer:
            assert ask(peer, step("hi"))["data"]["observation"]["echoed"] == "hi"


def test_app_is_where_the_manifest_says(folder: Path) -> None:
    (folder / "server").rename(folder / "elsewhere")
    (folder / "openenv.yaml").write_text("name: my_env\napp: elsewhere.app:app\n")
    with openenv_serve(folder) as serving:
        assert _get(f"{serving.url}/metadata").json()["name"] == "echo"


def test_it_is_healthy_soon(folder: Path, record_property: Callable[[str, object], None]) -> None:
    since = time.perf_counter()
    with openenv_serve(folder) as serving:
        assert _get(f"{serving.url}/health").json() == {"status": "healthy"}
        took_s = time.perf_counter() - since
    record_property("healthy_after_s", took_s)
    assert took_s < 5


# ---- what it refuses


@pytest.mark.parametrize(
    ("manifest", "arguments", "complaint"),
    [
        (
            None,
            [],
            "has no openenv.yaml, so it is no environment; go to one, or name its folder, or where an app is by --app",
        ),
        ("name: [my_env\n", [], "openenv.yaml is not YAML: line 2: expected ',' or ']'"),
        ("name: my_env\nport: http\n", [], "`port` is 'http'; it must be a whole number from 0 to 65535"),
        ("name: my_env\napp: server\n", [], "`app` is 'server'; write it as module:attribute, such as server.app:app"),
        ("name: my_env\n", ["--reload", "--workers", "2"], "leave out --reload or --workers"),
        ("name: my_env\n", ["--token", " "], "--token is empty, which would let everybody in"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_exit_2(
    manifest: str | None, arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    if manifest:
        (tmp_path / "openenv.yaml").write_text(manifest)
    ran = CliRunner().invoke(app, ["serve", str(tmp_path), *arguments])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1


def _failed(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """Run `openenv serve` on what it cannot serve, and give its exit code and what it said."""
    command = [*OPENENV, "serve", str(folder), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | (environ or {})
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=15, check=False)
    assert ran.stdout == ""
    return ran.returncode, ran.stderr


def test_taken_port_is_one_sentence_with_exit_2(folder: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        (folder / "openenv.yaml").write_text(f"name: my_env\nport: {port}\n")
        code, said = _failed(folder)
    taken_by = f"port {port} on 127.0.0.1 is taken by another program"
    assert (code, said) == (2, f"error: {taken_by}; choose another, or 0 for any that is free\n")


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("server.gone:app", "the app 'server.gone:app' is not there: Could not import module \"server.gone\"."),
        ("gone.app:app", "the app 'gone.app:app' is not there: No module named 'gone'"),
        ("server.app:gone", "the app 'server.app:gone' is not there: Attribute \"gone\" not found in module"),
    ],
)
def test_app_that_is_not_there_is_one_sentence_with_exit_2(target: str, complaint: str, folder: Path) -> None:
    (folder / "openenv.yaml").write_text(f"name: my_env\napp: {target}\n")
    code, said = _failed(folder, "--port", "0")
    assert code == 2
    assert said.startswith(f"error: {complaint}")
    assert said.count("\n") == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_app_that_raises_is_told_by_the_last_frames_of_its_traceback(workers: str, folder: Path) -> None:
    calls = "".join(f"def f{n}():\n    f{n + 1}()\n\n\n" for n in range(5))
    (folder / "server/app.py").write_text(f"{calls}def f5():\n    return {{}}['model']\n\n\nf0()\n")
    code, said = _failed(folder, "--port", "0", "--workers", workers)
    assert code == 1
    assert said.startswith("error: server.app:app could not be imported\n\n  File ")
    assert re.findall(r"in (\w+)\n", said) == ["f3", "f4", "f5"]
    assert f'File "{folder}/server/app.py", line 22, in f5\n' in said
    assert said.endswith("KeyError: 'model'\n")


@pytest.mark.parametrize(
    ("source", "code", "last"),
    [
        ("import no_such_package", 1, "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit('no licence')", 1, "SystemExit: no licence"),
        ("app = (", 1, "SyntaxError: '(' was never closed"),
        (APP, 2, "error: OPENENV_QUEUE_S='soon': must be a number of seconds, 0 or more"),
    ],
)
def test_app_that_fails_ends_with_its_own_words(source: str, code: int, last: str, folder: Path) -> None:
    (folder / "server/app.py").write_text(source)
    ended, said = _failed(folder, "--port", "0", environ={"OPENENV_QUEUE_S": "soon"})
    assert (ended, said.splitlines()[-1]) == (code, last)


# ---- what it is told


@pytest.mark.parametrize(
    ("arguments", "variable", "key", "sessions"),
    [
        (["--max-sessions", "2"], "3", 4, 2),
        ([], "3", 4, 3),
        ([], "", 4, 4),
        ([], None, None, 5),
    ],
)
def test_session_limit_is_the_command_lines_the_variables_the_manifests_or_the_apps(
    arguments: list[str], variable: str | None, key: int | None, sessions: int, folder: Path
) -> None:
    (folder / "openenv.yaml").write_text("name: my_env\n" + ("" if key is None else f"max_sessions: {key}\n"))
    environ = {"OPENENV_QUEUE_S": "0"} | ({} if variable is None else {"OPENENV_MAX_SESSIONS": variable})
    with openenv_serve(folder, *arguments, environ=environ) as serving, http(serving.url, headers=NEW) as client:
        answers = [client.post("/reset", json={}).status_code for _ in range(sessions + 1)]
    assert answers == [200] * sessions + [503]


@pytest.mark.parametrize(
    ("arguments", "variable", "status"),
    [
        ([], None, 200),
        (["--no-web"], None, 404),
        ([], "", 200),
        ([], " ", 200),
        ([], "false", 404),
        (["--web"], "false", 200),
    ],
)
def test_page_is_there_unless_it_is_turned_off(
    arguments: list[str], variable: str | None, status: int, folder: Path
) -> None:
    environ = {} if variable is None else {"ENABLE_WEB_INTERFACE": variable}
    with openenv_serve(folder, *arguments, environ=environ) as serving:
        assert [_get(f"{serving.url}{path}", follow_redirects=True).status_code for path in ("/web", "/")] == [
            status
        ] * 2
        assert ("page" in serving.said) == (status == 200)


@pytest.mark.parametrize(
    ("arguments", "variable", "status"),
    [
        ([], None, 200),
        ([], "production", 404),
        (["--mode", "production"], "simulation", 404),
        (["--mode", "simulation"], "production", 200),
    ],
)
def test_mode_is_the_command_lines_or_the_variables(
    arguments: list[str], variable: str | None, status: int, folder: Path
) -> None:
    environ = {} if variable is None else {"OPENENV_MODE": variable}
    with openenv_serve(folder, *arguments, environ=environ) as serving, http(serving.url) as client:
        assert client.post("/reset", json={}).status_code == status


def test_mode_that_there_is_none_of_is_one_sentence(folder: Path) -> None:
    code, said = _failed(folder, environ={"OPENENV_MODE": "prod"})
    assert (code, said) == (2, "error: OPENENV_MODE='prod': must be simulation or production\n")


def _answers(url: str, token: str) -> list[int]:
    """Say how the server takes no token, a wrong one, and this one."""
    headers: list[dict[str, str]] = [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {token}"}]
    return [_get(f"{url}/metadata", headers=each).status_code for each in headers]


def test_token_on_the_command_line_is_asked_for_and_earns_a_hint(folder: Path) -> None:
    with openenv_serve(folder, "--token", "secret") as serving:
        assert _answers(serving.url, "secret") == [401, 401, 200]
    assert serving.said.startswith(
        "hint: a token on the command line shows in the list of processes; set OPENENV_TOKEN"
    )
    assert "secret" not in serving.said


def test_token_of_the_environment_is_asked_for_without_a_hint(folder: Path) -> None:
    with openenv_serve(folder, environ={"OPENENV_TOKEN": "secret"}) as serving:
        assert _answers(serving.url, "secret") == [401, 401, 200]
    assert serving.said.startswith("Serving my_env at ")
    assert "secret" not in serving.said


def test_new_token_is_made_up_and_printed(folder: Path) -> None:
    with openenv_serve(folder, "--token", "new") as serving:
        (token,) = re.findall(r"^token: +(\S{32})$", serving.said, re.MULTILINE)
        assert _answers(serving.url, token) == [401, 401, 200]
    assert "hint" not in serving.said


def test_further_hosts_may_be_named(folder: Path) -> None:
    environ = {"OPENENV_ALLOWED_HOSTS": "one.example"}
    hosts = ["one.example", "two.example", "three.example", "four.example"]
    with openenv_serve(
        folder, "--allow-host", "two.example", "--allow-host", "three.example", environ=environ
    ) as serving:
        answers = [_get(f"{serving.url}/metadata", headers={"Host": host}).status_code for host in hosts]
    assert answers == [200, 200, 200, 403]


@pytest.mark.parametrize(("token", "warned"), [("", True), ("secret", False)])
def test_listening_for_others_without_a_token_earns_a_hint(token: str, warned: bool, folder: Path) -> None:
    with openenv_serve(folder, "--host", "0.0.0.0", environ={"OPENENV_TOKEN": token}) as serving:
        assert serving.url.startswith("http://127.0.0.1:")
        assert _get(f"{serving.url}/health").status_code == 200
    assert ("hint: whoever reaches 0.0.0.0 can drive this environment" in serving.said) == warned


def test_changed_file_restarts_the_environment(folder: Path) -> None:
    def name(url: str) -> str:
        try:
            return str(_get(f"{url}/metadata").json()["name"])
        except httpx.TransportError:  # the moment it stopped
            return ""

    with openenv_serve(folder, "--reload") as serving:
        assert name(serving.url) == "echo"
        pause, source = threading.Event(), APP.replace('"echo"', '"changed"')
        while name(serving.url) != "changed":
            (folder / "server/app.py").write_text(source)  # again: it may not have taken its first look yet
            pause.wait(0.1)
        assert serving.stop() == 0


# ---- how it stops


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", [[], ["--reload"]])
def test_signal_stops_it_with_exit_0(number: signal.Signals, mode: list[str], folder: Path) -> None:
    with openenv_serve(folder, *mode) as serving:
        with ws(serving.url) as peer:
            ask(peer, step("Hi"))
        since = time.perf_counter()
        assert serving.stop(number) == 0
        assert time.perf_counter() - since < 5
        assert serving.said.endswith("Ctrl-C stops it.\n")


def test_interrupt_that_is_swallowed_during_the_import_ends_it_with_exit_130(folder: Path) -> None:
    swallowing = "import signal, weakref\n\nclass Thing: ...\n\nthing = Thing()\n"
    swallowing += "reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))\ndel thing\n"
    (folder / "server/app.py").write_text(APP + swallowing)
    code, said = _failed(folder, "--port", "0")
    assert code == 130
    assert "Serving" not in said


@pytest.mark.parametrize("mode", [[], ["--workers", "2"]])
def test_step_under_way_is_answered_before_it_stops(mode: list[str], folder: Path) -> None:
    os.mkfifo(folder / "entered")
    os.mkfifo(folder / "go")
    with openenv_serve(folder, *mode) as serving, ws(serving.url) as peer:
        peer.send('{"type":"step","data":{"message":"hold"}}')
        (folder / "entered").read_text()
        serving.process.send_signal(signal.SIGTERM)
        expect_refusal(serving.url)
        (folder / "go").write_text("")
        assert reply(peer)["data"]["observation"]["echoed_message"] == "hold"
        assert serving.stop() == 0
