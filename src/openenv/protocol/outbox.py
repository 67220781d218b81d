"""Frames sent, in order and counted, each kept until the other side is known to have it.

This is what survives a socket. Both halves of a link send through one of these; after a cut, the count of what arrived
says where to go on, so that every frame arrives exactly once.
"""

from collections import deque

__all__ = ["Outbox"]


class Outbox:
    """One direction of a link, as its sender sees it.

    Attributes:
        kept_bytes: Size of the frames that are not acknowledged.
    """

    __slots__ = ("_acknowledged", "_fresh", "_kept", "kept_bytes")

    def __init__(self) -> None:
        self._kept: deque[bytes] = deque()
        self._fresh: list[bytes] = []
        self._acknowledged = 0
        self.kept_bytes = 0

    @property
    def added(self) -> int:
        """How many frames there ever were; also the number of the newest, counted from 1."""
        return self._acknowledged + len(self._kept)

    def add(self, frame: bytes) -> None:
        """Put a frame behind the others."""
        self._kept.append(frame)
        self._fresh.append(frame)
        self.kept_bytes += len(frame)

    def take(self) -> list[bytes]:
        """Give the frames to be sent on the present socket, oldest first, each once."""
        fresh = self._fresh
        if fresh:
            self._fresh = []
        return fresh

    def acknowledge(self, count: int) -> bool:
        """Forget the first `count` frames; an older count changes nothing. False for one that was never sent."""
        arrived = count - self._acknowledged
        if arrived > len(self._kept) - len(self._fresh):
            return False
        if arrived > 0:
            self._acknowledged = count
            for _ in range(arrived):
                self.kept_bytes -= len(self._kept.popleft())
        return True

    def can_rewind(self, count: int) -> bool:
        """Tell whether all that follows the first `count` frames is still here."""
        return self._acknowledged <= count <= self.added

    def rewind(self, count: int) -> None:
        """Go on behind the first `count` frames, on another socket."""
        self._fresh = []
        self.acknowledge(count)
        self._fresh = list(self._kept)
