"""When a client is synchronous, when not, and who hears of it. How it is called is in `test_call_patterns`."""

import asyncio
import inspect
from collections.abc import Iterator

import pytest

from openenv import AsyncEnvClient, EnvClient, create_app
from openenv.client.sync import DONE
from openenv.errors import ConnectFailed, SessionClosed, SessionLost, UsageError
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


@pytest.fixture
def url() -> Iterator[str]:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        yield url


def test_making_a_client_connects_to_nothing() -> None:
    env = EchoEnv("http://127.0.0.1:1")
    assert env.close() is DONE


def test_with_fails_at_once_where_there_is_no_server() -> None:
    async def play() -> None:
        with pytest.raises(ConnectFailed), EchoEnv("http://127.0.0.1:1"):
            pass

    with pytest.raises(ConnectFailed), EchoEnv("http://127.0.0.1:1"):
        pass
    asyncio.run(play())


def test_nothing_reads_as_nothing_and_can_be_awaited() -> None:
    async def wait() -> None:
        await DONE

    assert (repr(DONE), bool(DONE)) == ("None", False)
    asyncio.run(wait())


def test_every_call_of_a_client_that_was_awaited_is_awaited(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(url)
        await env.connect()
        calls = [
            env.reset(),
            env.step(EchoAction(message="x")),
            env.state(),
            env.new_session(),
            env.disconnect(),
            env.close(),
        ]
        assert all(inspect.iscoroutine(call) for call in calls)
        for call in calls:
            await call  # type: ignore[misc]
        with pytest.raises(SessionClosed):
            env.state()  # synchronous again

    asyncio.run(play())


def test_connection_without_an_episode_is_given_up_for_an_async_one(url: str) -> None:
    async def play() -> None:
        async with env as face:
            await face.reset()

    env = EchoEnv(url)
    env.connect()
    asyncio.run(play())


def test_client_that_is_used_synchronously_again_refuses_its_async_face(url: str) -> None:
    async def play() -> None:
        async with env as face:
            await face.reset()
        with env:
            env.reset()
            with pytest.raises(UsageError, match="open synchronously"):
                await face.reset()
            assert env.state().step_count == 0

    env = EchoEnv(url)
    asyncio.run(play())


def test_lost_episode_stays_lost_until_a_reset_succeeds() -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation)
    with serving(app) as url:
        env = EchoEnv(url)
        env.reset()
        env.disconnect()
    with pytest.raises(ConnectFailed):
        env.reset()
    with pytest.raises(SessionLost):  # rather than a step in an episode nobody began
        env.step(EchoAction(message="x"))
    env.close()


def test_children_are_closed_with_their_parent_in_both_flavours(url: str) -> None:
    async def play() -> None:
        face = await EchoEnv(url).connect()
        child = await face.new_session()
        grandchild = await child.new_session()
        await face.close()
        for each in (child, grandchild):
            with pytest.raises(SessionClosed):
                await each.state()

    asyncio.run(play())
    with EchoEnv(url) as env:
        child = env.new_session().new_session()
    with pytest.raises(SessionClosed):
        child.state()


def test_faces_have_the_same_methods_and_arguments() -> None:
    for name in ("connect", "reset", "step", "state", "disconnect", "close", "new_session", "sync", "aio"):
        ours, theirs = inspect.signature(getattr(EnvClient, name)), inspect.signature(getattr(AsyncEnvClient, name))
        assert ours.parameters.keys() == theirs.parameters.keys(), name
