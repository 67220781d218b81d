"""What `.sync()` gives. How it is called is in `test_call_patterns` too."""

import asyncio
import copy
import inspect
from collections.abc import Iterator

import pytest

from openenv import EnvClient, create_app
from openenv.client import SyncEnvClient
from openenv.errors import SessionClosed, UsageError
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        yield url


class Chatty(EchoEnv):
    greeting = "hello"

    async def greet(self, name: str) -> str:
        """Say hello."""
        await asyncio.sleep(0)
        return (await self.step(EchoAction(message=f"{self.greeting} {name}"))).observation.echoed_message

    def shout(self, text: str) -> EchoAction:
        return EchoAction(message=text.upper())


def test_it_knows_its_client(url: str) -> None:
    client = EchoEnv(url)
    face = client.sync()
    assert isinstance(face, SyncEnvClient)
    assert face.async_client is client
    assert face.base_url == url
    assert face.sync() is face
    assert isinstance(SyncEnvClient(client), SyncEnvClient)
    with face as entered:
        assert entered is face
        assert face._ws is None


def test_coroutine_methods_of_a_subclass_block(url: str) -> None:
    with Chatty(url).sync() as env:
        env.reset()
        assert env.greet("you") == "hello you"
        assert env.greet.__doc__ == "Say hello."
        assert env.step(env.shout("hi")).observation.echoed_message == "HI"
        with pytest.raises(AttributeError, match="whisper"):
            env.whisper("hi")


def test_coroutine_methods_block_where_an_event_loop_runs(url: str) -> None:
    async def play() -> None:
        with Chatty(url).sync() as env:
            env.reset()
            assert env.greet("you") == "hello you"

    asyncio.run(play())


def test_connect_inside_an_event_loop_is_not_put_off(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(url).sync()
        assert env.connect() is env
        assert env.async_client._line is not None
        env.close()

    asyncio.run(play())


def test_used_again_after_close(url: str) -> None:
    env = Chatty(url).sync()
    for _ in range(2):
        with env:
            env.reset()
            assert env.greet("you") == "hello you"
        with pytest.raises(SessionClosed):
            env.state()


def test_further_sessions_are_synchronous_too(url: str) -> None:
    with Chatty(url).sync() as env:
        other = env.new_session()
        assert isinstance(other, SyncEnvClient)
        env.reset(episode_id="mine")
        other.reset(episode_id="other")
        assert (env.state().episode_id, other.state().episode_id) == ("mine", "other")
        env.disconnect()
    with pytest.raises(SessionClosed):
        other.state()


def test_a_client_that_is_asynchronous_has_none(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as face:
            with pytest.raises(UsageError, match="asynchronous since it was awaited"):
                face.sync()
        env = EchoEnv(url).sync()
        async with env.aio() as face:
            await face.reset()

    asyncio.run(play())


def test_it_is_copied_without_asking_itself(url: str) -> None:
    face = EchoEnv(url).sync()
    assert copy.copy(face).async_client is face.async_client


def test_faces_have_the_same_methods() -> None:
    for name in ("connect", "reset", "step", "state", "disconnect", "close", "new_session", "sync", "aio"):
        assert inspect.isfunction(getattr(SyncEnvClient, name))
        assert inspect.isfunction(getattr(EnvClient, name))
