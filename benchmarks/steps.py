"""Steps a second over one WebSocket server, against a bare WebSocket echo on the same core in the same run.

    python benchmarks/steps.py [--connections 1 16 256] [--seconds 2] [--peer URL]

The server is pinned to one core and the load to another, where the machine has two. Every row is a ratio to the floor,
an ASGI app that echoes text frames and does nothing else, since absolute numbers of a shared machine mean little.
`--peer` adds any OpenEnv server that is running the scaffold's echo environment.
"""

import argparse
import asyncio
import base64
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

_ECHO = textwrap.dedent("""
    from openenv import Action, Environment, Observation, State, create_app

    class EchoAction(Action):
        message: str

    class EchoObservation(Observation):
        echoed_message: str = ""
        message_length: int = 0

    class Echo(Environment[EchoAction, EchoObservation, State]):
        SUPPORTS_CONCURRENT_SESSIONS = True
        BLOCKING = {blocking}

        def __init__(self):
            self._state = State(episode_id="bench")

        def reset(self):
            return EchoObservation(reward=0.0)

        def step(self, action):
            self._state.step_count += 1
            text = action.message
            return EchoObservation(echoed_message=text, message_length=len(text), reward=len(text) / 10)

        @property
        def state(self):
            return self._state

    app = create_app(Echo, EchoAction, EchoObservation, max_concurrent_envs=4096)
""")

_FLOOR = textwrap.dedent("""
    async def app(scope, receive, send):
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
""")

_RUN = textwrap.dedent("""
    from openenv.server import run

    run(app, port=0, log_level="error", on_bound=lambda url: print(url, flush=True))
""")
_STEP = b'{"type":"step","data":{"message":"Hello, World!"}}'


class Stepper(asyncio.Protocol):
    """One connection that sends a frame whenever it has got one back; frames are made by hand, to stay cheap."""

    def __init__(self, path: str, host: str) -> None:
        self.steps = 0
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        key = base64.b64encode(os.urandom(16)).decode()
        self._hello = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        # A masking key of zeros is legal and leaves the payload as it is.
        self._frame = bytes([0x81, 0x80 | len(_STEP), 0, 0, 0, 0]) + _STEP
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._hello)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.up.done():
            head, end, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            assert b" 101 " in head.split(b"\r\n", 1)[0], head
            self.up.set_result(None)
        while len(self._buffer) >= 4:
            size = self._buffer[1] & 127
            start = 4 if size == 126 else 2
            size = int.from_bytes(self._buffer[2:4], "big") if size == 126 else size
            if len(self._buffer) < start + size:
                return
            opcode, self._buffer = self._buffer[0] & 15, self._buffer[start + size :]
            if opcode == 1:
                self.steps += 1
                self._transport.write(self._frame)

    def go(self) -> None:
        self._transport.write(self._frame)

    def stop(self) -> None:
        self._transport.abort()


async def rate(url: str, connections: int, seconds: float) -> float:
    """Measure steps a second with so many connections stepping at once, after a warm-up."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or 80
    loop = asyncio.get_running_loop()
    steppers = [
        (await loop.create_connection(lambda: Stepper("/ws", parts.netloc), host, port))[1] for _ in range(connections)
    ]
    await asyncio.gather(*(stepper.up for stepper in steppers))
    for stepper in steppers:
        stepper.go()
    await asyncio.sleep(seconds / 4)
    before, since = sum(stepper.steps for stepper in steppers), time.perf_counter()
    await asyncio.sleep(seconds)
    counted = (sum(stepper.steps for stepper in steppers) - before) / (time.perf_counter() - since)
    for stepper in steppers:
        stepper.stop()
    return counted


@contextmanager
def served(source: str, core: int | None) -> Iterator[str]:
    """Serve an app from its source text in a process of its own, and give its URL."""
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit("a server did not start; its output says why")
        yield url
    finally:
        process.terminate()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 256])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--peer", help="URL of another server to measure in the same run")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    core = cores[0] if len(cores) > 1 else None
    if core is not None:
        os.sched_setaffinity(0, set(cores[1:]))
    servers = {
        "floor: bare WebSocket echo": _FLOOR + _RUN,
        "openenv serve, BLOCKING = False": _ECHO.format(blocking=False) + _RUN,
        "openenv serve, a thread a session": _ECHO.format(blocking=True) + _RUN,
    }
    with ExitStack() as stack:
        urls = {name: stack.enter_context(served(source, core)) for name, source in servers.items()}
        if args.peer:
            urls[f"peer: {args.peer}"] = args.peer
        print("steps/s (share of the floor)".ljust(36), *(f"{n:>16} conn" for n in args.connections))
        floors: dict[int, float] = {}
        for name, url in urls.items():
            cells = []
            for connections in args.connections:
                measured = asyncio.run(rate(url, connections, args.seconds))
                floor = floors.setdefault(connections, measured)
                cells.append(f"{measured:>13,.0f} ({measured / floor:>4.0%})")
            print(name.ljust(36), *cells)


if __name__ == "__main__":
    main()
