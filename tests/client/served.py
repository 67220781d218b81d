"""A server in a process of its own, to be killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openenv import create_app
from openenv.server.run import run
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho

_ROOT = Path(__file__).parents[2]


@contextmanager
def served(port: int = 0, *, grace_s: float = 60.0) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run this file, and give its URL and process once the port is bound."""
    command = [sys.executable, "-m", __name__, str(port)]
    settings = {**os.environ, "OPENENV_GRACE_S": str(grace_s)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT, env=settings) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


if __name__ == "__main__":
    served_app = create_app(ThreadedEcho, EchoAction, EchoObservation)
    run(served_app, port=int(sys.argv[1]), log_level="error", on_bound=lambda url: print(url, flush=True))
