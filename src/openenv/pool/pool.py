"""`EnvPool`: sessions on one server or several, checked out by rollout code and used again.

What goes where is decided in `placement`, who is next in `desk`; a checkout does its own connecting.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from openenv.client import EnvClient
from openenv.client.base import ActT, ObsT, StateT
from openenv.client.endpoint import socket_url
from openenv.errors import ConfigurationError, UsageError
from openenv.pool.checkout import Checkout
from openenv.pool.fleet import Fleet, Place
from openenv.pool.lease import PooledEnv
from openenv.pool.placement import PoolStats
from openenv.runtimes import Runtime, RuntimeState

__all__ = ["EnvPool"]

T = TypeVar("T")
R = TypeVar("R")


class EnvPool(Generic[ActT, ObsT, StateT]):
    """Sessions to check out, on one server or several. Any thread and any event loop may use it.

    Servers are connected to, and runtimes started, when the first session is asked for.

    Args:
        servers: Where to have sessions: URLs of servers, runtimes, or both. A runtime must not be running; the pool
            starts it, starts it again when its server dies, and stops it.
        client: The client class of the environment, or a function that makes a client of a URL.
        size: Sessions at once, over all servers.
        open_timeout_s: Seconds in which a server must let a session in; past it, another one is tried.
        outage_timeout_s: Seconds that a checkout without a limit of its own waits while no server is of any use.
        client_options: Further arguments of `client`, such as `headers`.

    Raises:
        ConfigurationError: An argument has a value it cannot have.
    """

    def __init__(
        self,
        servers: Place | Sequence[Place],
        *,
        client: Callable[..., EnvClient[ActT, ObsT, StateT]],
        size: int = 16,
        open_timeout_s: float = 10.0,
        outage_timeout_s: float = 60.0,
        **client_options: Any,
    ) -> None:
        places = [servers] if isinstance(servers, str | Runtime) else list(servers)
        _check(places, {"size": size, "open_timeout_s": open_timeout_s, "outage_timeout_s": outage_timeout_s})
        self._size = size
        self._fleet = Fleet(
            places,
            lambda url: client(url, **client_options),
            size=size,
            open_timeout_s=open_timeout_s,
            outage_timeout_s=outage_timeout_s,
        )

    def session(self, timeout_s: float | None = None) -> Checkout[ActT, ObsT, StateT]:
        """Check a session out for one block: `with pool.session() as env:`, or `async with`. It must be reset first.

        Args:
            timeout_s: Seconds to wait for one; None for as long as others have them all.

        Raises (on entering the block):
            PoolExhausted: None came free in time, or no server can serve.
            PoolClosed: The pool was closed.
            Refused, FactoryFailed: No server lets us in, or has an environment.
        """
        return Checkout(self._fleet, timeout_s)

    def map(
        self,
        rollout: Callable[[PooledEnv[ActT, ObsT, StateT], T], R],
        tasks: Iterable[T],
        *,
        workers: int | None = None,
    ) -> list[R]:
        """Run `rollout(env, task)` for every task, each on a session of its own, and give what they return, in order.

        What a rollout raises is raised here, once those under way have ended; tasks not yet begun are left out.

        Args:
            rollout: Runs in a thread.
            tasks: One for each call.
            workers: Threads; as many as the pool has sessions, unless given.
        """
        with ThreadPoolExecutor(workers or self._size, thread_name_prefix="openenv-rollout") as threads:
            futures = [threads.submit(self._play, rollout, task) for task in tasks]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()

    def stats(self) -> PoolStats:
        """Count sessions and failures, server by server."""
        return self._fleet.desk.stats()

    def close(self) -> None:
        """Close all sessions, refuse those who wait for one, and stop the runtimes.

        A session that is checked out refuses further calls; one with a call under way is closed when its block ends.

        Raises:
            UsageError: It has sessions on the running event loop, which cannot be waited for here: use `aclose()`.
            RuntimeFailed: A runtime could not be taken away.
        """
        if self._fleet.is_inherited:
            return  # all of it belongs to the process that this one was forked from
        if (loop := _running_loop()) is not None and self._fleet.has_sessions_on(loop):
            raise UsageError("this pool has sessions on the running event loop; write `await pool.aclose()`")
        self._fleet.desk.close()
        self._fleet.end_sessions()
        self._fleet.stop_runtimes()

    async def aclose(self) -> None:
        """Do what `close()` does, from within an event loop."""
        if self._fleet.is_inherited:
            return
        self._fleet.desk.close()
        await self._fleet.unsettle()
        await asyncio.to_thread(self._fleet.end_sessions)
        await asyncio.to_thread(self._fleet.stop_runtimes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __getstate__(self) -> Any:
        raise TypeError("a pool cannot be pickled; make one in each process")

    def _play(self, rollout: Callable[[PooledEnv[ActT, ObsT, StateT], T], R], task: T) -> R:
        with self.session() as env:
            return rollout(env, task)


def _check(places: Sequence[Place], numbers: Mapping[str, float]) -> None:
    if not places:
        raise ConfigurationError("servers is empty; give at least one URL or runtime")
    for name, value in numbers.items():
        if not value > 0:
            raise ConfigurationError(f"{name}={value!r}: must be above 0")
    for place in places:
        if not isinstance(place, str | Runtime):
            raise ConfigurationError(f"{place!r} is no server: give URLs and runtimes")
        if isinstance(place, str):
            socket_url(place)
        elif place.state in (RuntimeState.STARTING, RuntimeState.RUNNING):
            raise ConfigurationError(f"{place} is {place.state.value} already: give its URL, or leave it to the pool")
    if len({id(place) if isinstance(place, Runtime) else place for place in places}) < len(places):
        raise ConfigurationError("servers names one of them twice")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
