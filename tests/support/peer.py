"""OpenEnv's own package, in a process of the Python that `scripts/peer` has put aside for it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.command import ROOT
from tests.support.services import require

__all__ = ["Peer", "PeerRaised", "peer"]

_HOME = ROOT / "build" / "peers" / "openenv"
_PROGRAM = ROOT / "tests" / "data" / "peer.py"


class PeerRaised(Exception):
    """What a command raised over there.

    Attributes:
        kinds: The names of the exception's class and of its bases.
    """

    def __init__(self, kinds: list[str], said: str) -> None:
        super().__init__(said)
        self.kinds = kinds


class Peer:
    """The program in tests/data/peer.py, which has the commands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.hear()

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Have a command carried out, and give what it gives. Raises PeerRaised."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        return self.hear()

    def hear(self) -> Any:
        """Wait for the next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"OpenEnv's process ended with {self._process.wait(5)}"
        answer = json.loads(line)
        if "raised" in answer:
            raise PeerRaised(answer["raised"], answer["said"])
        return answer["gave"]

    def entered(self) -> int:
        """Wait until a server of theirs says that a step waits to be killed, and give its process."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.startswith('{"entered"'):
                return int(json.loads(line)["entered"])
        raise AssertionError("OpenEnv's process ended")


@contextmanager
def _running() -> Iterator[Peer]:
    python = _HOME / "bin" / "python"
    require(
        (_HOME / "ready").exists(),
        f"needs OpenEnv's package in {_HOME.relative_to(ROOT)}; `scripts/peer` puts it there",
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OPENENV_", "PYTHON"))}
    process = subprocess.Popen(
        [str(python), str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        process_group=0,
    )
    try:
        yield Peer(process)
        process.communicate(timeout=10)  # the end of its commands
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """OpenEnv's package, for a module of tests; to be imported by it."""
    with _running() as running:
        yield running
