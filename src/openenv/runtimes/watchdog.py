"""Cleaning up after a process that was killed: a second process that outlives it for a moment.

`atexit` does not run on SIGKILL, nor on an unhandled SIGTERM. So the first guarded thing starts a small process that
holds the reading end of a pipe. When this process ends, however it ends, the pipe closes, and the watchdog runs the
commands that were guarded and not released.
"""

import atexit
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Sequence

__all__ = ["guard", "main", "release"]

_COMMAND_S = 60.0

_lock = threading.Lock()
_process: subprocess.Popen[bytes] | None = None


def guard(key: str, command: Sequence[str]) -> None:
    """Have `command` run when this process is gone, unless `release(key)` comes first."""
    _tell({"key": key, "command": list(command)})


def release(key: str) -> None:
    """Forget what was guarded under `key`; does nothing if nothing was."""
    _tell({"key": key, "command": None})


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


def _tell(message: dict[str, object]) -> None:
    global _process
    with _lock:
        if _process is None or _process.poll() is not None:
            if message["command"] is None:
                return
            # A session of its own, so that Ctrl-C in the terminal does not reach it.
            command = [sys.executable, "-c", "from openenv.runtimes.watchdog import main; main()"]
            _process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, bufsize=0
            )
            atexit.register(_dismiss, _process)
        assert _process.stdin is not None
        _process.stdin.write(json.dumps(message).encode() + b"\n")


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    """At an orderly exit: let it see the end of the pipe, and wait until it is gone."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(_COMMAND_S)
