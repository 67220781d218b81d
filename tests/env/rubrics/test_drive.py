"""One generator, run sync or async; and sync code that meets something async."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from openenv.env.rubrics.drive import drive, drive_async, settle, together
from openenv.errors import UsageError


async def later(value: float) -> float:
    await asyncio.sleep(0)
    return value


def add(*values: Any) -> Generator[Any, Any, float]:
    total = 0.0
    for value in values:
        total += yield value
    return total


def test_a_generator_that_awaits_nothing_runs_to_its_end_at_once() -> None:
    assert drive(add(1, 2.5)) == 3.5
    assert drive(add()) == 0


def test_a_generator_goes_on_as_a_coroutine_from_the_first_thing_to_await() -> None:
    assert asyncio.run(drive(add(1, later(2), 3, later(4)))) == 10
    assert asyncio.run(drive_async(add(1, later(2)))) == 3
    assert asyncio.run(drive_async(add())) == 0


def test_what_is_awaited_together_runs_at_the_same_time() -> None:
    async def meet() -> list[Any]:
        barrier = asyncio.Barrier(3)
        return await together(barrier.wait() for _ in range(3))

    assert sorted(asyncio.run(meet())) == [0, 1, 2]
    assert asyncio.run(together(())) == []


def test_when_one_of_several_fails_the_others_are_cancelled_and_over() -> None:
    ended: list[str] = []

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        asyncio.run(together([waiting(), failing(), waiting()]))
    assert ended == ["waiting", "waiting"]


def test_sync_code_gets_what_had_to_be_awaited() -> None:
    assert settle(0.5, otherwise="") == 0.5
    assert settle(later(0.5), otherwise="") == 0.5


@pytest.mark.parametrize("as_future", [False, True])
def test_sync_code_on_a_loop_is_told_what_to_do_instead(as_future: bool) -> None:
    async def on_a_loop() -> None:
        waiting = asyncio.ensure_future(later(1)) if as_future else later(1)
        with pytest.raises(UsageError, match="await it"):
            settle(waiting, otherwise="await it")
        if as_future:
            await waiting

    asyncio.run(on_a_loop())
