"""What a session costs a server in memory, and many sessions that step once a second each: nothing may be lost.

    python -m benchmarks.memory [--idle 4096] [--sessions 10000] [--seconds 60]

Each session needs a descriptor here and one in the server, so `ulimit -n` must allow for the larger number.
"""

import argparse
import resource
import selectors
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.servers import SERVE, SERVERS
from benchmarks.steps import PING, STEP_FRAME, apart, connect, started

_WARM = 16
_READ_EVERY = 32
_LATE_S = 30.0
_CLOSE_FRAME = bytes([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])  # 1000, masked by zeros
_OPCODE = 15
_TEXT, _CLOSE = 1, 8


class Client:
    """One session over a bare socket: how often it has asked and been answered."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = connect(parts.hostname or "localhost", parts.port or 80)
        self.asked = 0
        self.answered = 0
        self.waited_s = 0.0
        self.is_closed = False
        self._asked_at = 0.0
        self._buffer = b""

    @property
    def is_waiting(self) -> bool:
        return self.asked > self.answered

    def step(self) -> None:
        self._asked_at = time.perf_counter()
        self.asked += 1
        self.socket.sendall(STEP_FRAME)

    def read(self) -> None:
        """Take what has come. Frames of a server are not masked."""
        received = self.socket.recv(65536)
        if not received and not self.is_closed:
            raise SystemExit("a session was lost: its server hung up")
        self._buffer += received
        while len(self._buffer) >= 2:
            start = 4 if self._buffer[1] == 126 else 2
            end = start + (int.from_bytes(self._buffer[2:4], "big") if start == 4 else self._buffer[1])
            if len(self._buffer) < end:
                return
            head, payload = self._buffer[0], self._buffer[start:end]
            self._buffer = self._buffer[end:]
            self._take(head, payload)

    def _take(self, head: int, payload: bytes) -> None:
        if head == PING:
            self.socket.sendall(bytes([0x8A, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        elif head & _OPCODE == _CLOSE:
            self.is_closed = True
        elif payload.startswith(b'{"type":"observation"') and self.is_waiting:
            self.answered += 1
            self.waited_s = max(self.waited_s, time.perf_counter() - self._asked_at)
        else:
            raise SystemExit(f"a session was answered something else: {payload[:200]!r}")


class Crowd:
    """Sessions that are open at once."""

    def __init__(self, url: str, sessions: int) -> None:
        self._selector = selectors.DefaultSelector()
        self.clients: list[Client] = []
        for _ in range(sessions):
            self._read(0)  # opening many takes longer than a server waits for the answer to a ping
            client = Client(url)
            self._selector.register(client.socket, selectors.EVENT_READ, client)
            self.clients.append(client)

    def step_each(self, within_s: float) -> None:
        """Have every session step once, evenly over so long, and wait for the last answer."""
        began = time.perf_counter()
        for index, client in enumerate(self.clients):
            client.step()
            if index % _READ_EVERY == 0:
                self._read(0)
                while (ahead := began + within_s * index / len(self.clients) - time.perf_counter()) > 0:
                    self._read(ahead)
        while any(client.is_waiting for client in self.clients):
            self._read(0.05)
            if time.perf_counter() > began + within_s + _LATE_S:
                raise SystemExit("a step was lost: it was never answered")
        while (left := began + within_s - time.perf_counter()) > 0:
            self._read(left)

    def close(self) -> None:
        """Say goodbye in every session, and hear it said."""
        for client in self.clients:
            client.socket.sendall(_CLOSE_FRAME)
            self._read(0)
        deadline = time.perf_counter() + _LATE_S
        while not all(client.is_closed for client in self.clients):
            self._read(0.05)
            if time.perf_counter() > deadline:
                raise SystemExit("a session was lost: its close was never answered")
        self._selector.close()
        for client in self.clients:
            client.socket.close()

    def _read(self, patience_s: float) -> None:
        for key, _ in self._selector.select(patience_s):
            client: Client = key.data
            client.read()
            if client.is_closed:
                self._selector.unregister(client.socket)


def resident_bytes(pid: int) -> int:
    """Read how much memory a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def growth(url: str, pid: int, sessions: int) -> float:
    """Measure the bytes by which a server grows with each session that has stepped and stays open."""
    warm = Crowd(url, _WARM)
    warm.step_each(0.1)
    before = resident_bytes(pid)
    crowd = Crowd(url, sessions)
    crowd.step_each(1.0)
    grown = resident_bytes(pid) - before
    crowd.close()
    warm.close()
    return grown / sessions


@dataclass(frozen=True, kw_only=True)
class Endured:
    """How many sessions went that each stepped once a second, none of them lost."""

    sessions: int
    steps: int
    opened_s: float
    stepped_s: float
    slowest_s: float
    slowest_of_median_session_s: float
    held_bytes: int


def endure(url: str, pid: int, sessions: int, seconds: int) -> Endured:
    """Step every session once a second for so long; whatever is lost ends the program."""
    began = time.perf_counter()
    crowd = Crowd(url, sessions)
    opened_s = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(seconds):
        crowd.step_each(1.0)
    stepped_s = time.perf_counter() - began
    held = resident_bytes(pid)
    crowd.close()
    answered = sum(client.answered for client in crowd.clients)
    slowest = sorted(client.waited_s for client in crowd.clients)
    assert answered == sessions * seconds
    return Endured(
        sessions=sessions,
        steps=answered,
        opened_s=opened_s,
        stepped_s=stepped_s,
        slowest_s=slowest[-1],
        slowest_of_median_session_s=slowest[sessions // 2],
        held_bytes=held,
    )


def measure(idle: int) -> dict[str, float]:
    """Measure the bytes that each of so many idle sessions takes of every server that has sessions, by its name."""
    _allow_many()
    grown = {}
    with apart() as core:
        for name, source in SERVERS.items():
            if "openenv" in source:
                with started(source, core) as (url, pid):
                    grown[name] = growth(url, pid, idle)
    return grown


def measure_many(sessions: int, seconds: int) -> Endured:
    """Have many sessions of `openenv serve` step once a second for so long."""
    _allow_many()
    with apart() as core, started(SERVERS[SERVE], core) as (url, pid):
        return endure(url, pid, sessions, seconds)


def _allow_many() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # servers inherit it


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=4096, help="idle sessions whose memory is measured")
    parser.add_argument("--sessions", type=int, default=10_000, help="sessions that step once a second")
    parser.add_argument("--seconds", type=int, default=60, help="for how long they do; 0 leaves them out")
    args = parser.parse_args()
    for name, size in measure(args.idle).items():
        print(f"{name:36} {size / 1024:6.1f} KiB a session")
    if args.seconds:
        many = measure_many(args.sessions, args.seconds)
        print(f"{many.sessions} sessions opened in {many.opened_s:.1f} s")
        print(f"{many.steps} steps in {many.stepped_s:.1f} s, none lost; {many.held_bytes / 2**20:.0f} MiB in all")
        slow, middle = 1000 * many.slowest_s, 1000 * many.slowest_of_median_session_s
        print(f"slowest step {slow:.0f} ms, of the median session {middle:.0f} ms")


if __name__ == "__main__":
    main()
