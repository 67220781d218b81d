"""Load on any OpenEnv server: sessions over sockets of their own that step as fast as they are answered.

The load must not be what is measured, so the WebSocket frames are made and read by hand here: dialect 1, one frame
prepared once and sent again and again. A reply is looked at for its kind and its end of episode, and not parsed.
"""

import asyncio
import base64
import itertools
import json
import os
import ssl
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.frames import Opcode
from websockets.uri import parse_uri

from openenv.client import GenericEnvClient, StepResults
from openenv.errors import ConnectFailed, OpenEnvError, RemoteFault

__all__ = ["Load", "Measured", "percentile", "step_over_sockets", "step_vector"]

_OPENING = 16
"""Sessions that are opened at once: a server is asked to hold many, not to accept all in one instant."""
_PATIENCE_S = 60.0
_RESET = b'{"type":"reset","data":{}}'
_DONE = (b'"done":true', b'"done": true')  # in a string of the environment's the quotes would be escaped
_ERROR = (b'{"type":"error"', b'{"type": "error"')
_FINAL, _MASKED = 0x80, 0x80


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to ask of a server.

    Attributes:
        socket: Address of its `/ws`.
        headers: Sent with each handshake.
        actions: What each session does, over and over.
        seconds: How long is measured, after a quarter of it to warm up.
    """

    socket: str
    headers: Mapping[str, str]
    actions: Sequence[Mapping[str, Any]]
    seconds: float


@dataclass(kw_only=True)
class Measured:
    """What was seen.

    Attributes:
        sessions: How many were opened.
        at_once: Steps that one call makes.
        seconds: How long was measured.
        step_s: Durations of the calls answered meanwhile.
        open_s: How long each session took to open, from the connection to its first observation.
        faults: Error codes that were answered in place of observations, the time to warm up included.
    """

    sessions: int
    at_once: int = 1
    seconds: float = 0.0
    step_s: "array[float]" = field(default_factory=lambda: array("d"))
    open_s: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def steps_per_s(self) -> float:
        """Steps answered a second, of all sessions together."""
        return self.at_once * len(self.step_s) / self.seconds if self.seconds else 0.0


def percentile(values: Sequence[float], part: float) -> float:
    """Give the value below which so large a part of them lies, by the nearest rank; 0 of none."""
    ranked = sorted(values)
    return ranked[min(int(part * len(ranked)), len(ranked) - 1)] if ranked else 0.0


async def step_over_sockets(load: Load, sessions: int, on_open: Callable[[], None] = lambda: None) -> Measured:
    """Open so many sessions, let all of them step for the load's time, and close them.

    Args:
        load: What to ask.
        sessions: How many at once.
        on_open: Called when all are open and before they step.

    Raises:
        ConnectFailed: A session could not be opened, because there is no such server.
        RemoteFault: Because the server said no, to a session or to the first step.
    """
    measured = Measured(sessions=sessions)
    gate = asyncio.Semaphore(_OPENING)
    opened: list[_Session] = []

    async def open_one() -> None:
        async with gate:
            began = time.perf_counter()
            session = await _connect(load)
            opened.append(session)
            await session.ask(_RESET)
            measured.open_s.append(time.perf_counter() - began)

    try:
        async with asyncio.timeout(_PATIENCE_S + sessions / 10):
            await _all(open_one() for _ in range(sessions))
            await _all(session.ask(session.action) for session in opened[:1])
        on_open()
        for session in opened:
            session.run(measured)
        await asyncio.sleep(load.seconds / 4)
        measured.step_s = array("d")
        began = time.perf_counter()
        await asyncio.sleep(load.seconds)
        measured.seconds = time.perf_counter() - began
        for session in opened:
            session.stop()
    except TimeoutError as error:
        raise ConnectFailed(
            f"{load.socket} opened {len(measured.open_s)} of {sessions} sessions and no more"
        ) from error
    finally:
        for session in opened:
            session.drop()
    return measured


def step_vector(load: Load, sessions: int, on_open: Callable[[], None] = lambda: None) -> Measured:
    """Let so many sessions step together, as one vector of our own client. Raises and takes what its sibling does."""
    measured = Measured(sessions=sessions, at_once=sessions)
    actions = itertools.cycle(load.actions)
    began = time.perf_counter()
    with GenericEnvClient.vector(load.socket, sessions, headers=load.headers) as vector:
        _raise_first(vector.reset())
        measured.open_s.append(time.perf_counter() - began)
        _raise_first(vector.step(list(itertools.islice(actions, sessions))))
        on_open()
        began = time.perf_counter() + load.seconds / 4
        while (asked := time.perf_counter()) < began + load.seconds:
            results = vector.step(list(itertools.islice(actions, sessions)))
            if asked >= began:
                measured.step_s.append(time.perf_counter() - asked)
            measured.faults.update(getattr(error, "code", type(error).__name__) for error in results.errors.values())
        measured.seconds = time.perf_counter() - began
    return measured


def _raise_first(results: StepResults[Any]) -> None:
    """Raise what the first environment that failed did."""
    for error in results.errors.values():
        raise error


async def _all(work: Any) -> None:
    """Do everything at once; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except* (OpenEnvError, OSError) as failed:
        first: BaseException = failed
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


async def _connect(load: Load) -> "_Session":
    uri = parse_uri(load.socket)
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context() if uri.secure else None
    try:
        _, session = await loop.create_connection(lambda: _Session(load), uri.host, uri.port, ssl=context)
    except OSError as error:
        raise ConnectFailed(f"cannot connect to {load.socket}: {error}; is the server running?") from error
    try:
        await session.up
    except BaseException:  # cancelled too: nobody else would hang up
        session.drop()
        raise
    return session


class _Session(asyncio.Protocol):
    """One socket. It asks, is answered, and asks again."""

    def __init__(self, load: Load) -> None:
        loop = asyncio.get_running_loop()
        self.up: asyncio.Future[None] = loop.create_future()
        self.action = _text(load.actions[0])
        self._load = load
        self._frames = [_frame(Opcode.TEXT, _text(action)) for action in load.actions]
        self._reset = _frame(Opcode.TEXT, _RESET)
        self._reply: asyncio.Future[bytes] | None = None
        self._unasked: bytes | None = None  # how a server says that there will be no session
        self._measured: Measured | None = None
        self._buffer = bytearray()
        self._message = b""
        self._steps = 0
        self._is_reset = False
        self._asked_at = 0.0

    async def ask(self, message: bytes) -> bytes:
        """Ask once, and wait. Raises RemoteFault when the server says no."""
        self._reply = asyncio.get_running_loop().create_future()
        if self._unasked is None:
            self._transport.write(_frame(Opcode.TEXT, message))
        reply = self._unasked or await self._reply
        if reply.startswith(_ERROR):
            said = json.loads(reply)["data"]
            raise RemoteFault(str(said.get("code")), str(said.get("message")), {})
        return reply

    def run(self, measured: Measured) -> None:
        """Step from now on, again at every reply."""
        self._measured = measured
        self._next()

    def stop(self) -> None:
        """Step no more."""
        self._measured = None

    def drop(self) -> None:
        """Hang up."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        uri = parse_uri(self._load.socket)
        host = f"[{uri.host}]" if ":" in uri.host else uri.host
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {uri.resource_name} HTTP/1.1",
            f"Host: {host}:{uri.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in self._load.headers.items()),
        ]
        transport.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.up.done() and not self._has_shaken_hands():
            return
        while (frame := self._take()) is not None:
            self._receive(*frame)

    def connection_lost(self, error: Exception | None) -> None:
        lost = ConnectFailed(f"{self._load.socket} closed the connection")
        for waiting in (self.up, self._reply):
            if waiting is not None and not waiting.done():
                waiting.set_exception(lost)
        if self._measured is not None:
            self._measured.faults["CONNECTION_LOST"] += 1

    def _has_shaken_hands(self) -> bool:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if " 101 " not in f"{status} ":
            self.up.set_exception(ConnectFailed(f"{self._load.socket} answered {status!r} to the handshake"))
            self._transport.abort()
            return False
        self._buffer = rest
        self.up.set_result(None)
        return True

    def _take(self) -> tuple[int, bool, bytes] | None:
        """Take the next frame off the buffer: opcode, whether it ends its message, payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1] & 127, 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + size:
            return None
        payload = bytes(buffer[start : start + size])
        first = buffer[0]
        del buffer[: start + size]
        return first & 15, bool(first & _FINAL), payload

    def _receive(self, opcode: int, is_final: bool, payload: bytes) -> None:
        if opcode == Opcode.PING:
            self._transport.write(_frame(Opcode.PONG, payload))
        elif opcode == Opcode.CLOSE:
            self._transport.close()
        elif opcode != Opcode.PONG:
            self._message += payload
            if is_final:
                message, self._message = self._message, b""
                self._answered(message)

    def _answered(self, message: bytes) -> None:
        if self._reply is None:
            self._unasked = message
        elif not self._reply.done():
            self._reply.set_result(message)
        if self._measured is None:
            return
        if message.startswith(_ERROR):
            self._measured.faults[str(json.loads(message)["data"].get("code"))] += 1
        elif not self._is_reset:
            self._measured.step_s.append(time.perf_counter() - self._asked_at)
        self._next(is_reset=any(mark in message for mark in _DONE))

    def _next(self, *, is_reset: bool = False) -> None:
        self._is_reset = is_reset
        self._asked_at = time.perf_counter()
        self._transport.write(self._reset if is_reset else self._frames[self._steps % len(self._frames)])
        self._steps += 1


def _text(action: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": "step", "data": action}, separators=(",", ":")).encode()


def _frame(opcode: int, payload: bytes) -> bytes:
    """Make a client's frame. A masking key of zeros leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        head = bytes([_FINAL | opcode, _MASKED | size])
    elif size < 65536:
        head = bytes([_FINAL | opcode, _MASKED | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([_FINAL | opcode, _MASKED | 127]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload
