"""The docker runtime on a real engine: what goes wrong first, then what it promises."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from openenv import GenericEnvClient
from openenv.engine import docker
from openenv.errors import ConfigurationError, NotInstalled, NotReady, StartFailed
from openenv.runtimes import Runtime, RuntimeState
from openenv.runtimes.container_command import RUN_LABEL, removal_command
from openenv.runtimes.contract import is_healthy
from openenv.runtimes.docker import DockerRuntime, _make_isolated_network, describe_end, missing_image
from openenv.testing.runtimes import RuntimeChecks
from tests.runtimes.images import containers_of
from tests.runtimes.relay import Relay
from tests.runtimes.waiting import until
from tests.support.engine import BASE_IMAGE, require_engine
from tests.support.services import require

# The images are built by the first test that needs them, which takes its time.
pytestmark = pytest.mark.timeout(60, func_only=True)

ENDED_S = 15


def ask(url: str, route: str, **query: Any) -> Any:
    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)) as connection:
        connection.request("GET", f"{route}?{urlencode(query)}")
        return json.loads(connection.getresponse().read())


def inspected(runtime: DockerRuntime) -> dict[str, Any]:
    (told,) = json.loads(docker(["container", "inspect", runtime.name]))
    return dict(told)


def ids_with(label: str) -> list[str]:
    return docker(["ps", "--all", "--quiet", "--filter", f"label={label}"]).split()


class TestDockerRuntime(RuntimeChecks):
    """The checks of every runtime."""

    @pytest.fixture(autouse=True)
    def _images(self, environment_image: str, stand_in: str) -> None:
        self.image, self.stand_in = environment_image, stand_in

    def make(self) -> Runtime:
        return DockerRuntime(self.image)

    def make_failing(self) -> Runtime:
        return DockerRuntime(self.stand_in, env_vars={"MODE": "dies"})

    def kill(self, runtime: Runtime) -> None:
        assert isinstance(runtime, DockerRuntime)
        docker(["kill", runtime.name])

    def left_behind(self) -> list[str]:
        return containers_of(self.image) + containers_of(self.stand_in)


# What goes wrong.


def test_a_container_that_dies_is_told_at_once_with_its_last_lines(stand_in: str) -> None:
    begun = time.monotonic()
    with pytest.raises(StartFailed, match=r"it exited with code 3") as caught:
        DockerRuntime(stand_in, env_vars={"MODE": "dies"}, start_timeout_s=60).start()
    assert time.monotonic() - begun < 10
    assert "the stand-in starts" in caught.value.logs
    assert "ImportError: no such module" in str(caught.value)
    assert containers_of(stand_in) == []


def test_a_server_that_never_answers_is_not_ready(stand_in: str) -> None:
    with pytest.raises(NotReady, match=r"within 1 s; allow more by start_timeout_s") as caught:
        DockerRuntime(stand_in, env_vars={"MODE": "silent"}, start_timeout_s=1).start()
    assert "the stand-in starts" in caught.value.logs
    assert containers_of(stand_in) == []


def test_an_image_without_a_server_fails_to_start() -> None:
    require_engine()
    with pytest.raises(StartFailed, match="it exited with code 0"):
        DockerRuntime(BASE_IMAGE, start_timeout_s=10).start()
    assert containers_of(BASE_IMAGE) == []


def test_what_the_engine_refuses_is_told_in_its_words(stand_in: str, tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    with pytest.raises(StartFailed, match=r"the engine did not start a container of \S+") as caught:
        DockerRuntime(stand_in, volumes={file: "/etc"}).start()
    assert caught.value.logs
    assert containers_of(stand_in) == []


@pytest.mark.parametrize(("pull", "why"), [("never", "pull is 'never'"), ("missing", "it could not be pulled")])
def test_a_missing_image_says_what_makes_it(pull: str, why: str) -> None:
    require_engine()
    image = "127.0.0.1:1/nobody/no_env-env:latest"
    with pytest.raises(StartFailed) as caught:
        DockerRuntime(image, pull=pull).start()
    assert str(caught.value).startswith(missing_image(image, why))
    assert f"`docker build -t {image} -f server/Dockerfile .`" in str(caught.value)


def test_a_port_that_a_process_has_is_told(stand_in: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=f"port {port} of 127.0.0.1 is taken"):
            DockerRuntime(stand_in, port=port).start()
    assert containers_of(stand_in) == []


def test_a_name_that_another_container_has_is_told_and_leaves_that_one_alone(stand_in: str) -> None:
    with DockerRuntime(stand_in) as first:
        with pytest.raises(StartFailed, match=f"there is a container {first.name} already"):
            DockerRuntime(stand_in, name=first.name).start()
        assert is_healthy(first.url)
        assert containers_of(stand_in) == [first.name]


def test_a_server_that_ignores_the_request_to_end_is_killed(stand_in: str) -> None:
    runtime = DockerRuntime(stand_in, env_vars={"MODE": "stubborn"}, stop_timeout_s=1)
    runtime.start()
    begun = time.monotonic()
    runtime.stop()
    assert 1 <= time.monotonic() - begun < 10
    assert containers_of(stand_in) == []


def test_a_container_out_of_memory_says_so_with_its_limit(stand_in: str) -> None:
    with DockerRuntime(stand_in, memory="64m") as runtime:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(runtime.url, "/eat")
        assert until(runtime.died)
        assert runtime.died() == "it was killed: out of memory, limit 64 MB"


def test_a_container_that_somebody_else_removed_is_told_and_stops(stand_in: str) -> None:
    with DockerRuntime(stand_in) as runtime:
        docker(["rm", "--force", runtime.name])
        assert runtime.died() == "its container was removed"
    assert runtime.state is RuntimeState.STOPPED


def test_no_engine_is_told_before_anything_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    runtime = DockerRuntime("my_env-env:latest")
    with pytest.raises(NotInstalled, match="the Docker engine does not answer"):
        runtime.start()
    monkeypatch.delenv("DOCKER_HOST")
    runtime.stop()


def test_an_engine_that_goes_away_mid_start_is_told_and_what_it_had_is_not_forgotten(
    stand_in: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runtime = DockerRuntime(stand_in, env_vars={"MODE": "silent"}, stop_timeout_s=0)
    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patched:
        relay = Relay(tmp_path / "docker.sock", Path("/var/run/docker.sock"))
        with relay:
            patched.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
            starting = pool.submit(runtime.start)
            assert until(lambda: containers_of(stand_in))
        error = starting.exception(ENDED_S)
    assert isinstance(error, NotInstalled)
    assert any("could not be taken away either" in note for note in error.__notes__)
    assert containers_of(stand_in) != []
    runtime.stop()
    assert containers_of(stand_in) == []


def test_stop_from_another_thread_ends_a_start(stand_in: str) -> None:
    runtime = DockerRuntime(stand_in, env_vars={"MODE": "silent"}, start_timeout_s=60)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(runtime.start)
        assert until(lambda: containers_of(stand_in))
        runtime.stop()
        with pytest.raises(StartFailed, match="it was stopped"):
            starting.result(ENDED_S)
    assert containers_of(stand_in) == []


SLOW = """#!/bin/sh
if [ "$1" = run ]; then
    (sleep 0.6; {docker} "$@"; touch {done}) >/dev/null 2>&1 &
    touch {begun}
    exec sleep 60
fi
exec {docker} "$@"
"""


def test_an_interrupted_start_waits_for_what_is_on_its_way(
    stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = tmp_path / "begun", tmp_path / "done"
    (slow := tmp_path / "docker").write_text(SLOW.format(docker=shutil.which("docker"), begun=begun, done=done))
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def interrupt() -> None:
        until(begun.exists)
        os.kill(os.getpid(), signal.SIGUSR1)

    def leave(number: int, frame: object) -> None:
        raise SystemExit(number)

    before = signal.signal(signal.SIGUSR1, leave)
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(interrupt)
            with pytest.raises(SystemExit):
                DockerRuntime(stand_in).start()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert until(done.exists)
    assert containers_of(stand_in) == []


def test_a_network_that_was_pruned_just_before_it_was_used_is_made_anew(
    stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter([lambda: None, _make_isolated_network])
    monkeypatch.setattr("openenv.runtimes.docker._make_isolated_network", lambda: next(made)())
    with DockerRuntime(stand_in, network="none") as runtime:
        assert is_healthy(runtime.url)
    assert len(containers_of(stand_in)) == 0


OWNER = """
import sys
from openenv.runtimes.docker import DockerRuntime
runtime = DockerRuntime(sys.argv[1], env_vars={"MODE": sys.argv[2]})
runtime.start()
print(runtime.name, flush=True)
input()
"""


@pytest.fixture
def owner(stand_in: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has a container."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, stand_in, ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_container_goes_with_the_process_that_was_killed(owner: subprocess.Popen[str], stand_in: str) -> None:
    assert owner.stdout is not None
    name = owner.stdout.readline().strip()
    assert name in containers_of(stand_in)
    owner.kill()
    assert until(lambda: name not in containers_of(stand_in))


def test_a_container_goes_with_the_process_that_ends_without_stopping_it(
    owner: subprocess.Popen[str], stand_in: str
) -> None:
    assert owner.stdout is not None
    name = owner.stdout.readline().strip()
    owner.communicate("\n", timeout=ENDED_S)
    assert owner.returncode == 0
    assert name not in containers_of(stand_in)


def test_a_container_that_comes_to_be_after_its_owner_was_killed_goes_too(stand_in: str) -> None:
    run = "0123456789abcdef"
    program = (
        "import sys; from openenv.runtimes import watchdog; from openenv.runtimes.container_command import *;"
        f"watchdog.guard('it', removal_command({run!r}), retry_s=15); print(flush=True); input()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    docker(["create", "--label", f"{RUN_LABEL}={run}", stand_in])
    assert until(lambda: not ids_with(f"{RUN_LABEL}={run}"))


def test_the_command_that_removes_fails_while_there_is_nothing() -> None:
    require_engine()
    assert subprocess.run(removal_command("f" * 32), capture_output=True).returncode != 0


# What is promised.


def test_every_limit_is_the_engines(stand_in: str, tmp_path: Path) -> None:
    with DockerRuntime(
        stand_in, memory="96m", cpus=0.5, pids=40, volumes={tmp_path: "/data:ro", "openenv-test-volume": "/kept"}
    ) as runtime:
        told = inspected(runtime)
    host = told["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (96 << 20, 96 << 20)
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 40
    assert host["Init"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Privileged"] is False
    mounts = {mount["Destination"]: (mount["Type"], mount["RW"]) for mount in told["Mounts"]}
    docker(["volume", "rm", "openenv-test-volume"])
    assert mounts == {"/data": ("bind", False), "/kept": ("volume", True)}


def test_without_being_asked_a_container_is_limited_and_may_be_unlimited(stand_in: str) -> None:
    with DockerRuntime(stand_in) as limited, DockerRuntime(stand_in, memory=None, cpus=None, pids=None) as unlimited:
        first, second = inspected(limited)["HostConfig"], inspected(unlimited)["HostConfig"]
    assert all(first[limit] > 0 for limit in ("Memory", "NanoCpus", "PidsLimit"))
    assert not any(second[limit] for limit in ("Memory", "NanoCpus", "PidsLimit"))


def test_a_volume_is_written_and_a_read_only_one_is_not(stand_in: str, tmp_path: Path) -> None:
    for mode, written in (("", True), (":ro", False)):
        folder = tmp_path / f"with, comma{mode.strip(':')}"
        folder.mkdir()
        folder.chmod(0o777)
        with DockerRuntime(stand_in, volumes={folder: f"/data{mode}"}) as runtime:
            assert ask(runtime.url, "/write", path="/data/file") is written
        assert (folder / "file").exists() is written


def test_every_value_of_an_environment_variable_arrives(stand_in: str) -> None:
    given = {
        "PLAIN": "value",
        "EMPTY": "",
        "SPACED": "  a # b 'c' \"d\" $HOME \\n  ",
        "LINES": "-----BEGIN-----\nx\r\ny\n",
        "TAB": "a\tb",
        "UNICODE": "naïve ☂",
        "LONG": "x" * 70_000,
        "DOCKER_HOST": "unix:///nothing",
        "PATH": "/usr/bin:/bin:/mine",
    }
    with DockerRuntime(stand_in, env_vars=given) as runtime:
        seen = ask(runtime.url, "/env")
    assert {name: seen[name] for name in given} == given


def test_a_container_is_reached_from_this_machine_alone(stand_in: str) -> None:
    with DockerRuntime(stand_in) as runtime:
        assert urlsplit(runtime.url).hostname == "127.0.0.1"
        published = inspected(runtime)["NetworkSettings"]["Ports"]
    assert [[where["HostIp"] for where in each] for each in published.values() if each] == [["127.0.0.1"]]


def test_both_ports_are_those_that_were_asked_for(stand_in: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with DockerRuntime(stand_in, port=port, container_port=9000, env_vars={"PORT": "9000"}) as runtime:
        assert runtime.url == f"http://127.0.0.1:{port}"
        assert is_healthy(runtime.url)


def test_without_a_network_it_is_reached_and_reaches_nobody(stand_in: str) -> None:
    require(sys.platform == "linux", "elsewhere the engine's networks are inside a virtual machine")
    with (
        DockerRuntime(stand_in) as other,
        DockerRuntime(stand_in) as open_one,
        DockerRuntime(stand_in, network="none") as closed_one,
        DockerRuntime(stand_in, network="none") as closed_too,
    ):
        address = inspected(other)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        assert ask(open_one.url, "/reach", host=address, port=8000) is True
        assert ask(closed_one.url, "/reach", host=address, port=8000) is False
        assert ask(closed_one.url, "/reach", host=urlsplit(closed_too.url).hostname, port=8000) is False


def test_gone_images_are_pulled_and_each_line_is_told(stand_in: str, registry: str) -> None:
    image = f"{registry}/pulled:latest"
    docker(["tag", stand_in, image])
    docker(["push", image])
    docker(["image", "rm", image])
    for pull in ("missing", "always"):
        lines: list[str] = []
        try:
            with DockerRuntime(image, pull=pull, on_progress=lines.append) as runtime:
                assert is_healthy(runtime.url)
        finally:
            docker(["image", "rm", image])
        assert any("Downloaded newer image" in line or "Pull complete" in line for line in lines), lines


@pytest.mark.timeout(120, func_only=True)
def test_ten_start_in_parallel(environment_image: str) -> None:
    def play(number: int) -> tuple[str, int]:
        with DockerRuntime(environment_image) as runtime, GenericEnvClient(runtime.url) as client:
            client.reset()
            client.step({"message": "x" * number})
            reached.wait(90)
            return runtime.url, client.step({"message": "x" * number}).observation["message_length"]

    reached = threading.Barrier(10)
    with ThreadPoolExecutor(10) as pool:
        played = list(pool.map(play, range(10)))
    assert len({url for url, _ in played}) == 10
    assert [length for _, length in played] == list(range(10))
    assert containers_of(environment_image) == []


def test_the_label_of_the_test_images_is_on_their_containers_beside_ours(stand_in: str) -> None:
    with DockerRuntime(stand_in, name="openenv-test-named") as runtime:
        labels = inspected(runtime)["Config"]["Labels"]
    assert {name for name in labels if name.startswith("openenv.")} == {"openenv.run", "openenv.owner", "openenv.port"}


def test_an_unknown_option_is_refused() -> None:
    options: dict[str, Any] = {"wait_timeout": 3}
    with pytest.raises(TypeError, match="wait_timeout"):
        DockerRuntime("my_env-env:latest", **options)


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_start_takes_time(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"start_timeout_s is {seconds}; it must be")):
        DockerRuntime("my_env-env:latest", start_timeout_s=seconds)


# Pure.


@pytest.mark.parametrize(
    ("state", "limit", "told"),
    [
        ({"Status": "running"}, None, None),
        ({"Status": "created"}, None, None),
        ({"Status": "exited", "ExitCode": 1}, None, "it exited with code 1"),
        ({"Status": "exited", "ExitCode": 137}, None, "it exited with code 137 (SIGKILL)"),
        ({"Status": "exited", "ExitCode": 127, "Error": "no such file"}, None, "it exited with code 127: no such file"),
        (
            {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
            256 << 20,
            "it was killed: out of memory, limit 256 MB",
        ),
        (
            {"Status": "exited", "ExitCode": 137, "OOMKilled": True},
            None,
            "it was killed: out of memory, it had no limit of its own",
        ),
    ],
)
def test_an_end_is_described_as_the_engine_saw_it(state: dict[str, Any], limit: int | None, told: str | None) -> None:
    assert describe_end({"ExitCode": 0, "OOMKilled": False, "Error": "", **state}, limit) == told
