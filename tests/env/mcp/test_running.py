"""Threads and loops that tools run on."""

import asyncio
import contextvars
import threading
from functools import partial

import pytest

from openenv.env.mcp.running import OwnLoop, ToolThread, finish, run_blocking, within

said: contextvars.ContextVar[str] = contextvars.ContextVar("said", default="nothing")


async def where() -> tuple[int, str]:
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop()), said.get()


def test_own_loop_is_the_same_each_time_until_it_is_closed() -> None:
    loop = OwnLoop()
    said.set("here")
    first = loop.run(where())

    async def main() -> tuple[int, str]:
        return loop.run(where())

    assert asyncio.run(main()) == first == loop.run(where())
    assert first[1] == "here"
    loop.close()
    loop.close()
    assert loop.run(where())[1] == "here"
    loop.close()


def test_blocking_run_works_with_and_without_a_loop() -> None:
    async def main() -> str:
        return run_blocking(where())[1]

    said.set("there")
    assert run_blocking(where())[1] == asyncio.run(main()) == "there"


def test_thread_runs_calls_in_order_and_gives_what_they_raise() -> None:
    thread = ToolThread("t")
    gate, order = threading.Event(), list[int]()
    waits = thread.submit(lambda: gate.wait(5))
    given_up = thread.submit(lambda: order.append(0))
    later = [thread.submit(partial(order.append, number)) for number in (1, 2)]
    fails = thread.submit(lambda: 1 / 0)
    assert given_up.cancel()
    gate.set()
    assert waits.result(5)
    for each in later:
        each.result(5)
    assert order == [1, 2]
    with pytest.raises(ZeroDivisionError):
        fails.result(5)
    thread.stop()
    assert thread.submit(lambda: "again").result(5) == "again"
    thread.stop()


def test_coroutine_that_waits_is_not_finished_without_a_loop() -> None:
    async def at_once() -> int:
        return 3

    async def waits() -> None:
        await asyncio.Future(loop=loop)

    loop = asyncio.new_event_loop()
    assert finish(at_once()) == 3
    with pytest.raises(RuntimeError, match="declare it `async def`"):
        finish(waits())
    loop.close()


def test_error_of_a_call_within_its_limit_is_its_own() -> None:
    async def late() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(within(late(), 5))
