"""A client that owns the server it drives, on the process runtime; tests/runtimes has the containers."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from openenv import GenericEnvClient
from openenv.errors import ConfigurationError, NotInstalled, Refused, StartFailed
from openenv.launch import from_docker_image, from_env, launch, space_image, space_source
from openenv.runtimes import ProcessRuntime, RuntimeState
from openenv.runtimes.contract import is_healthy
from openenv.scaffold import create
from tests.support.echo import EchoAction, EchoEnv
from tests.support.providers import ServedContainers, ServedRuntime
from tests.support.serving import serving


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create("my_env", tmp_path_factory.mktemp("launch")).folder


def test_close_takes_the_server_away(environment: Path) -> None:
    server = ProcessRuntime(environment)
    client = launch(GenericEnvClient, server, message_timeout_s=5)
    client.reset()
    assert client.step({"message": "Hi"}).reward == 0.2
    url = server.url
    client.close()
    client.close()
    assert server.state is RuntimeState.STOPPED
    assert not is_healthy(url)


def test_dropping_the_client_takes_the_server_away(environment: Path) -> None:
    server = ProcessRuntime(environment)
    client = launch(GenericEnvClient, server)
    client.reset()
    del client
    gc.collect()
    assert server.state is RuntimeState.STOPPED


def test_a_client_that_was_closed_does_not_stop_what_the_runtime_is_started_for_later(environment: Path) -> None:
    server = ProcessRuntime(environment)
    first = launch(GenericEnvClient, server)
    first.close()
    with launch(GenericEnvClient, server) as second:
        del first
        gc.collect()
        second.reset()


def test_awaiting_it_gives_the_asynchronous_client_which_owns_the_server_too(environment: Path) -> None:
    server = ProcessRuntime(environment)

    async def play() -> float | None:
        client = await launch(GenericEnvClient, server)
        await client.reset()
        result = await client.step({"message": "Hello, World!"})
        await client.close()
        return result.reward

    assert asyncio.run(play()) == 1.3
    assert server.state is RuntimeState.STOPPED


def test_async_with_takes_the_server_away(environment: Path) -> None:
    server = ProcessRuntime(environment)

    async def play() -> None:
        async with launch(GenericEnvClient, server) as client:
            await client.reset()

    asyncio.run(play())
    assert server.state is RuntimeState.STOPPED


def test_a_further_session_does_not_own_the_server(environment: Path) -> None:
    server = ProcessRuntime(environment)
    with launch(GenericEnvClient, server) as client:
        with client.new_session() as other:
            other.reset()
        assert is_healthy(server.url)
        client.reset()
    assert server.state is RuntimeState.STOPPED


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"has no openenv.yaml"):
        launch(GenericEnvClient, ProcessRuntime(tmp_path))


def test_a_client_that_cannot_be_made_leaves_no_server(environment: Path) -> None:
    server = ProcessRuntime(environment)
    with pytest.raises(ConfigurationError, match="mode='nonsense'"):
        launch(GenericEnvClient, server, mode="nonsense")
    assert server.state is RuntimeState.STOPPED


# --- Providers, which may be of anybody's making


def names(provider: ServedContainers | ServedRuntime) -> list[str]:
    return [call[0] for call in provider.calls]


def test_a_provider_without_a_url_is_started_by_the_first_call_and_stopped_by_close() -> None:
    provider = ServedRuntime()
    env = EchoEnv(provider=provider)
    assert (env.base_url, env._ws_url, names(provider)) == ("", "", [])
    env.reset()
    other = env.new_session()
    other.reset()
    assert env.base_url == other.base_url == env._base_url
    assert env._ws_url == env.base_url.replace("http", "ws") + "/ws"
    other.close()
    assert env.step(EchoAction(message="Hi")).reward == 0.2
    env.close()
    env.close()
    assert names(provider) == ["start", "wait", "stop"]
    with env:  # again
        assert env.reset().observation.echoed_message == "ready"
    assert names(provider) == ["start", "wait", "stop"] * 2


def test_a_provider_works_asynchronously() -> None:
    async def play() -> None:
        async with EchoEnv(provider=provider) as env:
            await asyncio.gather(env.reset(), env.step(EchoAction(message="Hi")))
            assert is_healthy(env.base_url)
        assert (await EchoEnv(provider=provider).connect()).base_url != env.base_url

    provider = ServedRuntime()
    asyncio.run(play())
    gc.collect()
    assert names(provider) == ["start", "wait", "stop"] * 2  # the second was dropped


def test_dropping_the_client_stops_the_provider() -> None:
    provider = ServedRuntime()
    EchoEnv(provider=provider).reset()
    gc.collect()
    assert names(provider) == ["start", "wait", "stop"]


def test_a_provider_that_is_not_ready_is_stopped_and_its_error_told() -> None:
    async def play() -> None:
        with pytest.raises(LookupError, match="no quota"):
            await EchoEnv(provider=provider).aio().reset()

    provider = ServedRuntime(fails=LookupError("no quota"))
    with pytest.raises(LookupError, match="no quota"):
        EchoEnv(provider=provider).reset()
    asyncio.run(play())
    assert names(provider) == ["start", "wait", "stop"] * 2


class Shut(ServedRuntime):
    """Serves what has no socket."""

    def _serve(self) -> str:
        return self._running.enter_context(serving(FastAPI()))


@pytest.mark.parametrize("enter", [lambda env: env, lambda env: env.sync()], ids=["client", "face"])
def test_a_block_that_cannot_be_entered_stops_what_it_would_have_stopped(enter: Callable[[Any], Any]) -> None:
    provider = Shut()
    env = EchoEnv(provider=provider)
    with pytest.raises(Refused), enter(env):
        raise AssertionError("entered")
    assert names(provider) == ["start", "wait", "stop"]
    env.close()


@pytest.mark.parametrize("enter", [lambda env: env, lambda env: env.aio()], ids=["client", "face"])
def test_an_async_block_that_cannot_be_entered_stops_it_too(enter: Callable[[Any], Any]) -> None:
    async def play() -> None:
        with pytest.raises(Refused):
            async with enter(env):
                raise AssertionError("entered")
        assert names(provider) == ["start", "wait", "stop"]

    provider = Shut()
    env = EchoEnv(provider=provider)
    asyncio.run(play())


def test_a_provider_that_runs_already_is_only_stopped() -> None:
    provider = ServedContainers()
    url = provider.start_container("any:latest")
    with EchoEnv(base_url=url, provider=provider) as env:
        env.reset()
    env.close()
    assert names(provider) == ["start", "stop"]


def test_an_image_is_run_by_the_provider_that_is_given() -> None:
    provider = ServedContainers()
    env = EchoEnv.from_docker_image("echo:latest", provider, env_vars={"A": "b"}, memory="1g", message_timeout_s=5)
    assert env.reset().observation.echoed_message == "ready"
    assert env._message_timeout == 5
    env.close()
    assert provider.calls == [
        ("start", "echo:latest", {"A": "b"}, {"memory": "1g"}), ("wait", env.base_url), ("stop",)
    ]  # fmt: skip


def test_a_space_is_run_by_the_provider_that_is_given() -> None:
    containers, source = ServedContainers(), ServedRuntime()
    for make in (EchoEnv.from_env, EchoEnv.from_hub):
        with make("openenv/echo_env", provider=containers, tag="v2") as env:
            env.reset()
    started = [call for call in containers.calls if call[0] == "start"]
    assert started == [("start", "registry.hf.space/openenv-echo-env:v2", None, {})] * 2
    with EchoEnv.from_env("openenv/echo_env", use_docker=False, provider=source, workers=2) as env:
        env.reset()
    assert source.calls[0] == ("start", None, {"workers": 2})


def test_a_container_provider_needs_to_know_what_to_run() -> None:
    with pytest.raises(ConfigurationError, match="image"):
        EchoEnv(provider=ServedContainers())


def test_the_source_of_a_space_is_asked_for_by_the_names_of_either_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for options in ({}, {"app": "server.app:app"}, {"host": "0.0.0.0", "context_timeout_s": 9.0, "workers": 1}):
        with pytest.raises(NotInstalled, match="uv is not installed"):  # so far it was understood
            GenericEnvClient.from_env("owner/name", use_docker=False, project_path="some/folder", **options)
    with pytest.raises(ConfigurationError, match="reload"):
        GenericEnvClient.from_env("owner/name", use_docker=False, reload=True)


def test_an_option_that_nobody_takes_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="colour"):
        from_docker_image(GenericEnvClient, "image:latest", colour="blue")
    with pytest.raises(ConfigurationError, match="colour"):
        GenericEnvClient.from_env("owner/name", use_docker=False, colour="blue")


def test_a_space_has_an_image_and_a_repository() -> None:
    assert space_image("OpenEnv/echo_env") == "registry.hf.space/openenv-echo-env:latest"
    assert space_image("openenv/echo.env", "v2") == "registry.hf.space/openenv-echo-env:v2"
    assert space_source("openenv/echo_env") == "git+https://huggingface.co/spaces/openenv/echo_env"


@pytest.mark.parametrize("repo_id", ["echo_env", "a/b/c", "https://huggingface.co/spaces/a/b", "a/b:latest", ""])
def test_what_is_no_space_is_refused(repo_id: str) -> None:
    with pytest.raises(ConfigurationError, match="is no Space"):
        from_env(GenericEnvClient, repo_id)
