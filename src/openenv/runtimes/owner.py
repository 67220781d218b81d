"""Which process a container belongs to, so that one whose owner is gone can be told from one in use.

Decides what identifies a process: its number alone does not, since numbers are used again. Reads `/proc` where there is
one, and asks `ps` elsewhere.
"""

import json
import os
import socket
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

__all__ = ["Owner"]

_PS_S = 5.0
_STARTED = 19
"""Where `/proc/PID/stat` has it, counted from behind the name, which is in parentheses and may hold anything."""


@dataclass(frozen=True)
class Owner:
    """A process.

    Attributes:
        pid: Its number.
        started: When it was started, in whatever form this machine tells it.
        host: Where its number counts: a machine, and on Linux one of its process namespaces.
    """

    pid: int
    started: str
    host: str

    @classmethod
    def me(cls) -> Self:
        """Describe this process."""
        pid = os.getpid()
        return cls(pid, _started(pid) or "", _host())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` gave; None for anything else."""
        try:
            told = json.loads(text)
            return cls(int(told["pid"]), str(told["started"]), str(told["host"]))
        except (ValueError, KeyError, TypeError):
            return None

    def is_alive(self) -> bool | None:
        """Say whether it still runs; None when that cannot be told from here."""
        return _started(self.pid) == self.started if self.host == _host() else None

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def _host() -> str:
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str | None:
    """Say when a process was started; None when there is none of that number, or it has ended."""
    if not Path("/proc/self/stat").exists():
        return _asked(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    has_ended = fields[0] in "ZX"  # ended, but nobody has waited for it
    return None if has_ended else f"{boot} {fields[_STARTED]}"


def _asked(pid: int) -> str | None:
    asked = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PS_S,
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
    )
    return asked.stdout.strip() or None
