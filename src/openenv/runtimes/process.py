"""An environment folder, served by `openenv serve` in a process of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from openenv.errors import NotReady, StartFailed
from openenv.runtimes import watchdog
from openenv.runtimes.contract import Runtime

__all__ = ["LocalRuntime", "ProcessRuntime", "ServerProcess", "serve_command", "wait_for_url"]

# With what follows it, so that a line half written is not half read.
_URL = re.compile(r"(http://127\.0\.0\.1:\d+)\s")
_STOP_S = 15.0
_LOOK_S = 0.01


def serve_command(folder: Path, *, python: str, port: int, workers: int, app: str | None = None) -> list[str]:
    """Build the command that serves a folder on this machine; `app` stands in for what its `openenv.yaml` says."""
    command = [python, "-m", "openenv.cli", "serve", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--app", app] if app else []
    return command if workers == 1 else [*command, "--workers", str(workers)]


class ServerProcess:
    """A server in a process group of its own, its output in a temporary file.

    A pipe would block a talkative server whose output nobody reads.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start it.

        Raises:
            StartFailed: The command cannot be run.
        """
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            self._output.close()
            raise StartFailed(f"{command[0]} cannot be run: {error}") from error
        self._key = f"group {self._process.pid}"
        watchdog.guard(self._key, ["kill", "-KILL", "--", f"-{self._process.pid}"])

    @property
    def group(self) -> int:
        """Number of its process group."""
        return self._process.pid

    def output(self) -> str:
        """Give all it has printed."""
        if self._output.closed:
            return ""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def died(self) -> str | None:
        """Say how it ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"it exited with code {code}"

    def stop(self) -> None:
        """Ask the whole group to end, and make it after a while."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # also what it left behind
        self._process.wait()
        watchdog.release(self._key)
        self._output.close()


class LocalRuntime(Runtime):
    """A runtime whose server is a process of this machine; a subclass launches it by `_serve`."""

    def __init__(self, *, env_vars: Mapping[str, str] | None, start_timeout_s: float) -> None:
        super().__init__(start_timeout_s=start_timeout_s)
        self._env_vars = dict(env_vars or {})
        self._server: ServerProcess | None = None
        self._kept = ""

    def logs(self, lines: int = 100) -> str:
        """Give the last lines of what the server has printed."""
        text = self._server.output() if self._server is not None else self._kept
        return "\n".join(text.splitlines()[-lines:])

    def died(self) -> str | None:
        """Say how the process ended; None while it runs."""
        return self._server.died() if self._server is not None else "it was stopped"

    @property
    def process_group(self) -> int | None:
        """Number of the process group that the server and all its workers are in; None while there is none."""
        return self._server.group if self._server is not None else None

    def _serve(self, command: Sequence[str], env: Mapping[str, str]) -> str:
        self._server = ServerProcess(command, env={**env, **self._env_vars, "PYTHONUNBUFFERED": "1"})
        return wait_for_url(self._server, timeout_s=self._start_timeout_s)

    def _remove(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            self._kept = server.output()
            server.stop()


class ProcessRuntime(LocalRuntime):
    """Serves an environment folder with this Python.

    Args:
        folder: The environment's folder, with `openenv.yaml`.
        port: Port on 127.0.0.1; 0 takes any that is free.
        workers: Processes that share it.
        env_vars: Set for the server beside this process's own.
        python: Interpreter to run it with; this one by default.
        start_timeout_s: Seconds until it must be healthy.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        port: int = 0,
        workers: int = 1,
        env_vars: Mapping[str, str] | None = None,
        python: str | None = None,
        start_timeout_s: float = 60.0,
    ) -> None:
        super().__init__(env_vars=env_vars, start_timeout_s=start_timeout_s)
        self._command = serve_command(Path(folder), python=python or sys.executable, port=port, workers=workers)

    def _launch(self) -> str:
        return self._serve(self._command, os.environ)

    def __str__(self) -> str:
        return f"the process runtime of {self._command[4]}"


def wait_for_url(server: ServerProcess, *, timeout_s: float) -> str:
    """Wait until the server prints where it is.

    Raises:
        StartFailed: It died before it did.
        NotReady: It did not in time.
    """
    deadline = time.monotonic() + timeout_s
    while (found := _URL.search(server.output())) is None:
        if (how := server.died()) is not None:
            raise StartFailed(f"the server did not start: {how}")
        if time.monotonic() >= deadline:
            raise NotReady(f"the server did not say where it is within {timeout_s:g} s; allow more by start_timeout_s")
        time.sleep(_LOOK_S)
    return found[1]
