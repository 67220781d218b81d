"""The servers of a pool, the sessions that are out, and what it takes to open, retire and mend them.

A checkout asks here; `EnvPool` is the face of it. There is no thread but those that start runtimes.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from openenv.errors import OpenEnvError, PoolClosed, UsageError
from openenv.pool.desk import Desk
from openenv.pool.lease import Lease
from openenv.pool.mending import Mender
from openenv.pool.opening import Client, prepared
from openenv.pool.placement import Placing, Server, Standing
from openenv.runtimes import Runtime

__all__ = ["SYNC", "Fleet", "Place", "Session"]

SYNC = "sync"
"""The kind of synchronous sessions; that of asynchronous ones is their event loop."""

Place = str | Runtime

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Session:
    """An open session, and who has it."""

    client: Client
    server: Server["Session"]
    kind: Hashable
    lease: Lease = field(default_factory=Lease)


class Fleet:
    """Servers, and sessions on them.

    Args:
        places: URLs and runtimes.
        make: Makes a client of a URL.
        size: Sessions at once.
        open_timeout_s, outage_timeout_s: As of `EnvPool`.
    """

    def __init__(
        self,
        places: Sequence[Place],
        make: Callable[[str], Client],
        *,
        size: int,
        open_timeout_s: float,
        outage_timeout_s: float,
    ) -> None:
        self._make = make
        self._open_timeout_s = open_timeout_s
        self._owner = os.getpid()
        servers: list[Server[Session]] = [_server(place) for place in places]
        self.desk: Desk[Session] = Desk(Placing(servers, size), outage_s=outage_timeout_s)
        pairs = zip(servers, places, strict=True)
        self._menders = {server: self._mender(server, place) for server, place in pairs if isinstance(place, Runtime)}
        self._out: set[Session] = set()
        self._tenants: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self._started = False

    @property
    def is_inherited(self) -> bool:
        """Whether this is a forked process, in which all of it belongs to another."""
        return self._owner != os.getpid()

    def check(self) -> None:
        """Refuse a checkout in a forked process; start the runtimes at the first. Raises UsageError."""
        if self.is_inherited:
            raise UsageError("this pool was made in another process, which has its sessions; make one in each process")
        if not self._started:
            self._started = True
            for mender in self._menders.values():
                mender.mend()

    def new_client(self, server: Server[Session], left_s: float | None) -> tuple[Client, float]:
        """Make a client for a server, and say how many seconds it may take to open."""
        limit_s = self._open_timeout_s if left_s is None else min(self._open_timeout_s, max(left_s, 0.0))
        mender = self._menders.get(server)
        return prepared(self._make(server.name), limit_s, None if mender is None else mender.died), limit_s

    def hand_out(self, session: Session) -> None:
        """Note that a session is checked out, and give it a fresh lease."""
        session.lease = Lease()
        self._out.add(session)
        if self.desk.is_closed:  # at this very moment: its block may run, and ends it
            session.lease.end(_closed())

    def take_back(self, session: Session, why: OpenEnvError) -> bool:
        """Note that a checkout ends; says whether no call is under way."""
        self._out.discard(session)
        return session.lease.end(why)

    def keep(self, session: Session) -> bool:
        """Keep a session that was given back in good order; False when it has to be closed."""
        if session.kind != SYNC and session.kind not in self._tenants:
            return False  # its event loop is about to end
        if not self.desk.give_back(session.server, session.kind, session):
            return False
        if session.server in self._menders:
            self._menders[session.server].praise()
        return True

    def retire(self, session: Session) -> None:
        """Close an idle session, on its own event loop if it has one."""
        if not isinstance(session.kind, asyncio.AbstractEventLoop):
            session.client.close()
        elif not session.kind.is_closed():
            asyncio.run_coroutine_threadsafe(session.client._close_async(), session.kind)

    def suspect(self, server: Server[Session]) -> None:
        """Look after a server that cannot be reached, if it is ours."""
        if server in self._menders:
            self._menders[server].mend()

    def settle(self, loop: asyncio.AbstractEventLoop) -> None:
        """See to it that idle sessions are closed when the running loop ends, which cancels what still runs on it."""
        if loop not in self._tenants:
            self._tenants[loop] = loop.create_task(self._tenant(loop), name="openenv-pool")

    async def unsettle(self) -> None:
        """Close the idle sessions of this event loop."""
        tenant = self._tenants.get(asyncio.get_running_loop())
        if tenant is not None:
            tenant.cancel()
            await asyncio.wait([tenant])

    def has_sessions_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether sessions were checked out on that event loop."""
        return loop in self._tenants

    def end_sessions(self) -> None:
        """Close what is idle, refuse calls on what is out, and close that too unless a call is under way."""
        for session in list(self._out):
            if session.lease.end(_closed()) and session.kind == SYNC:
                session.client.close()
        for session in self.desk.withdraw():
            self.retire(session)

    def stop_runtimes(self) -> None:
        """Stop every runtime. Raises RuntimeFailed when one cannot be taken away, after the others."""
        failures = []
        for mender in self._menders.values():
            try:
                mender.close()
            except Exception as error:  # noqa: BLE001  # runtimes of others raise what they like, and the rest must go
                _log.exception("a runtime of the pool could not be stopped")
                failures.append(error)
        if failures:
            raise failures[0]

    async def _tenant(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            await loop.create_future()  # until it is cancelled
        finally:
            self._tenants.pop(loop, None)
            for session in self.desk.withdraw(loop):
                await session.client._close_async()

    def _mender(self, server: Server[Session], runtime: Runtime) -> Mender:
        def start() -> None:
            for session in self.desk.start(server):
                self.retire(session)

        return Mender(
            runtime,
            on_start=start,
            on_up=lambda url: self.desk.up(server, url),
            on_gone=lambda why: self.desk.gone(server, why),
        )


def _server(place: Place) -> Server[Session]:
    return Server(str(place), Standing.STARTING) if isinstance(place, Runtime) else Server(place)


def _closed() -> PoolClosed:
    return PoolClosed("the pool was closed; make another")
