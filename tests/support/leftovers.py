"""What a piece of code left behind in this process: threads, child processes, sockets. The last two on Linux only."""

import gc
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Holdings", "leftovers"]

# Started by multiprocessing for the rest of the process's life; nobody can end them.
_PERMANENT_CHILDREN = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_POLL_S = 0.01


@dataclass(frozen=True)
class Holdings:
    """What this process holds right now."""

    threads: frozenset[threading.Thread]
    children: frozenset[int]
    sockets: frozenset[str]

    @classmethod
    def now(cls) -> Self:
        return cls(frozenset(threading.enumerate()), frozenset(_children()), frozenset(_sockets()))

    def describe_since(self, before: Self) -> list[str]:
        """Name everything held now that was not held before."""
        return [
            *(f"thread {thread.name!r}" for thread in self.threads - before.threads),
            *(f"child process {pid} ({_command(pid)})" for pid in self.children - before.children),
            *(name for name in self.sockets - before.sockets),
        ]


def leftovers(before: Holdings, within_s: float) -> list[str]:
    """Name what is still held since `before`, after waiting at most `within_s` for it to go away by itself."""
    if not Holdings.now().describe_since(before):
        return []
    gc.collect()  # garbage in a reference cycle is not left behind, only not yet found
    deadline = time.monotonic() + within_s
    while (found := Holdings.now().describe_since(before)) and time.monotonic() < deadline:
        threading.Event().wait(_POLL_S)
    return sorted(found)


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    pids = [int(pid) for task in tasks for pid in _read(task).split()]
    return [pid for pid in pids if not any(name in _command(pid) for name in _PERMANENT_CHILDREN)]


def _sockets() -> list[str]:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        return []
    targets = [_target(str(descriptors / number)) for number in os.listdir(descriptors)]
    return [target for target in targets if target.startswith("socket:")]


def _command(pid: int) -> str:
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip() or "ended, but nobody waited for it"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended while we looked
        return ""


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it was closed while we looked
        return ""
