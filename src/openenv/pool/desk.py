"""Who waits for a session, and who is next: first come, first served. Thread-safe, and without I/O.

A checkout joins the queue and looks; while it has to wait it sleeps for as long as the look said, or until it is woken.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from openenv.client.endpoint import shown
from openenv.errors import PoolClosed, PoolExhausted
from openenv.pool.placement import Placement, Placing, PoolStats, Server, ServerStats

__all__ = ["Desk", "Ticket", "Wait"]

S = TypeVar("S")


@dataclass(frozen=True)
class Wait:
    """Look again after so many seconds, or when woken; None for only when woken."""

    seconds: float | None


@dataclass(eq=False)
class Ticket(Generic[S]):
    """One checkout's place in the queue.

    Attributes:
        kind: The sort of session it can use.
        limit_s: Seconds it waits; None for as long as it takes.
        since: When it began.
        wake: Ends its sleep; called from any thread.
    """

    kind: Hashable
    limit_s: float | None
    since: float
    wake: Callable[[], object]
    placement: Placement[S] | None = None

    def left_s(self, now: float) -> float | None:
        """Seconds it still waits; None for as long as it takes."""
        return None if self.limit_s is None else self.since + self.limit_s - now


class Desk(Generic[S]):
    """Gives places of `placing` to checkouts, in the order they came.

    Args:
        placing: The places.
        outage_s: Seconds that a checkout waits while no server is of any use, if it sets no limit of its own.
        clock: Seconds that only rise.
    """

    def __init__(self, placing: Placing[S], *, outage_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._placing = placing
        self._outage_s = outage_s
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[Ticket[S]] = deque()
        self._closed = False

    def join(self, kind: Hashable, limit_s: float | None, wake: Callable[[], object]) -> Ticket[S]:
        """Go to the end of the queue; whoever joins must `leave`."""
        ticket: Ticket[S] = Ticket(kind, limit_s, self._clock(), wake)
        with self._lock:
            self._queue.append(ticket)
        return ticket

    def look(self, ticket: Ticket[S]) -> Placement[S] | Wait:
        """Take the place that is the ticket's, or say how long to wait.

        Raises:
            PoolExhausted: It has waited long enough, or in vain.
            PoolClosed: The pool was closed.
        """
        with self._lock:
            if self._closed:
                raise PoolClosed("the pool was closed; make another")
            self._grant()
            if ticket.placement is not None:
                placement, ticket.placement = ticket.placement, None
                return placement
            now = self._clock()
            until = self._until(ticket)
            if self._placing.is_hopeless or (until is not None and now >= until):
                raise self._exhausted(now - ticket.since)
            times = [at for at in (until, self._placing.next_change(now)) if at is not None]
            return Wait(min(times) - now if times else None)

    def leave(self, ticket: Ticket[S]) -> list[S]:
        """Leave the queue, wherever in it; a place that was granted in the same moment goes to the next.

        Gives the sessions that are to be closed, since the pool was closed in the same moment.
        """
        with self._lock:
            if ticket in self._queue:
                self._queue.remove(ticket)
            if ticket.placement is not None:
                self._placing.undo(ticket.placement)
                ticket.placement = None
            self._change()
            return self._placing.withdraw() if self._closed else []

    def again(self, ticket: Ticket[S]) -> None:
        """Go back to the head of the queue, since what was given was of no use."""
        with self._lock:
            self._queue.appendleft(ticket)

    def left_s(self, ticket: Ticket[S]) -> float | None:
        """Seconds that a checkout still waits; None for as long as it takes."""
        return ticket.left_s(self._clock())

    def opened(self, server: Server[S]) -> None:
        """Note that a server has let a session in."""
        with self._lock:
            self._placing.opened(server)
            self._change()

    def refused(self, server: Server[S], reason: str) -> bool:
        """Note that a server had no room. Says whether there is another that may have."""
        with self._lock:
            self._placing.refused(server, reason, self._clock())
            self._change()
            return self._placing.is_promising

    def failed(self, server: Server[S], reason: str) -> bool:
        """Note that a server could not be reached. Says whether there is another that may."""
        with self._lock:
            self._placing.failed(server, reason, self._clock())
            self._change()
            return self._placing.is_promising

    def give_back(self, server: Server[S], kind: Hashable, session: S) -> bool:
        """Take a session back; False when it has to be closed and dropped instead."""
        with self._lock:
            if self._closed:
                return False
            self._placing.give_back(server, kind, session)
            self._change()
            return True

    def drop(self, server: Server[S], lost: str | None = None) -> None:
        """Free the place of a session that is closed."""
        with self._lock:
            self._placing.drop(server, lost)
            self._change()

    def start(self, server: Server[S]) -> list[S]:
        """Note that a server is being started; gives the idle sessions, which are lost."""
        with self._lock:
            lost = self._placing.start(server)
            self._change()
            return lost

    def up(self, server: Server[S], name: str) -> None:
        """Note that a server has started."""
        with self._lock:
            self._placing.up(server, name)
            self._change()

    def gone(self, server: Server[S], reason: str) -> None:
        """Note that a server will not come back."""
        with self._lock:
            self._placing.gone(server, reason)
            self._change()
            self._wake_all()  # it may have been the last

    def withdraw(self, kind: Hashable | None = None) -> list[S]:
        """Take all idle sessions of a kind, or of any."""
        with self._lock:
            return self._placing.withdraw(kind)

    def close(self) -> None:
        """Give no place any more, and refuse those who wait."""
        with self._lock:
            self._closed = True
            self._wake_all()

    @property
    def is_closed(self) -> bool:
        """Whether nobody gets a place any more."""
        return self._closed

    def stats(self) -> PoolStats:
        """Describe all of it."""
        with self._lock:
            return self._placing.stats(len(self._queue))

    def _change(self) -> None:
        """See who can be served now; the next in the queue looks whether its wait has changed."""
        self._grant()
        if self._queue:
            self._queue[0].wake()

    def _grant(self) -> None:
        while self._queue and not self._closed:
            placement = self._placing.choose(self._queue[0].kind, self._clock())
            if placement is None:
                return
            ticket = self._queue.popleft()
            ticket.placement = placement
            ticket.wake()

    def _wake_all(self) -> None:
        for ticket in self._queue:
            ticket.wake()

    def _until(self, ticket: Ticket[S]) -> float | None:
        """When the ticket has waited long enough; None for never, as things are."""
        if ticket.limit_s is not None:
            return ticket.since + ticket.limit_s
        dark = self._placing.dark_since()
        return None if dark is None else max(dark, ticket.since) + self._outage_s

    def _exhausted(self, waited_s: float) -> PoolExhausted:
        stats = self._placing.stats(len(self._queue))
        what = "will ever come" if self._placing.is_hopeless else f"came free within {waited_s:.3g} s"
        others = max(stats.waiting - 1, 0)
        head = f"no session {what}: {stats.out} of {stats.size} are out, {others} other checkouts wait"
        said = "\n".join(f"- {_described(server)}" for server in stats.servers)
        return PoolExhausted(f"{head}\n{said}", out=stats.out, idle=stats.idle, waiting=others, size=stats.size)


def _described(server: ServerStats) -> str:
    bears = "" if server.bears is None else f", bears {server.bears}"
    error = f"; last error: {server.last_error}" if server.last_error else ""
    return f"{shown(server.server)}: {server.standing.value}, {server.out} out, {server.idle} idle{bears}{error}"
