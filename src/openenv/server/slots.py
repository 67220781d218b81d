"""How many sessions are open: counted in this process, or in a file that several worker processes share."""

import fcntl
import mmap
import struct
from pathlib import Path
from typing import Protocol

__all__ = ["LocalSlots", "SharedSlots", "Slots"]

_COUNT = struct.Struct("i")  # native, so that it is written in one piece: `give` and `taken` hold no lock


class Slots(Protocol):
    """A count of open sessions. `own` is this process's part of `taken`, and `processes` is how many share it."""

    own: int
    is_shared: bool
    processes: int

    @property
    def taken(self) -> int:
        """Sessions open now, of all processes that share the count."""

    def take(self, limit: int) -> bool:
        """Count one more unless `limit` are open; tell whether it was counted."""

    def give(self) -> None:
        """Count one less."""


class LocalSlots:
    """The count of a server that is one process."""

    is_shared = False
    processes = 1

    def __init__(self) -> None:
        self.own = 0

    @property
    def taken(self) -> int:
        """Sessions open now."""
        return self.own

    def take(self, limit: int) -> bool:
        """Count one more unless `limit` are open."""
        if self.own >= limit:
            return False
        self.own += 1
        return True

    def give(self) -> None:
        """Count one less."""
        self.own -= 1


class SharedSlots:
    """One process's entry in a file of counts, one a worker. The lock on the file dies with its holder.

    Args:
        path: The file; `create` makes it.
        index: Which entry is ours.
    """

    is_shared = True

    def __init__(self, path: Path, index: int) -> None:
        self.own = 0
        self._offset = index * _COUNT.size
        self._file = path.open("r+b")
        self._counts = mmap.mmap(self._file.fileno(), 0)
        self.processes = len(self._counts) // _COUNT.size
        self._write(0)  # what a crashed predecessor had open is gone

    @staticmethod
    def create(path: Path, workers: int) -> None:
        """Make the file, every count 0."""
        path.write_bytes(bytes(_COUNT.size * workers))

    @property
    def taken(self) -> int:
        """Sessions open now, in all workers."""
        return sum(count for (count,) in _COUNT.iter_unpack(self._counts[:]))

    def take(self, limit: int) -> bool:
        """Count one more unless `limit` are open in all workers together."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            if self.taken >= limit:
                return False
            self._write(self.own + 1)
            return True
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def give(self) -> None:
        """Count one less."""
        self._write(self.own - 1)

    def close(self) -> None:
        """Release the file."""
        self._counts.close()
        self._file.close()

    def _write(self, count: int) -> None:
        self.own = count
        _COUNT.pack_into(self._counts, self._offset, count)
