"""Several sessions on one server, driven at once: what a vector environment steps."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from openenv.errors import SessionLost
from openenv.gym.client import GymClient
from openenv.types import StepResult

__all__ = ["LaneSet"]

T = TypeVar("T")

_JOIN_S = 10.0


class LaneSet:
    """Sessions numbered from 0, each with a connection of its own. A call goes to all of its lanes, then waits for all.

    The connections live on an event loop in a thread, so that they are kept alive while the caller is busy elsewhere.

    Raises:
        ConnectFailed, Refused: There is no server, or it does not let us in.
    """

    def __init__(self, make_client: Callable[[], GymClient], count: int) -> None:
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(self._loop,), name="openenv-lanes", daemon=True)
        thread.start()
        self._clients = [make_client() for _ in range(count)]
        self._finalizer = weakref.finalize(self, _end, self._loop, thread, self._clients)
        try:
            self._all((client.aio().connect() for client in self._clients), range(count))
        except BaseException:  # Ctrl-C too: nobody else would close those that were opened
            self.close()
            raise

    def reset(
        self, lanes: Sequence[int], options: Sequence[Mapping[str, Any]], *, fresh: bool
    ) -> list[StepResult[Any]]:
        """Reset some lanes, each with the arguments of its own.

        Args:
            lanes: Their numbers.
            options: The arguments of each one's `reset`.
            fresh: Whether a lane whose session is lost may begin another one. It is another environment then, whose
                random numbers do not go on where those of the first were.

        Raises:
            OpenEnvError: What the first of the lanes that failed raises, with its number in a note; AtCapacity when
                the server has no room for so many.
        """
        pairs = zip(lanes, options, strict=True)
        return self._all((_reset(self._clients[lane], given, fresh=fresh) for lane, given in pairs), lanes)

    def step(self, lanes: Sequence[int], actions: Sequence[Mapping[str, Any]]) -> list[StepResult[Any]]:
        """Step some lanes. Raises as `reset` does."""
        pairs = zip(lanes, actions, strict=True)
        return self._all((self._clients[lane].aio().step(action) for lane, action in pairs), lanes)

    def views(self, lanes: Sequence[int]) -> list[str]:
        """Ask some lanes for what they show. Raises as `reset` does."""
        return self._all((self._clients[lane].view_async() for lane in lanes), lanes)

    def close(self) -> None:
        """End the sessions."""
        self._finalizer()

    def _all(self, calls: Any, lanes: Sequence[int]) -> list[Any]:
        """Do the calls together, and wait for each, also when one fails."""

        async def gathered() -> list[Any]:
            return await asyncio.gather(*calls, return_exceptions=True)

        results: list[Any] = _wait(self._loop, gathered())
        for lane, result in zip(lanes, results, strict=True):
            if isinstance(result, BaseException):
                result.add_note(f"this was lane {lane} of {len(self._clients)}")
                raise result
        return results


async def _reset(client: GymClient, options: Mapping[str, Any], *, fresh: bool) -> StepResult[Any]:
    if not fresh and not client._async_line().is_live:
        raise SessionLost("the session is lost between two episodes; call reset() to begin anew, with a seed")
    return await client.aio().reset(**options)


def _wait(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:  # Ctrl-C: what is under way is given up, which its sessions remember
        future.cancel()
        raise


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, clients: Sequence[GymClient]) -> None:
    async def closing() -> None:
        await asyncio.gather(*(client.aio().close() for client in clients), return_exceptions=True)

    try:
        asyncio.run_coroutine_threadsafe(closing(), loop).result(_JOIN_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_JOIN_S)
