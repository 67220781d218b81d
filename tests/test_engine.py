"""Running `docker`: the command itself, the real engine, and stand-ins for an engine that fails in a certain way."""

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import IO

import pytest

from openenv.engine import docker, is_running, require_running, stream
from openenv.errors import EngineFailed, NotInstalled
from tests.support.engine import BASE_IMAGE, engine  # noqa: F401  # a fixture
from tests.support.services import require

pytestmark = pytest.mark.timeout(60)  # the last one to use an engine tidies up
with_engine = pytest.mark.usefixtures("engine")


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require(shutil.which("docker"), "needs the docker command")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")


@pytest.fixture
def broken_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A `docker` that fails at everything, saying what is in the files `version` and `command`."""
    script = tmp_path / "docker"
    script.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && cat {tmp_path}/version >&2 || cat {tmp_path}/command >&2\nexit 1'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@pytest.mark.usefixtures("no_docker")
def test_without_the_command_every_call_says_how_to_get_it() -> None:
    for call in (lambda: docker(["ps"]), lambda: stream(["ps"], print), require_running):
        with pytest.raises(NotInstalled, match="`docker` command cannot be run: No such file") as caught:
            call()
        assert "install Docker" in str(caught.value.hint)
    assert not is_running()


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_every_call_says_how_to_start_it() -> None:
    for call in (lambda: docker(["ps"]), lambda: stream(["ps"], lambda line: None), require_running):
        with pytest.raises(NotInstalled, match=r"the Docker engine does not answer: .*docker.sock") as caught:
            call()
        assert "start it" in str(caught.value.hint)
    assert not is_running()


def test_an_engine_that_goes_away_during_a_command_is_told_from_a_command_that_fails(broken_docker: Path) -> None:
    (broken_docker / "command").write_text("error waiting for container: unexpected EOF")
    (broken_docker / "version").write_text("Cannot connect to the Docker daemon")
    with pytest.raises(NotInstalled, match=r"(?s)does not answer: Cannot connect.*unexpected EOF") as caught:
        docker(["run", "image"])
    assert caught.value.logs == "error waiting for container: unexpected EOF"


def test_a_user_who_may_not_use_the_engine_is_told_so(broken_docker: Path) -> None:
    (broken_docker / "command").write_text("")
    (broken_docker / "version").write_text("permission denied while trying to connect to the daemon socket")
    with pytest.raises(NotInstalled, match="does not let this user in") as caught:
        docker(["ps"])
    assert "group `docker`" in str(caught.value.hint)


@with_engine
def test_a_failing_command_is_named_without_its_options_and_quotes_the_engine() -> None:
    argv = ["run", "--rm", "--pull", "never", "--env", "TOKEN=hunter2", "no-such-image:0"]
    for call in (lambda: docker(argv), lambda: stream(argv, lambda line: None)):
        with pytest.raises(EngineFailed, match="`docker run` failed with exit code 125") as caught:
            call()
        assert caught.value.exit_code == 125
        assert "No such image: no-such-image:0" in caught.value.logs
        assert "hunter2" not in str(caught.value)


@with_engine
def test_a_command_that_takes_too_long_is_ended() -> None:
    for call in (
        lambda: docker(["events"], timeout_s=0.2),
        lambda: stream(["events"], lambda line: None, timeout_s=0.2),
    ):
        with pytest.raises(EngineFailed, match=r"`docker events` was ended after 0.2 s") as caught:
            call()
        assert caught.value.exit_code is None


@with_engine
def test_input_and_environment_reach_the_command() -> None:
    argv = ["run", "--rm", "--interactive", "--network", "none", "--env", "TOKEN", BASE_IMAGE]
    said = docker([*argv, "sh", "-c", 'read line; echo "$line $TOKEN"'], stdin=b"hello\n", env={"TOKEN": "hunter2"})
    assert said == "hello hunter2"


@with_engine
def test_lines_of_both_outputs_come_while_the_command_runs() -> None:
    answered = threading.Event()
    lines: list[str] = []

    def feed(stdin: IO[bytes]) -> None:
        stdin.write(b"first\n")
        stdin.flush()
        assert answered.wait(10), "the first line was held back"
        stdin.write(b"second\n")

    def on_line(line: str) -> None:
        lines.append(line)
        answered.set()

    script = "read line; echo out $line; read line; echo err $line >&2"
    stream(["run", "--rm", "--interactive", "--network", "none", BASE_IMAGE, "sh", "-c", script], on_line, feed=feed)
    assert lines == ["out first", "err second"]


@with_engine
def test_a_command_that_does_not_read_its_input_succeeds_all_the_same() -> None:
    lines: list[str] = []

    def feed(stdin: IO[bytes]) -> None:
        stdin.write(bytes(2**22))

    stream(["version", "--format", "{{.Server.Os}}"], lines.append, feed=feed)
    assert lines == ["linux"]


@with_engine
def test_an_input_that_fails_half_way_is_not_taken_for_the_whole() -> None:
    lines: list[str] = []

    def feed(stdin: IO[bytes]) -> None:
        stdin.write(b"half")
        stdin.flush()
        raise ValueError("no other half")

    with pytest.raises(ValueError, match="no other half"):
        stream(
            ["run", "--rm", "--interactive", "--network", "none", BASE_IMAGE, "sh", "-c", "cat; echo the end"],
            lines.append,
            feed=feed,
        )
    assert "the end" not in "".join(lines)


@with_engine
def test_an_interrupted_command_ends_with_its_input() -> None:
    def interrupt(line: str) -> None:
        signal.raise_signal(signal.SIGINT)

    def feed(stdin: IO[bytes]) -> None:
        while True:
            stdin.write(b"more\n")
            stdin.flush()

    with pytest.raises(KeyboardInterrupt):
        stream(["run", "--rm", "--init", "--interactive", "--network", "none", BASE_IMAGE, "cat"], interrupt, feed=feed)
