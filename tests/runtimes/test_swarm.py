"""The swarm runtime on a real engine that is in a swarm."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv import GenericEnvClient
from openenv.engine import docker
from openenv.errors import ConfigurationError, NotInstalled, NotReady, StartFailed, UsageError
from openenv.runtimes import Runtime
from openenv.runtimes.contract import is_healthy
from openenv.runtimes.swarm import SwarmRuntime, describe_tasks, published_ports
from openenv.testing.runtimes import RuntimeChecks
from tests.runtimes.images import containers_of
from tests.runtimes.waiting import until
from tests.support.engine import require_engine
from tests.support.services import require

# The images are built by the first test that needs them, which takes its time.
pytestmark = pytest.mark.timeout(60, func_only=True)


@pytest.fixture(scope="module", autouse=True)
def swarm() -> None:
    """Have the engine in a swarm. In CI it is put into one and left there, as another process may be testing."""
    require_engine()
    if _swarm_state() != "active" and os.environ.get("CI") == "true":
        docker(["swarm", "init", "--advertise-addr", "127.0.0.1"])
    require(_swarm_state() == "active", "needs an engine in a swarm; `docker swarm init` makes one of it")


def _swarm_state() -> str:
    return docker(["info", "--format", "{{.Swarm.LocalNodeState}}"])


def services_of(image: str) -> list[str]:
    listed = docker(["service", "ls", "--format", "{{.Name}} {{.Image}}"]).splitlines()
    return [line.split()[0] for line in listed if line.split()[1] == image]


class TestSwarmRuntime(RuntimeChecks):
    """The checks of every runtime."""

    @pytest.fixture(autouse=True)
    def _images(self, environment_image: str, stand_in: str) -> None:
        self.image, self.stand_in = environment_image, stand_in

    def make(self) -> Runtime:
        return SwarmRuntime(self.image)

    def make_failing(self) -> Runtime:
        return SwarmRuntime(self.stand_in, env_vars={"MODE": "dies"})

    def kill(self, runtime: Runtime) -> None:
        docker(["kill", containers_of(self.image)[0]])

    def left_behind(self) -> list[str]:
        return [found for image in (self.image, self.stand_in) for found in services_of(image) + containers_of(image)]


def test_a_replica_that_dies_at_start_is_told(stand_in: str) -> None:
    with pytest.raises(StartFailed, match=r"replica \d: .*exit \(3\)"):
        SwarmRuntime(stand_in, env_vars={"MODE": "dies"}).start()
    assert services_of(stand_in) == containers_of(stand_in) == []


def test_replicas_that_never_answer_are_not_ready(stand_in: str) -> None:
    with pytest.raises(NotReady, match="start_timeout_s"):
        SwarmRuntime(stand_in, replicas=1, env_vars={"MODE": "silent"}, start_timeout_s=3).start()
    assert services_of(stand_in) == containers_of(stand_in) == []


def test_a_missing_image_is_told() -> None:
    image = "127.0.0.1:1/nobody/no_env-env:latest"
    with pytest.raises(StartFailed, match=r"replica \d: .*[Nn]o such image"):
        SwarmRuntime(image).start()
    assert services_of(image) == []


def test_an_engine_in_no_swarm_says_what_makes_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (script := tmp_path / "docker").write_text('#!/bin/sh\necho \'{"LocalNodeState": "inactive"}\'\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(NotInstalled, match="this Docker engine is in no swarm") as caught:
        SwarmRuntime("my_env-env:latest").start()
    assert caught.value.hint is not None
    assert "docker swarm init" in caught.value.hint


def test_a_worker_of_a_swarm_is_told_to_ask_a_manager(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = '{"LocalNodeState": "active", "ControlAvailable": false}'
    (script := tmp_path / "docker").write_text(f"#!/bin/sh\necho '{told}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(NotInstalled, match="is a worker of its swarm"):
        SwarmRuntime("my_env-env:latest").start()


@pytest.mark.parametrize("replicas", [0, -1, True, "2", 1.5])
def test_a_service_has_replicas(replicas: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"replicas is .*; it must be a number of 1 or more"):
        SwarmRuntime("my_env-env:latest", replicas=replicas)


OWNER = """
import sys
from openenv.runtimes.swarm import SwarmRuntime
SwarmRuntime(sys.argv[1]).start()
print(flush=True)
input()
"""


@pytest.fixture
def owner(stand_in: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has a service."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, stand_in], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_service_goes_with_the_process_that_was_killed(owner: subprocess.Popen[str], stand_in: str) -> None:
    assert owner.stdout is not None
    owner.stdout.readline()
    assert services_of(stand_in) != []
    owner.kill()
    assert until(lambda: services_of(stand_in) == containers_of(stand_in) == [])


def test_a_session_stays_on_its_replica_over_websocket_and_http(environment_image: str) -> None:
    with SwarmRuntime(environment_image, replicas=3) as runtime:
        assert len(set(runtime.urls)) == 3
        assert runtime.urls[0] == runtime.url
        for steps, url in enumerate(runtime.urls, start=1):
            with GenericEnvClient(url) as client:
                client.reset()
                for _ in range(steps):
                    client.step({"message": "hi"})
                assert client.state()["step_count"] == steps
    with pytest.raises(UsageError):
        _ = runtime.urls


def test_every_replica_is_healthy_once_it_has_started(stand_in: str) -> None:
    with SwarmRuntime(stand_in, replicas=3) as runtime:
        assert all(is_healthy(url) for url in runtime.urls)


def test_every_option_is_the_swarms(stand_in: str, tmp_path: Path) -> None:
    given = {"PLAIN": "a b", "LINES": "x\ny"}
    with SwarmRuntime(
        stand_in,
        replicas=1,
        container_port=9000,
        env_vars={"PORT": "9000", **given},
        memory="96m",
        cpus=0.5,
        pids=40,
        volumes={tmp_path: "/data:ro"},
        name="openenv-test-service",
        stop_timeout_s=3,
    ) as runtime:
        assert is_healthy(runtime.url)
        (service,) = json.loads(docker(["service", "inspect", "openenv-test-service"]))
        (container,) = json.loads(docker(["container", "inspect", *containers_of(stand_in)]))
    task = service["Spec"]["TaskTemplate"]
    assert task["Resources"]["Limits"] == {"NanoCPUs": 500_000_000, "MemoryBytes": 96 << 20, "Pids": 40}
    assert task["RestartPolicy"]["Condition"] == "none"
    assert task["ContainerSpec"]["StopGracePeriod"] == 3_000_000_000
    assert service["Spec"]["Mode"]["Replicated"]["Replicas"] == 1
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["Init"] is True
    assert [(mount["Destination"], mount["RW"]) for mount in container["Mounts"]] == [("/data", False)]
    seen = dict(line.split("=", 1) for line in container["Config"]["Env"])
    assert {name: seen[name] for name in given} == given


def test_a_stubborn_replica_is_killed(stand_in: str) -> None:
    runtime = SwarmRuntime(stand_in, replicas=1, env_vars={"MODE": "stubborn"}, stop_timeout_s=1)
    runtime.start()
    begun = time.monotonic()
    runtime.stop()
    assert time.monotonic() - begun < 15
    assert containers_of(stand_in) == []


# Pure.


def _task(slot: int, state: str = "running", **status: Any) -> dict[str, Any]:
    return {"Slot": slot, "NodeID": f"node{slot}", "Status": {"State": state, **status}}


def test_ports_are_in_the_order_of_the_replicas() -> None:
    tasks = [_task(slot, PortStatus={"Ports": [{"PublishedPort": 30000 + slot}] * 2}) for slot in (2, 1)]
    assert published_ports([*tasks, _task(3), _task(4, PortStatus={})]) == [("node1", 30001), ("node2", 30002)]


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (_task(1), None),
        (_task(1, "preparing"), None),
        (_task(2, "failed", Err="task: non-zero exit (3)"), "replica 2: task: non-zero exit (3)"),
        (_task(2, "complete", ContainerStatus={"ExitCode": 0}), "replica 2: it exited with code 0"),
        (_task(2, "rejected", Err="No such image: x"), "replica 2: No such image: x"),
    ],
)
def test_the_first_replica_that_ended_is_told(task: dict[str, Any], told: str | None) -> None:
    assert describe_tasks([_task(3), task]) == told
