"""Who may have a session: a limit, and a fair, bounded queue of those who wait for one."""

import asyncio
from collections import deque

from openenv.errors import AtCapacity
from openenv.server.slots import LocalSlots, Slots

__all__ = ["Admission"]

_POLL_S = 0.05
"""Seconds between looks at what other worker processes have given back."""
_UNLIMITED = 2**31 - 1


class Admission:
    """Counts the sessions of a server and queues newcomers, first come first served.

    Args:
        limit: Sessions at once; None while unknown, when this process may have one.
        queue_s: Seconds a newcomer waits before it is refused.
        max_queue: Newcomers that may wait; one more is refused at once.
    """

    def __init__(self, limit: int | None, *, queue_s: float, max_queue: int) -> None:
        self._limit = limit
        self._slots: Slots = LocalSlots()
        self._queue_s = queue_s
        self._max_queue = max_queue
        self._poll: asyncio.TimerHandle | None = None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def limit(self) -> int:
        """Sessions at once."""
        return 1 if self._limit is None else self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    @property
    def knows_limit(self) -> bool:
        """Whether the limit is known yet."""
        return self._limit is not None

    @property
    def taken(self) -> int:
        """Sessions that are open, opening, or not quite gone."""
        return self._slots.taken

    @property
    def taken_here(self) -> int:
        """Those of this process alone."""
        return self._slots.own

    def share(self, slots: Slots) -> None:
        """Count together with other worker processes; called before anybody enters."""
        self._slots = slots

    @property
    def is_full(self) -> bool:
        """Whether a newcomer would have to wait."""
        return self.has_queue or self.taken >= self.limit

    @property
    def has_queue(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    @property
    def waiting(self) -> int:
        """How many wait, of this process alone."""
        return len(self._waiting)

    @property
    def is_closed(self) -> bool:
        """Whether nobody is admitted any more."""
        return self._closed

    async def enter(self) -> None:
        """Take a place, waiting for one if need be; whoever enters must `leave`.

        Raises:
            AtCapacity: None came free in time, too many wait, or the server is stopping.
        """
        if self._closed:
            raise self._refusal("The server is shutting down.")
        if not self._waiting and self._take():
            return
        if len(self._waiting) >= self._max_queue or not self._queue_s:
            raise self._refusal()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._watch_others()
        try:
            async with asyncio.timeout(self._queue_s):
                await place
        except TimeoutError:
            self._give_up(place)
            raise self._refusal() from None
        except asyncio.CancelledError:
            self._give_up(place)
            raise

    def leave(self) -> None:
        """Give a place back; the first in the queue gets it."""
        self._slots.give()
        self._admit()

    def close(self) -> None:
        """Admit nobody any more, and refuse those who wait."""
        self._closed = True
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(self._refusal("The server is shutting down."))

    def _admit(self) -> None:
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
            elif self._take():
                self._waiting.popleft().set_result(None)
            else:
                return

    def _take(self) -> bool:
        if self._limit is None:
            return self._slots.own == 0 and self._slots.take(_UNLIMITED)
        return self._slots.take(self._limit)

    def _watch_others(self) -> None:
        """While someone waits, look for places that other processes have given back."""
        if self._poll is None and self._waiting and self._slots.is_shared:
            self._poll = asyncio.get_running_loop().call_later(_POLL_S, self._look)

    def _look(self) -> None:
        self._poll = None
        self._admit()
        self._watch_others()

    def _give_up(self, place: asyncio.Future[None]) -> None:
        """Leave the queue; a place that was granted in the same moment goes to the next."""
        if place in self._waiting:
            self._waiting.remove(place)
        elif place.done() and not place.cancelled() and place.exception() is None:
            self.leave()

    def _refusal(self, sentence: str = "") -> AtCapacity:
        message = sentence or (
            f"Server at capacity: {self.taken}/{self.limit} sessions active. Cannot accept new connections."
        )
        counts = {"active_sessions": self.taken, "max_sessions": self.limit, "retry_after_s": 5.0}
        return AtCapacity("CAPACITY_REACHED", message, counts)
