"""`openenv serve` as its user runs it: a process of its own, up when it says so, and stopped at the end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

__all__ = ["OPENENV", "ROOT", "Serving", "expect_refusal", "openenv_serve", "uvicorn_serve"]

ROOT = Path(__file__).parents[2]
OPENENV = [sys.executable, "-m", "openenv.cli"]

_URL = re.compile(r"(?: at|running on) (http://\S+)")
_STOP_S = 15


@dataclass
class Serving:
    """A server that runs.

    Attributes:
        url: Where it is.
        said: What it has written so far; all of it once it is stopped.
    """

    process: subprocess.Popen[bytes]
    url: str
    said: str

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, wait, and give its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
            self.said += self.process.communicate(timeout=_STOP_S)[1].decode()
        return self.process.returncode


@contextmanager
def openenv_serve(
    *arguments: str | Path, cwd: Path | None = None, environ: dict[str, str] | None = None
) -> Iterator[Serving]:
    """Run `openenv serve ARGUMENTS --port 0`. What it serves may import our tests."""
    command = [*OPENENV, "serve", *map(str, arguments), "--port", "0"]
    with _serving(command, "Ctrl-C stops it.\n", cwd, environ) as serving:
        yield serving


@contextmanager
def uvicorn_serve(
    app: str, *, cwd: Path, environ: dict[str, str] | None = None, python: str = sys.executable
) -> Iterator[Serving]:
    """Run `uvicorn APP --port 0` in a folder."""
    command = [python, "-m", "uvicorn", app, "--port", "0", "--no-use-colors"]
    with _serving(command, "(Press CTRL+C to quit)\n", cwd, environ) as serving:
        yield serving


@contextmanager
def _serving(command: list[str], last_line: str, cwd: Path | None, environ: dict[str, str] | None) -> Iterator[Serving]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | (environ or {})
    # Unbuffered, so that reading a line takes nothing of what `communicate` is to give.
    process = subprocess.Popen(command, cwd=cwd, env=environment, stderr=subprocess.PIPE, bufsize=0, process_group=0)
    try:
        assert process.stderr is not None
        said = ""
        while not said.endswith(last_line):
            line = process.stderr.readline().decode()
            assert line, f"it ended with {process.wait(_STOP_S)} and said:\n{said}"
            said += line
        found = _URL.search(said)
        assert found, said
        serving = Serving(process, found[1], said)
        yield serving
        serving.stop()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def expect_refusal(url: str) -> None:
    """Open sessions until one is refused: the server has heard that it is to stop."""
    with httpx.Client(base_url=url, trust_env=False, timeout=_STOP_S) as client, suppress(httpx.TransportError):
        while (answer := client.post("/reset", json={}, headers={"X-Session-Id": "new"})).status_code == 200:
            client.delete("/session", headers={"X-Session-Id": answer.headers["X-Session-Id"]})
