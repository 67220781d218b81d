"""What only the async flavour has: cancelling, and event loops that end. The rest is in `test_faults`."""

import asyncio
import random
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from websockets.frames import Opcode

from openenv import AsyncEnvClient, create_app
from openenv.errors import ReplyTimeout, SessionBroken, SessionClosed, SessionLost, UsageError
from openenv.types import State
from tests.client.scripted import Peer, answer, polite, scripted
from tests.support.echo import EchoAction, EchoEnv, EchoObservation, ThreadedEcho
from tests.support.older import dialect1_only
from tests.support.serving import serving


@pytest.fixture
def url() -> Iterator[str]:
    ThreadedEcho.gate.clear()
    ThreadedEcho.entered.clear()
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        yield url
        ThreadedEcho.gate.set()


@pytest.fixture
def older_url() -> Iterator[str]:
    ThreadedEcho.gate.clear()
    ThreadedEcho.entered.clear()
    with serving(dialect1_only(create_app(ThreadedEcho, EchoAction, EchoObservation))) as url:
        yield url
        ThreadedEcho.gate.set()


def say(message: str) -> EchoAction:
    return EchoAction(message=message)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(coroutine)


def test_cancelled_step_breaks_a_session_of_dialect_1(older_url: str) -> None:
    async def play() -> None:
        async with EchoEnv(older_url) as env:
            await env.reset()
            step = asyncio.create_task(env.step(say("wait")))
            await asyncio.to_thread(ThreadedEcho.entered.wait, 10)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
            with pytest.raises(SessionBroken) as broken:
                await env.step(say("x"))
            assert isinstance(broken.value.cause, asyncio.CancelledError)
            ThreadedEcho.gate.set()
            await env.reset()
            assert (await env.step(say("after"))).observation.echoed_message == "after"

    run(play())


def test_cancelled_step_leaves_the_session_usable(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            step = asyncio.create_task(env.step(say("wait")))
            await asyncio.to_thread(ThreadedEcho.entered.wait, 10)
            step.cancel()
            with pytest.raises(asyncio.CancelledError):
                await step
            ThreadedEcho.gate.set()
            assert (await env.step(say("x"))).metadata == {"step": 2}

    run(play())


def test_time_limit_of_asyncio_does_so_too(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(env.step(say("wait")), 0.1)
            ThreadedEcho.gate.set()
            assert (await env.state()).step_count == 1

    run(play())


def test_each_reply_reaches_its_own_call_in_a_storm_of_cancelling(url: str) -> None:
    choice = random.Random(3)

    async def play() -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            for number in range(60):
                steps = [asyncio.create_task(env.step(say(f"{number} {part}"))) for part in range(5)]
                for _ in range(choice.randrange(6)):
                    await asyncio.sleep(0)
                for step in choice.sample(steps, 2):
                    step.cancel()
                for part, result in enumerate(await asyncio.gather(*steps, return_exceptions=True)):
                    if not isinstance(result, asyncio.CancelledError):
                        assert not isinstance(result, BaseException), result
                        assert result.observation.echoed_message == f"{number} {part}"
            assert (await env.step(say("after"))).observation.echoed_message == "after"

    run(play())


def test_time_limit_of_asyncio_breaks_a_session_of_dialect_1_too(older_url: str) -> None:
    async def play() -> None:
        async with EchoEnv(older_url) as env:
            await env.reset()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(env.step(say("wait")), 0.1)
            with pytest.raises(SessionBroken):
                await env.state()

    run(play())


def test_request_that_is_cancelled_before_it_was_sent_harms_nothing(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            first = asyncio.create_task(env.step(say("wait")))
            second = asyncio.create_task(env.step(say("never sent")))
            await asyncio.to_thread(ThreadedEcho.entered.wait, 10)
            second.cancel()
            ThreadedEcho.gate.set()
            assert (await first).metadata == {"step": 1}
            assert (await env.step(say("x"))).metadata == {"step": 2}

    run(play())


def test_those_who_wait_their_turn_are_told_that_a_session_of_dialect_1_broke(older_url: str) -> None:
    async def play() -> None:
        async with EchoEnv(older_url, message_timeout_s=0.2) as env:
            await env.reset()
            calls = [env.step(say("wait")), env.step(say("x")), env.state()]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(result) for result in results] == [ReplyTimeout, SessionBroken, SessionBroken]

    run(play())


def test_close_waits_for_the_exchange_under_way(url: str) -> None:
    async def play() -> None:
        env = await EchoEnv(url).connect()
        await env.reset()
        step = asyncio.create_task(env.step(say("wait")))
        await asyncio.to_thread(ThreadedEcho.entered.wait, 10)
        closing = asyncio.create_task(env.close())
        late = asyncio.create_task(env.state())
        ThreadedEcho.gate.set()
        assert (await step).observation.echoed_message == "wait"
        await closing
        with pytest.raises(SessionClosed):
            await late

    run(play())


def test_face_that_was_closed_opens_nothing_by_itself(url: str) -> None:
    async def play() -> None:
        client = EchoEnv(url)
        async with client as env:
            await env.reset()
        with pytest.raises(SessionClosed):
            await env.reset()
        client.connect()  # inside a loop this is left to the first call
        assert isinstance(await client, type(env))
        await env.reset()
        await env.close()

    run(play())


def test_stray_that_breaks_the_session_before_a_request() -> None:
    def talkative(peer: Peer) -> None:
        requests = peer.requests()
        peer.say(answer(next(requests)))
        peer.say("{}")
        peer.ping()
        assert peer.next_event().opcode is Opcode.PONG  # so the client has read what was before it
        strays.set()
        next(requests, None)

    strays = threading.Event()

    async def play(url: str) -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            await asyncio.to_thread(strays.wait, 10)
            with pytest.raises(SessionBroken, match="without a data object"):
                await env.state()
            await env.reset()

    with scripted(talkative, polite) as url:
        run(play(url))


def test_server_that_goes_between_two_requests() -> None:
    def leaving(peer: Peer) -> None:
        peer.say(answer(next(peer.requests())))
        peer.hang_up(1012, "update")

    async def play(url: str) -> None:
        client = EchoEnv(url)
        async with client as env:
            await env.reset()
            session = client._async_line()._session
            assert session is not None
            await session.link._socket.wait_closed()
            with pytest.raises(SessionLost, match="1012: it is restarting; update"):
                await env.state()
            await env.reset()

    with scripted(leaving, polite) as url:
        run(play(url))


def test_piece_of_a_frame_is_left_for_whoever_it_answers() -> None:
    def slow(peer: Peer) -> None:
        requests = peer.requests()
        peer.say(answer(next(requests)))
        peer.socket.sendall(b"\x01\x01{\x89\x00")  # the first piece of a text, and a ping
        assert peer.next_event().opcode is Opcode.PONG  # so the client has read both
        began.set()
        next(requests)
        text = b'"type": "state", "data": {"episode_id": "e"}}'
        peer.socket.sendall(bytes([0x80, len(text)]) + text)
        next(requests, None)

    began = threading.Event()

    async def play(url: str) -> None:
        async with EchoEnv(url) as env:
            await env.reset()
            await asyncio.to_thread(began.wait, 10)
            assert (await env.state()).episode_id == "e"

    with scripted(slow) as url:
        run(play(url))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_client_of_a_loop_that_ended_is_closed_and_used_again(url: str) -> None:
    client = EchoEnv(url)

    async def begin() -> None:
        await client.connect()
        await client.reset()

    async def go_on() -> None:
        with pytest.raises(SessionLost, match="event loop"):
            await client.step(say("x"))
        await client.connect()
        await client.reset()
        faces.append(client.aio())

    async def end() -> None:
        await faces[0].close()
        with pytest.raises(SessionClosed):
            await faces[0].state()

    faces: list[AsyncEnvClient[EchoAction, EchoObservation, State]] = []
    run(begin())
    run(go_on())
    run(end())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_loop_that_ended_without_an_episode_took_nothing_with_it(url: str) -> None:
    async def connect() -> None:
        await client

    client = EchoEnv(url)
    run(connect())
    assert client.state().step_count == 0
    client.close()


def test_sync_face_is_there_once_the_async_one_is_closed(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as env:
            with pytest.raises(UsageError, match="close it first"):
                env.sync()
        with env.sync() as client:
            client.reset()

    run(play())
