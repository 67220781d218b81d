"""Steps a second over one WebSocket server, as a share of a bare WebSocket echo on the same core in the same run.

    python -m benchmarks.steps [--connections 1 16 256 1024] [--seconds 2] [--peer PYTHON]

The server is pinned to one core and the load to another, where the machine has two. Every row is a ratio to the floor,
picows echoing frames and doing nothing else, since absolute numbers of a shared machine mean little. `--peer` names the
Python of an environment with `openenv==0.10.0` installed, whose server then runs the same environment under uvicorn.
"""

import argparse
import asyncio
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from benchmarks.servers import PEER, SERVERS, UPSTREAM

Rates = dict[str, dict[int, float]]
"""Steps a second, by the server's name and the number of connections."""

_STEP = b'{"type":"step","data":{"message":"Hello, World!"}}'
PING = 0x89
"""How the frame of a ping begins."""
# A masking key of zeros is legal and leaves the payload as it is.
STEP_FRAME = bytes([0x81, 0x80 | len(_STEP), 0, 0, 0, 0]) + _STEP


class Load:
    """Connections that each send a frame whenever they have got one back: bare sockets, to be no bottleneck."""

    def __init__(self, url: str, connections: int) -> None:
        parts = urlsplit(url)
        self._selector = selectors.DefaultSelector()
        self._sockets = [connect(parts.hostname or "localhost", parts.port or 80) for _ in range(connections)]
        for connection in self._sockets:
            self._selector.register(connection, selectors.EVENT_READ)
            connection.sendall(STEP_FRAME)

    def run(self, seconds: float) -> float:
        """Step for so long, and give the steps a second."""
        steps, since = 0, time.perf_counter()
        while (now := time.perf_counter()) < since + seconds:
            for key, _ in self._selector.select(1.0):
                connection: socket.socket = key.fileobj  # type: ignore[assignment]  # those registered above
                received = connection.recv(65536)
                if received[:1] == bytes([PING]):
                    continue
                if not _has_reply(received):
                    raise SystemExit(f"a server broke off, or sent something else: {received[:200]!r}")
                connection.send(STEP_FRAME)
                steps += 1
        return steps / (now - since)

    def close(self) -> None:
        for connection in self._sockets:
            connection.close()
        self._selector.close()


def connect(host: str, port: int) -> socket.socket:
    """Open a WebSocket, by hand."""
    connection = socket.create_connection((host, port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(
        f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)
    if not answer.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"no WebSocket at {host}:{port}: {answer[:200]!r}")
    return connection


def _has_reply(received: bytes) -> bool:
    """Tell whether this begins with a whole frame of text; on a loopback address short ones come in one piece."""
    if len(received) < 4 or received[0] != 0x81:
        return False
    size = received[1]
    return len(received) >= (4 + int.from_bytes(received[2:4], "big") if size == 126 else 2 + size)


@contextmanager
def served(source: str, core: int | None, python: str = sys.executable) -> Iterator[str]:
    """Serve an app from its source text in a process of its own, and give its URL."""
    with started(source, core, python) as (url, _):
        yield url


@contextmanager
def started(source: str, core: int | None, python: str = sys.executable) -> Iterator[tuple[str, int]]:
    """Do as `served`, and give the id of the process as well."""
    process = subprocess.Popen([python, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("a server did not start; its output says why")
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


async def rate(url: str, connections: int, seconds: float) -> float:
    """Measure steps a second with so many connections stepping at once, after a warm-up, and let others run."""
    return await asyncio.to_thread(_measure, url, connections, seconds)


def _measure(url: str, connections: int, seconds: float) -> float:
    load = Load(url, connections)
    try:
        load.run(seconds / 4)
        return load.run(seconds)
    finally:
        load.close()


def take_cores() -> int | None:
    """Keep one core for servers and give it; None on a machine with one."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return None
    os.sched_setaffinity(0, set(cores[1:]))
    return cores[0]


@contextmanager
def apart() -> Iterator[int | None]:
    """Keep one core for servers while this lasts, and give it; None on a machine with one."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        yield take_cores()
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)


def measure(connections: Sequence[int], seconds: float, peer: str | None) -> Rates:
    """Measure every server at every number of connections.

    Args:
        connections: How many at once, one number a column.
        seconds: How long each cell is measured.
        peer: A Python with OpenEnv 0.10.0, or None to leave it out.
    """
    servers = [(name, sys.executable, source) for name, source in SERVERS.items()]
    if peer:
        servers.append((PEER, peer, UPSTREAM))
    with ExitStack() as stack:
        core = stack.enter_context(apart())
        urls = {name: stack.enter_context(served(source, core, python)) for name, python, source in servers}
        return {name: {count: _measure(url, count, seconds) for count in connections} for name, url in urls.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 256, 1024])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--peer", metavar="PYTHON", help="measure OpenEnv 0.10.0 too, installed for this Python")
    args = parser.parse_args()
    rates = measure(args.connections, args.seconds, args.peer)
    floor = next(iter(rates.values()))
    print("steps/s (share of the floor)".ljust(36), *(f"{count:>16} conn" for count in args.connections))
    for name, row in rates.items():
        cells = [f"{rate:>13,.0f} ({rate / floor[count]:>4.0%})" for count, rate in row.items()]
        print(name.ljust(36), *cells)


if __name__ == "__main__":
    main()
