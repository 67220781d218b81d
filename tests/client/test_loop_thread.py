import asyncio
import threading

import pytest

from openenv.client.loop_thread import LoopThread


async def here() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def fail() -> None:
    raise LookupError("no")


def test_coroutines_run_elsewhere_and_their_caller_waits() -> None:
    thread = LoopThread()
    assert thread.run(here()) == "openenv-client-loop"
    with pytest.raises(LookupError, match="no"):
        thread.run(fail())
    assert not thread.is_here
    thread.close()
    thread.close()


def test_closing_ends_what_still_runs() -> None:
    ended = threading.Event()
    begun = threading.Event()

    async def linger() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def start() -> None:
        tasks.append(asyncio.ensure_future(linger()))

    tasks: list[asyncio.Future[None]] = []
    thread = LoopThread()
    thread.run(start())
    assert begun.wait(5)
    thread.close()
    assert ended.is_set()


def test_a_loop_may_be_closed_from_itself() -> None:
    thread = LoopThread()

    async def close() -> bool:
        thread.close()
        return thread.is_here

    assert thread.run(close())
    thread.close()
