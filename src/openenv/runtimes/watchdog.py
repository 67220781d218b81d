"""Cleaning up after a process that was killed: a second process that outlives it for a moment.

`atexit` does not run on SIGKILL, nor on an unhandled SIGTERM. So the first guarded thing starts a small process that
holds the reading end of a pipe. When this process ends, however it ends, the pipe closes, and the watchdog runs the
commands that were guarded and not released.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

__all__ = ["guard", "main", "release"]

_COMMAND_S = 60.0

_lock = threading.Lock()
_guarded: set[str] = set()
_process: subprocess.Popen[bytes] | None = None


def guard(key: str, command: Sequence[str]) -> None:
    """Have `command` run when this process is gone, unless `release(key)` comes first."""
    global _process
    with _lock:
        if _process is None:
            # A session of its own, so that Ctrl-C in the terminal does not reach it.
            _process = subprocess.Popen(
                [sys.executable, "-c", "from openenv.runtimes.watchdog import main; main()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                bufsize=0,
            )
        _guarded.add(key)
        _tell(_process, {"key": key, "command": list(command)})


def release(key: str) -> None:
    """Forget what was guarded under `key`; does nothing if nothing was. With nothing left the watchdog ends."""
    global _process
    with _lock:
        if _process is None or key not in _guarded:
            return
        _guarded.discard(key)
        _tell(_process, {"key": key, "command": None})
        if not _guarded:
            _dismiss(_process)
            _process = None


def main() -> None:
    """Be the watchdog: read what is guarded until the pipe closes, then clean up, last in first out."""
    guarded: dict[str, list[str]] = {}
    for line in sys.stdin.buffer:
        told = json.loads(line)
        if told["command"] is None:
            guarded.pop(told["key"], None)
        else:
            guarded[told["key"]] = told["command"]
    for command in reversed(guarded.values()):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_COMMAND_S)


def _tell(process: subprocess.Popen[bytes], message: dict[str, object]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # somebody killed it; atexit and `openenv prune` remain
        process.stdin.write(json.dumps(message).encode() + b"\n")


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    """Let it see the end of the pipe, and wait until it is gone."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(_COMMAND_S)


def _forget_in_child() -> None:
    """After a fork the watchdog is the parent's; a copy of its pipe held here would keep it from seeing the end."""
    global _lock, _process
    if _process is not None and _process.stdin is not None:
        _process.stdin.close()
    _lock, _process = threading.Lock(), None
    _guarded.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
