"""Cleaning up after a process that was killed: a second process that outlives it for a moment.

`atexit` does not run on SIGKILL, nor on an unhandled SIGTERM. So the first guarded thing starts a small process that
holds the reading end of a pipe. When this process ends, however it ends, the pipe closes, and the watchdog runs the
commands that were guarded and not released. With the last thing released it goes too.

This file is also the program of the watchdog, which runs it by its path: it imports nothing of ours, to be up quickly.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Task", "clean_up", "dismiss", "guard", "main", "release"]

_COMMAND_S = 60.0
_RETRY_PAUSE_S = 0.25
_LEAVE_S = 2.0


@dataclass(frozen=True)
class Task:
    """A command that cleans up.

    Attributes:
        retry_s: For how long it is tried again while it fails. What it removes may come to be only after this process
            was killed, by a command that was on its way.
    """

    command: tuple[str, ...]
    retry_s: float = 0.0


def guard(key: str, command: Sequence[str], *, retry_s: float = 0.0) -> None:
    """Have `command` run when this process is gone, unless `release(key)` comes first."""
    with _lock:
        _guarded[key] = Task(tuple(command), retry_s)
        _tell(key)


def release(key: str) -> None:
    """Forget what was guarded under `key`; does nothing if nothing was."""
    with _lock:
        if _guarded.pop(key, None) is None:
            return
        if _guarded or (_process is not None and _process.poll() is None):
            _tell(key)
        if not _guarded:
            _dismiss()


def dismiss() -> None:
    """At an orderly exit: let the watchdog do what is still guarded; it goes on without us."""
    with _lock:
        _guarded.clear()
        _dismiss()


def main() -> None:
    """Be the watchdog: read what is guarded until the pipe closes, then clean up, last in first out."""
    guarded: dict[str, Task] = {}
    for line in sys.stdin.buffer:
        told = json.loads(line)
        if told["command"] is None:
            guarded.pop(told["key"], None)
        else:
            guarded[told["key"]] = Task(tuple(told["command"]), told["retry_s"])
    clean_up(reversed(guarded.values()))


def clean_up(tasks: Iterable[Task]) -> None:
    """Run every command once, and those that fail again for as long as they ask for."""
    begun = time.monotonic()
    left = [task for task in tasks if not _succeeds(task)]
    while left := [task for task in left if time.monotonic() - begun < task.retry_s]:
        time.sleep(_RETRY_PAUSE_S)
        left = [task for task in left if not _succeeds(task)]


def _succeeds(task: Task) -> bool:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return (
            subprocess.run(
                task.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_COMMAND_S,
            ).returncode
            == 0
        )
    return False


_lock = threading.Lock()
_process: subprocess.Popen[bytes] | None = None
_guarded: dict[str, Task] = {}
_inherited: list[subprocess.Popen[bytes] | None] = []


def _tell(key: str) -> None:
    """Tell the watchdog of one key; one that is new is told of all."""
    global _process
    if _process is None or _process.poll() is not None:
        _dismiss()
        # A session of its own, so that Ctrl-C in the terminal does not reach it.
        _process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        keys = list(_guarded)
    else:
        keys = [key]
    assert _process.stdin is not None
    for each in keys:
        task = _guarded.get(each)
        told = {"key": each, "command": task and task.command, "retry_s": task.retry_s if task else 0.0}
        _process.stdin.write(json.dumps(told).encode() + b"\n")


def _dismiss() -> None:
    global _process
    process, _process = _process, None
    if process is not None:
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S)


def _forget_in_child() -> None:
    """A forked process owns nothing here, and must not hold the pipe open beyond the end of the one that does."""
    global _lock, _process
    _lock = threading.Lock()
    process, _process = _process, None
    _inherited.append(process)  # not ours to wait for
    _guarded.clear()
    if process is not None and process.stdin is not None:
        process.stdin.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)

if __name__ == "__main__":
    main()
