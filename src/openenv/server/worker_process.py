"""A worker process: environments and their sessions, and a socket to the server that speaks for them.

Calls run here as they would in the server: `building` decides where, and `Session.perform` is the one path to them.
"""

import asyncio
import faulthandler
import io
import logging
import os
import pickle
import socket
import sys
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import uvloop

from openenv.env import EnvironmentSource
from openenv.errors import RemoteFault
from openenv.protocol import Fault, Step
from openenv.server.building import SessionBuilder
from openenv.server.local import LocalSession
from openenv.server.recipe import Recipe
from openenv.server.session import Answer as SessionAnswer
from openenv.server.session import Served
from openenv.server.worker_wire import (
    Answer,
    Build,
    Built,
    Channel,
    Describe,
    Described,
    Done,
    End,
    Logged,
    Ping,
    Settle,
    encode_reply,
    receive_frame,
)

__all__ = ["work"]

logger = logging.getLogger(__name__)

_UNASKED = 0


def work(descriptor: int) -> None:
    """Be a worker, and end the process when the server closes the socket. Never returns."""
    faulthandler.enable()  # so that the log says where a crash was
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # what it said before it died is not lost
    connection = socket.socket(fileno=descriptor)
    recipe: Recipe = pickle.loads(receive_frame(connection))
    status = 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(connection, recipe))
        status = 0
    except BaseException:  # noqa: BLE001  # the process ends here, whatever it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # whatever threads of the environment's still run


async def _serve(connection: socket.socket, recipe: Recipe) -> None:
    house = _House()
    channel = await Channel.over(connection, house.receive, house.gone.set)
    handler = _ToServer(channel)
    _log_to(handler, recipe.log_level)
    try:
        factory, action_class = recipe.load()
        _log_to(handler, recipe.log_level)  # and to nothing else, whatever the modules have set up
        source = EnvironmentSource(factory)
        house.open(channel, SessionBuilder(source, action_class, step_timeout_s=None, mode=recipe.mode))
    except (Exception, SystemExit) as error:  # the environment's module, which is not ours
        logger.exception("the environment could not be imported in a worker process")
        details = {"exception": type(error).__name__, "cause": str(error)}
        sentence = "The environment could not be imported in a worker process."
        channel.send(encode_reply(_UNASKED, Fault("FACTORY_ERROR", sentence, details)))
    else:
        channel.send(encode_reply(_UNASKED, Done()))
    await house.gone.wait()


class _House:
    """The sessions that live here, by the numbers that the server gave them."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._channel: Channel | None = None
        self._builder: SessionBuilder | None = None
        self._sessions: dict[int, LocalSession] = {}
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()

    def open(self, channel: Channel, builder: SessionBuilder) -> None:
        """Begin to serve."""
        self._channel, self._builder = channel, builder

    def receive(self, body: memoryview) -> None:
        """Take a request."""
        call_id, number, errand, raw = pickle.loads(body)
        match errand:
            case Ping():
                self._reply(call_id, Done())
            case Build():
                self._start(call_id, self._build(number, errand.session_id))
            case Describe():
                self._start(call_id, self._describe(self._sessions[number]))
            case Settle():
                self._start(call_id, self._settle(number))
            case End():
                self._start(call_id, self._end(number, errand.reason))
            case _:
                session = self._sessions[number]
                answer = _at_once(session, errand, raw)
                if answer is None:
                    self._calls[number] = self._start(call_id, session.serve(errand, raw=raw))
                else:
                    self._reply(call_id, answer)

    def _start(self, call_id: int, errand: Coroutine[Any, Any, Answer]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._answer(call_id, errand))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    async def _answer(self, call_id: int, errand: Coroutine[Any, Any, Answer]) -> None:
        try:
            answer = await errand
        except RemoteFault as error:
            answer = Fault.of(error)
        except asyncio.CancelledError:
            answer = Done()  # nobody waits for it, but every question has its answer
        self._reply(call_id, answer)

    def _reply(self, call_id: int, answer: Answer) -> None:
        assert self._channel is not None  # nobody asks before it is open
        self._channel.send(encode_reply(call_id, answer))

    async def _build(self, number: int, session_id: str) -> Answer:
        assert self._builder is not None  # as above
        session = await self._builder.build(session_id)
        session.is_attached = True  # the server minds the expiry
        self._sessions[number] = session
        return Built(session.promises.name, session.promises.is_concurrent)

    async def _describe(self, session: LocalSession) -> Answer:
        described = await session.metadata()
        return Done() if described is None else Described(described)

    async def _settle(self, number: int) -> Answer:
        call = self._calls.pop(number, None)
        if call is not None and not call.done():
            call.cancel()
            await asyncio.wait({call})
        await self._sessions[number].settle()
        return Done()

    async def _end(self, number: int, reason: str) -> Answer:
        self._calls.pop(number, None)
        await self._sessions.pop(number).end(reason)
        return Done()


def _at_once(session: LocalSession, request: Served, raw: bool) -> SessionAnswer | None:
    if type(request) is Step:  # the one that must be quick
        return session.step_at_once(request.action, request.timeout_s, request.options, raw=raw)
    return session.serve_at_once(request, raw=raw)


class _ToServer(logging.Handler):
    """Lets the server log what is logged here."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record, from whatever thread."""
        frame = encode_reply(_UNASKED, Logged(record.name, record.levelno, self.format(record)))
        with suppress(RuntimeError):  # the loop is closed: the server is gone
            self._loop.call_soon_threadsafe(self._channel.send, frame)


def _log_to(handler: logging.Handler, level: int) -> None:
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)


if __name__ == "__main__":
    work(int(sys.argv[1]))
