"""A client that owns the server it drives, on the process runtime; tests/runtimes has the containers."""

import asyncio
import gc
from pathlib import Path

import pytest

from openenv import GenericEnvClient
from openenv.errors import ConfigurationError, StartFailed
from openenv.launch import from_docker_image, from_env, launch, space_image, space_source
from openenv.runtimes import ProcessRuntime, RuntimeState
from openenv.runtimes.contract import is_healthy
from openenv.scaffold import create


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
