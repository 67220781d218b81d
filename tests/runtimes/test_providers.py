"""Providers: ours on real runtimes, and those of third parties as runtimes. tests/runtimes has the containers."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from openenv import GenericEnvClient
from openenv.errors import ConfigurationError, NotReady, StartFailed, UsageError
from openenv.launch import launch
from openenv.runtimes import ProcessRuntime, RuntimeState, providers
from openenv.runtimes.contract import is_healthy
from openenv.runtimes.providers import (
    ContainerProvider,
    DockerSwarmProvider,
    KubernetesProvider,
    LocalDockerProvider,
    ProvidedRuntime,
    RuntimeProvider,
    UVProvider,
)
from openenv.scaffold import create


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create("my_env", tmp_path_factory.mktemp("providers"), lock=lambda folder: "none is needed").folder


@pytest.fixture
def asked(environment: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Have every runtime of ours be a process, and list what was asked for."""
    made: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def runtime(name: str, *args: Any, **options: Any) -> ProcessRuntime:
        made.append((name, args, options))
        return ProcessRuntime(environment)

    monkeypatch.setattr(providers, "runtime", runtime)
    return made


class Theirs(ContainerProvider):
    """A third party's, as they are written: kwargs taken, its own waiting."""

    def __init__(self, folder: Path, *, ready: bool = True) -> None:
        self._runtime = ProcessRuntime(folder)
        self.ready = ready
        self.calls: list[str] = []

    def start_container(
        self, image: str = "none", port: int | None = None, env_vars: Mapping[str, str] | None = None, **options: Any
    ) -> str:
        self.calls.append(f"start {image} {sorted(options)}")
        return self._runtime.start()

    def stop_container(self) -> None:
        self.calls.append("stop")
        self._runtime.stop()

    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        self.calls.append(f"wait {timeout_s:g}")
        if not self.ready:
            raise TimeoutError("not today")


def test_the_calls_of_a_trainer_start_a_container_wait_for_it_and_stop_it(asked: list[Any]) -> None:
    provider = LocalDockerProvider()
    url = provider.start_container("echo-env:latest", env_vars={"A": "1"}, memory="1g")
    provider.wait_for_ready(url)
    assert asked == [("docker", ("echo-env:latest",), {"env_vars": {"A": "1"}, "memory": "1g"})]
    with GenericEnvClient(base_url=url) as env:
        env.reset()
    with pytest.raises(UsageError, match="stop it first"):
        provider.start_container("echo-env:latest")
    assert is_healthy(url)
    provider.stop_container()
    provider.stop_container()
    assert not is_healthy(url)


@pytest.mark.parametrize(
    ("provider", "call", "expected"),
    [
        (LocalDockerProvider(cpus=1), {"port": 8001}, ("docker", {"port": 8001, "cpus": 1, "env_vars": None})),
        (KubernetesProvider(namespace="n"), {}, ("kubernetes", {"namespace": "n", "env_vars": None})),
        (
            DockerSwarmProvider(auto_init_swarm=False),
            {"replicas": 3, "cpu_limit": 2, "memory_limit": "1g"},
            ("swarm", {"replicas": 3, "cpus": 2, "memory": "1g", "env_vars": None}),
        ),
    ],
)
def test_options_reach_the_runtime_behind_a_provider(
    provider: ContainerProvider, call: dict[str, Any], expected: tuple[str, dict[str, Any]], asked: list[Any]
) -> None:
    with provider:
        provider.start_container("image", **call)
    assert asked == [(expected[0], ("image",), expected[1])]


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        (LocalDockerProvider(), {"bogus": 1}),
        (DockerSwarmProvider(), {"constraints": []}),
        (DockerSwarmProvider(), {"port": 1}),
    ],
)
def test_an_option_that_the_runtime_does_not_take_is_refused_by_name(
    provider: ContainerProvider, options: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=rf"{next(iter(options))}"):
        provider.start_container("image", **options)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: DockerSwarmProvider(overlay_network="n"), "overlay_network"),
        (lambda: UVProvider(project_path=".", reload=True), "reload"),
        (lambda: UVProvider(project_path=".", host="10.0.0.1"), "host"),
    ],
)
def test_what_a_provider_cannot_do_is_refused_when_it_is_made(make: Callable[[], object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{named} is "):
        make()


def test_waiting_for_what_was_never_started_or_has_died_says_so(asked: list[Any]) -> None:
    provider = LocalDockerProvider()
    with pytest.raises(UsageError, match="has started nothing"):
        provider.wait_for_ready("http://127.0.0.1:9")
    url = provider.start_container("image")
    assert provider._running._runtime is not None
    provider._running._runtime.stop()
    with pytest.raises(StartFailed, match="it was stopped"):
        provider.wait_for_ready(url, timeout_s=5)
    provider.close()


def test_the_uv_provider_asks_for_the_app_and_merges_the_variables(asked: list[Any]) -> None:
    provider = UVProvider(project_path="folder", env_vars={"A": "1", "B": "1"}, context_timeout_s=9)
    with provider:
        provider.wait_for_ready()
    provider.start(port=8001, env_vars={"B": "2"}, workers=2)
    provider.stop()
    plain = {"app": "server.app:app", "port": 0, "env_vars": {"A": "1", "B": "1"}, "start_timeout_s": 9}
    assert asked == [
        ("uv", ("folder",), plain),
        ("uv", ("folder",), {**plain, "port": 8001, "env_vars": {"A": "1", "B": "2"}, "workers": 2}),
    ]


def test_a_provider_of_a_third_party_is_a_runtime_that_a_client_owns(environment: Path) -> None:
    theirs = Theirs(environment)
    runtime = ProvidedRuntime(theirs, "image", start_timeout_s=7, gpus=1)
    with launch(GenericEnvClient, runtime) as env:
        env.reset()
        assert runtime.died() is None
        assert runtime.logs() == ""
    assert runtime.state is RuntimeState.STOPPED
    assert theirs.calls == ["start image ['gpus']", "wait 7", "stop"]


def test_a_provider_that_is_not_ready_in_time_is_stopped(environment: Path) -> None:
    theirs = Theirs(environment, ready=False)
    with pytest.raises(TimeoutError, match="not today"):
        ProvidedRuntime(theirs).start()
    assert theirs.calls == ["start none []", "wait 30", "stop"]


def test_any_object_with_the_methods_of_a_provider_is_one(environment: Path) -> None:
    class Bare:
        def __init__(self) -> None:
            self.runtime = ProcessRuntime(environment)
            self.start, self.stop = self.runtime.start, self.runtime.stop

        def wait_for_ready(self) -> None: ...

    with ProvidedRuntime(Bare()) as runtime:
        assert is_healthy(runtime.url)


@pytest.mark.parametrize(
    ("provider", "image", "complaint"),
    [
        (object(), None, "object is no provider"),
        (LocalDockerProvider, None, "cannot be called so"),
        (LocalDockerProvider(), None, r"LocalDockerProvider.start_container cannot be called so: .*'image'"),
    ],
)
def test_what_is_no_provider_or_lacks_its_image_is_refused(provider: object, image: str | None, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        ProvidedRuntime(provider, image)


@pytest.mark.parametrize("kind", [ContainerProvider, RuntimeProvider])
def test_a_subclass_must_say_how(kind: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_a_provider_whose_server_does_not_come_up_is_stopped_with_its_reason(tmp_path: Path) -> None:
    folder = create("bad_env", tmp_path, lock=lambda folder: "none is needed").folder
    (folder / "server/app.py").write_text("raise RuntimeError('not today')\n")
    with pytest.raises((StartFailed, NotReady)) as caught:
        ProvidedRuntime(Theirs(folder)).start()
    assert "not today" in caught.value.logs


def test_what_a_provider_runs_goes_when_the_program_ends(environment: Path) -> None:
    program = f"""
from pathlib import Path
from tests.runtimes.test_providers import Theirs
from openenv.runtimes.providers import ProvidedRuntime
print(ProvidedRuntime(Theirs(Path({str(environment)!r}))).start())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ)
    assert ran.returncode == 0, ran.stderr
    assert not is_healthy(ran.stdout.strip())
