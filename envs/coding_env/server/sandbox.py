"""A sandbox as the environment sees it: hand it code, get what came of it. What is inside is `warden.py`.

`Isolation.FULL` puts walls around it (`walls.py`) and fails where the kernel does not allow them. `Isolation.LIMITS` does
without: code is held to limits, and otherwise can do what the server can. It is for containers that are walls themselves.
"""

import json
import os
import selectors
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

__all__ = ["Isolation", "IsolationUnavailable", "Limits", "Outcome", "Sandbox", "SandboxLost", "chosen_isolation"]

SETTING = "CODING_ENV_ISOLATION"
_HERE = Path(__file__).resolve().parent
_PYTHON = [sys.prefix, sys.base_prefix]
_START_S = 20.0
_GRACE_S = 10.0  # beyond the limit, for what the warden does after it
_CLOSE_S = 2.0


class Isolation(StrEnum):
    """What is around the code."""

    FULL = "full"
    LIMITS = "limits"


class IsolationUnavailable(RuntimeError):
    """This machine does not let the walls be built."""


class SandboxLost(RuntimeError):
    """The sandbox itself has failed; a reset begins with another one."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What code may use. All but the first two hold for each process; `disk_mb`, `files` and `processes` need walls.

    Attributes:
        wall_s: Seconds that a step may take.
        output_bytes: Kept of what a step prints to each of stdout and stderr; the rest is thrown away.
        cpu_s: Seconds of processor time in a step; the interpreter's own, and code might lift it.
        cpu_total_s: Seconds of processor time in all, which nobody lifts.
        memory_mb: Of addresses.
        file_mb: Of one file.
        open_files: At once.
        processes: And threads, of the whole sandbox.
        disk_mb: Of all files together.
        files: And folders, in all.
    """

    wall_s: float = 10.0
    output_bytes: int = 20_000
    cpu_s: int = 10
    cpu_total_s: int = 600
    memory_mb: int = 512
    file_mb: int = 16
    open_files: int = 64
    processes: int = 32
    disk_mb: int = 32
    files: int = 500


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a request.

    Attributes:
        stdout: What was printed there.
        stderr: And there, the traceback included.
        truncated_output: Whether more was printed than is kept.
        exit_code: 0 when all went well, 1 after an exception, what `sys.exit` was given, or minus a signal's number.
        exception: The last line of the traceback, or why there is none; None when nothing was raised.
        timed_out: Whether it was stopped at the limit.
        has_ended: Whether the interpreter is gone, and its variables with it; the next request starts another.
        result: What a call returned, as JSON; None if nothing, or nothing of the kind. Code may forge it.
    """

    stdout: str
    stderr: str
    truncated_output: bool
    exit_code: int
    exception: str | None
    timed_out: bool
    has_ended: bool
    result: str | None = None


class Sandbox:
    """A process that runs code, apart from everything else, until `close`.

    Args:
        isolation: What is around it.
        limits: What it may use.
        seed: Of Python's hashes and of `random`.

    Raises:
        IsolationUnavailable: The kernel does not allow the walls.
    """

    def __init__(self, isolation: Isolation, limits: Limits | None = None, seed: int | None = None) -> None:
        self._limits = limits or Limits()
        self._count = 0
        self._folder = TemporaryDirectory(prefix="coding-env-", ignore_cleanup_errors=True)
        is_walled = isolation is Isolation.FULL
        settings = {
            "limits": asdict(self._limits),
            "seed": seed,
            "program": (_HERE / "interpreter.py").read_text(),
            # Nothing of the server's own environment variables, which hold its secrets.
            "environment": {
                "LANG": "C.UTF-8",
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "PYTHONHASHSEED": str((seed or 0) % 2**32),
            },
            "walls": {
                "root": self._folder.name,
                "shown": _PYTHON,
                "hidden": [str(_HERE)],  # with the answers to the tasks
                "disk_mb": self._limits.disk_mb,
                "files": self._limits.files,
            }
            if is_walled
            else None,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-E", "-s", "-S", "-B", str(_HERE / "warden.py"), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=self._folder.name,
            env={},
        )
        try:
            refused = self._exchange(None, _START_S)["refused"]
        except BaseException:  # whatever it was, nobody else would end it
            self.close()
            raise
        if refused is not None:
            self.close()
            raise IsolationUnavailable(
                f"code cannot be isolated here ({refused}). Allow user namespaces, or set {SETTING}=limits where the"
                " container around this server is all the isolation you need: see 'Isolation' in the README"
            )

    def run(self, code: str, wall_s: float | None = None) -> Outcome:
        """Run code. Raises SandboxLost."""
        return self._ask({"code": code}, wall_s)

    def call(self, function: str, arguments: list[Any]) -> Outcome:
        """Call a function that code has defined, with JSON values. Raises SandboxLost."""
        return self._ask({"call": function, "arguments": arguments}, None)

    def close(self) -> None:
        """End everything in it and wipe its files."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # on which the warden ends everything
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_CLOSE_S)
        self._process.kill()  # on which the kernel does
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any], wall_s: float | None) -> Outcome:
        self._count += 1
        limit_s = min(self._limits.wall_s, wall_s or self._limits.wall_s)
        answer = self._exchange({**request, "id": self._count, "wall_s": limit_s}, limit_s + _GRACE_S)
        return Outcome(**answer)

    def _exchange(self, request: dict[str, Any] | None, limit_s: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = b""
        with suppress(BrokenPipeError):
            if request is not None:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                if selector.select(limit_s):
                    line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise SandboxLost(f"the sandbox has not answered within {limit_s:g} s, or has ended; reset to get another")
        answer: dict[str, Any] = json.loads(line)
        return answer


def chosen_isolation() -> Isolation:
    """Read the setting; full isolation is the default. Raises ValueError."""
    given = os.environ.get(SETTING, Isolation.FULL)
    try:
        return Isolation(given)
    except ValueError as error:
        raise ValueError(f"{SETTING} is {given!r}; it is 'full' or 'limits'") from error
