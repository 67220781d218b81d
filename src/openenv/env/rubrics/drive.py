"""Code that is written once and runs sync or async: a generator yields what may have to be awaited, and gets its value.

`drive` runs such a generator to its end, or up to the first thing that must be awaited, from where a coroutine goes on.
"""

import asyncio
from collections.abc import Awaitable, Coroutine, Generator, Iterable
from typing import Any

from openenv.errors import UsageError

__all__ = ["drive", "drive_async", "settle", "together"]


def drive(steps: Generator[Any, Any, Any]) -> Any:
    """Give what the generator returns; an awaitable of it where something has to be awaited."""
    value: Any = None
    try:
        while not isinstance(value, Awaitable):
            value = steps.send(value)
    except StopIteration as ended:
        return ended.value
    return drive_async(steps, value)


async def drive_async(steps: Generator[Any, Any, Any], value: Any = None) -> Any:
    """Give what the generator returns, going on from where it yielded `value`."""
    try:
        while True:
            value = steps.send(await value if isinstance(value, Awaitable) else value)
    except StopIteration as ended:
        return ended.value


async def together(pending: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Await all at once; when one fails or we are cancelled, none is left running."""
    tasks = [asyncio.ensure_future(one) for one in pending]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def settle(value: Any, *, otherwise: str) -> Any:
    """Give sync code a value that may have to be awaited; if so, that takes an event loop of its own.

    Raises:
        UsageError: It must be awaited, and a loop runs in this thread already; `otherwise` says what to do instead.
    """
    if not isinstance(value, Awaitable):
        return value
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_awaited(value))
    if isinstance(value, Coroutine):
        value.close()  # or Python warns that nobody awaited it
    raise UsageError(otherwise)


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value
