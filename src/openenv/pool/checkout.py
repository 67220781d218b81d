"""From the queue to a session and back: the sync and the async way, side by side.

Both wait for a place, use the idle session there if it is still alive, else open one. A place that turns out to be of
no use sends them back to the head of the queue, as long as their time lasts.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Any, Generic

from openenv.client.base import ActT, ObsT, StateT
from openenv.errors import OpenEnvError, SessionClosed, UsageError
from openenv.pool.desk import Wait
from openenv.pool.fleet import SYNC, Fleet, Session
from openenv.pool.lease import AsyncPooledEnv, PooledEnv
from openenv.pool.opening import FULL, WILL_NOT_MEND, Client, open_async, open_sync
from openenv.pool.placement import Placement, Server

__all__ = ["Checkout"]

_GIVEN_BACK = "this session went back to its pool when its with block ended; check out another"


class Checkout(Generic[ActT, ObsT, StateT]):
    """A session for the time of one `with` or `async with` block. Made by `EnvPool.session()`."""

    def __init__(self, fleet: Fleet, timeout_s: float | None) -> None:
        self._fleet = fleet
        self._desk = fleet.desk
        self._timeout_s = timeout_s
        self._session: Session | None = None
        self._used = False

    def __enter__(self) -> PooledEnv[ActT, ObsT, StateT]:
        self._begin()
        woken = threading.Event()
        ticket = self._desk.join(SYNC, self._timeout_s, woken.set)
        try:
            while self._session is None:
                woken.clear()
                found = self._desk.look(ticket)
                if isinstance(found, Wait):
                    woken.wait(found.seconds)
                    continue
                self._session = self._take(found, self._desk.left_s(ticket))
                if self._session is None:
                    self._desk.again(ticket)
        finally:
            for session in self._desk.leave(ticket):
                self._fleet.retire(session)
        self._fleet.hand_out(self._session)
        return PooledEnv(self._session.client, self._session.lease)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, sound = self._end()
        if not (sound and session.client._sync_line().is_ready and self._fleet.keep(session)):
            try:
                session.client.close()
            finally:
                self._desk.drop(session.server, _loss(session))

    async def __aenter__(self) -> AsyncPooledEnv[ActT, ObsT, StateT]:
        self._begin()
        loop = asyncio.get_running_loop()
        self._fleet.settle(loop)
        woken = asyncio.Event()
        ticket = self._desk.join(loop, self._timeout_s, _waker(loop, woken))
        try:
            while self._session is None:
                woken.clear()
                found = self._desk.look(ticket)
                if isinstance(found, Wait):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(found.seconds):
                            await woken.wait()
                    continue
                self._session = await self._take_async(found, self._desk.left_s(ticket))
                if self._session is None:
                    self._desk.again(ticket)
        finally:
            for session in self._desk.leave(ticket):
                self._fleet.retire(session)
        self._fleet.hand_out(self._session)
        return AsyncPooledEnv(self._session.client, self._session.lease)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, sound = self._end()
        if not (sound and session.client._async_line().is_ready and self._fleet.keep(session)):
            try:
                await session.client._close_async()
            finally:
                self._desk.drop(session.server, _loss(session))

    def _take(self, placement: Placement[Session], left_s: float | None) -> Session | None:
        """Use or open a session at the place; None, and the place is free again, when that cannot be."""
        server, idle = placement.server, placement.session
        try:
            if placement.evicted is not None:
                self._fleet.retire(placement.evicted[2])
            if idle is not None:
                if idle.client._sync_line().is_ready:
                    return idle
                idle.client.close()
            client, limit_s = self._fleet.new_client(server, left_s)
            open_sync(client, limit_s)
        except BaseException as error:  # noqa: BLE001  # whatever it is, the place is free again
            self._report(server, error)
            return None
        return self._opened(server, placement.kind, client)

    async def _take_async(self, placement: Placement[Session], left_s: float | None) -> Session | None:
        server, idle = placement.server, placement.session
        try:
            if placement.evicted is not None:
                self._fleet.retire(placement.evicted[2])
            if idle is not None:
                if idle.client._async_line().is_ready:
                    return idle
                await idle.client._close_async()
            client, limit_s = self._fleet.new_client(server, left_s)
            await open_async(client, limit_s)
        except BaseException as error:  # noqa: BLE001  # cancelling too
            self._report(server, error)
            return None
        return self._opened(server, placement.kind, client)

    def _opened(self, server: Server[Session], kind: Hashable, client: Client) -> Session:
        self._desk.opened(server)
        return Session(client, server, kind)

    def _report(self, server: Server[Session], error: BaseException) -> None:
        """Note what became of an opening, and raise what another try, here or elsewhere, cannot help."""
        if not isinstance(error, OpenEnvError):
            self._desk.drop(server)
            raise error
        if isinstance(error, FULL):
            self._desk.refused(server, str(error))
            return
        is_promising = self._desk.failed(server, str(error))
        if isinstance(error, WILL_NOT_MEND):
            if not is_promising:
                raise error
        else:
            self._fleet.suspect(server)

    def _begin(self) -> None:
        if self._used:
            raise UsageError("this checkout was entered before; call session() for each with block")
        self._used = True
        self._fleet.check()

    def _end(self) -> tuple[Session, bool]:
        session = self._session
        assert session is not None  # it was entered
        is_free = self._fleet.take_back(session, SessionClosed(_GIVEN_BACK))
        return session, is_free and session.lease.lost is None


def _loss(session: Session) -> str | None:
    lost = session.lease.lost
    return None if lost is None else f"{type(lost).__name__}: {lost}"


def _waker(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> Callable[[], Any]:
    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(woken.set)

    return wake
