"""An asynchronous link by itself, with several calls under way; what it shares with `link` is in `test_resuming`."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from openenv.client.endpoint import Endpoint, socket_url
from openenv.client.lanes import LANE
from openenv.client.link_aio import AsyncLink
from openenv.errors import SessionClosed, SessionLost
from openenv.protocol import Batch, BatchReply, GetState, LinkReply, Observed, Open, Opened, Reset, StateIs, Step
from tests.client.linked import Linked, linked


def endpoint(url: str, **settings: Any) -> Endpoint:
    values: dict[str, Any] = {
        "url": socket_url(url),
        "headers": {},
        "connect_timeout_s": 5.0,
        "message_timeout_s": 5.0,
        "max_message_bytes": None,
        "ping_interval_s": None,
        "ping_timeout_s": None,
    }
    return Endpoint(**(values | settings))


def play(body: Callable[[AsyncLink, Linked], Coroutine[Any, Any, None]], **settings: Any) -> None:
    """Run `body` with a link to a server that can be cut."""

    async def run(server: Linked) -> None:
        link = await AsyncLink.open(endpoint(server.url))
        try:
            await body(link, server)
        finally:
            await link.close()

    with linked(**settings) as server:
        asyncio.run(run(server))


def test_calls_of_several_lanes_are_under_way_together() -> None:
    async def body(link: AsyncLink, server: Linked) -> None:
        opened = await link.exchange(Open((0, 1)), None, 5)
        assert opened == Opened((0, 1))
        slow = asyncio.create_task(link.exchange(Step({"message": "wait"}), 0, 5))
        assert isinstance(await link.exchange(GetState(), 1, 5), StateIs)
        assert not slow.done()
        server.gate.set()
        assert isinstance(await slow, Observed)

    play(body)


def test_batch_in_parts_is_delivered_part_by_part_over_a_cut() -> None:
    parts: list[LinkReply | Exception] = []

    async def body(link: AsyncLink, server: Linked) -> None:
        begun, done = asyncio.Event(), asyncio.Event()

        def deliver(reply: LinkReply | Exception) -> None:
            parts.append(reply)
            begun.set()
            if not (isinstance(reply, BatchReply) and reply.more):
                done.set()

        await link.exchange(Open((0, 1)), None, 5)
        actions = [{"message": "wait"}, {"message": "b"}]
        link.ask(Batch("step", (0, 1), actions, parts=True), None, deliver)
        await asyncio.to_thread(server.entered.wait, 5)
        await begun.wait()
        server.cut()
        server.gate.set()
        await done.wait()

    play(body)
    assert [reply.lanes for reply in parts if isinstance(reply, BatchReply)] == [(1,), (0,)]


def test_all_who_wait_hear_of_the_loss() -> None:
    async def body(link: AsyncLink, server: Linked) -> None:
        await link.exchange(Open((0, 1)), None, 5)
        calls = [asyncio.create_task(link.exchange(Step({"message": "wait"}), lane, 5)) for lane in (0, 1)]
        await asyncio.to_thread(server.entered.wait, 5)
        server.forget()
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, SessionLost)
        with pytest.raises(SessionLost):
            link.ask(GetState(), LANE, print)

    play(body)


def test_all_who_wait_hear_of_the_close() -> None:
    heard: list[object] = []

    async def body(link: AsyncLink, server: Linked) -> None:
        await link.exchange(Open((0,)), None, 5)
        link.ask(Step({"message": "wait"}), 0, heard.append)
        await link.close()

    play(body)
    assert [type(each) for each in heard] == [SessionClosed]


def test_call_that_is_cancelled_on_the_server_as_well_is_never_made() -> None:
    async def body(link: AsyncLink, server: Linked) -> None:
        await link.exchange(Open((0, 1)), None, 5)
        slow = asyncio.create_task(link.exchange(Step({"message": "wait"}), 0, 5))
        await asyncio.to_thread(server.entered.wait, 5)
        call = link.ask(Step({"message": "never"}), 0, partial(pytest.fail))
        link.abandon(call, TimeoutError(), cancel=True)
        await link.exchange(GetState(), 1, 5)  # once this is answered, the cancellation was heard
        server.gate.set()
        await slow
        assert isinstance(await link.exchange(Reset(), 0, 5), Observed)
        assert server.steps == ["wait"]

    play(body)


def test_link_that_is_dropped_says_goodbye() -> None:
    async def body(server: Linked) -> None:
        link = await AsyncLink.open(endpoint(server.url))
        await link.exchange(Open((0,)), None, 5)
        del link
        gc.collect()
        assert await asyncio.to_thread(server.goodbye.wait, 5)

    with linked() as server:
        asyncio.run(body(server))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_link_of_a_loop_that_has_ended_says_goodbye() -> None:
    async def body(server: Linked) -> AsyncLink:
        return await AsyncLink.open(endpoint(server.url))

    with linked() as server:
        link = asyncio.run(body(server))
        assert link.is_stranded
        asyncio.run(link.close())
        assert server.goodbye.wait(5)
        del link
        gc.collect()
