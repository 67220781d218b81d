"""Who may have a session: a limit, and a fair, bounded queue of those who wait for one."""

import asyncio
from collections import deque

from openenv.errors import AtCapacity

__all__ = ["Admission"]


class Admission:
    """Counts the sessions of a server and queues newcomers, first come first served.

    Args:
        limit: Sessions at once.
        queue_s: Seconds a newcomer waits before it is refused.
        max_queue: Newcomers that may wait; one more is refused at once.
    """

    def __init__(self, limit: int, *, queue_s: float, max_queue: int) -> None:
        self._limit = limit
        self._queue_s = queue_s
        self._max_queue = max_queue
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def limit(self) -> int:
        """Sessions at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self._admit()

    @property
    def taken(self) -> int:
        """Sessions that are open, opening, or not quite gone."""
        return self._taken

    @property
    def is_full(self) -> bool:
        """Whether a newcomer would have to wait."""
        return self._taken >= self._limit or bool(self._waiting)

    async def enter(self) -> None:
        """Take a place, waiting for one if need be; whoever enters must `leave`.

        Raises:
            AtCapacity: None came free in time, too many wait, or the server is stopping.
        """
        if self._closed:
            raise self._refusal("The server is shutting down.")
        if not self.is_full:
            self._taken += 1
            return
        if len(self._waiting) >= self._max_queue or not self._queue_s:
            raise self._refusal()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
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
        self._taken -= 1
        self._admit()

    def close(self) -> None:
        """Admit nobody any more, and refuse those who wait."""
        self._closed = True
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(self._refusal("The server is shutting down."))

    def _admit(self) -> None:
        while self._waiting and self._taken < self._limit:
            place = self._waiting.popleft()
            if not place.done():
                self._taken += 1
                place.set_result(None)

    def _give_up(self, place: asyncio.Future[None]) -> None:
        """Leave the queue; a place that was granted in the same moment goes to the next."""
        if place in self._waiting:
            self._waiting.remove(place)
        elif place.done() and not place.cancelled() and place.exception() is None:
            self.leave()

    def _refusal(self, sentence: str = "") -> AtCapacity:
        message = sentence or (
            f"Server at capacity: {self._taken}/{self._limit} sessions active. Cannot accept new connections."
        )
        counts = {"active_sessions": self._taken, "max_sessions": self._limit, "retry_after_s": 5.0}
        return AtCapacity("CAPACITY_REACHED", message, counts)
