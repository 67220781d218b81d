"""One worker process as the server sees it: the sessions that live there, and the questions that are open."""

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable, Coroutine

from openenv.errors import FactoryFailed
from openenv.protocol import Fault, exception_for
from openenv.server.nursery import Nursery
from openenv.server.session import Session
from openenv.server.worker_wire import Answer, Channel, Errand, Logged, decode_reply, encode_errand

__all__ = ["Worker"]

logger = logging.getLogger(__name__)

_LAST_WORDS_S = 0.2
"""Seconds that a dead worker's replies get to arrive."""


class Worker:
    """Asks a worker process, and notices its end.

    Args:
        ended: Told once, when it has ended, and why.
        is_shared: Whether it takes another session after its first.

    Attributes:
        is_gone: Whether it has ended, or is about to.
        buried: Done when it has ended and everybody knows.
    """

    def __init__(self, ended: Callable[["Worker", str], None], *, is_shared: bool) -> None:
        self.is_gone = False
        self.buried: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tell_ended = ended
        self._is_shared = is_shared
        self._residents: dict[int, Session] = {}
        self._open: dict[int, asyncio.Future[Answer]] = {}
        self._call_ids = itertools.count(1)
        self._channel: Channel | None = None
        self._nursery: Nursery | None = None
        self._pid = 0
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting: asyncio.Task[None] | None = None
        self._is_retired = False
        self._killed_because = ""
        self._broken = False
        self._how = ""

    @property
    def load(self) -> int:
        """How many sessions live there."""
        return len(self._residents)

    @property
    def is_broken(self) -> bool:
        """Whether it ended by itself, or could not begin."""
        return self._broken

    @property
    def takes_newcomers(self) -> bool:
        """Whether another session may live there."""
        return self._is_shared and not self._is_retired and not self.is_gone

    @property
    def residents(self) -> list[Session]:
        """The sessions that live there."""
        return list(self._residents.values())

    def start(self, starting: Coroutine[None, None, None]) -> None:
        """Be started by `starting`, which must not be given up when the one who asked for it is."""
        self._starting = asyncio.get_running_loop().create_task(starting)

    async def connect(self, ours: socket.socket, nursery: Nursery, theirs: socket.socket) -> None:
        """Have the process started, with one end of a socket."""
        self._nursery = nursery
        ours.setblocking(False)
        self._channel = await Channel.over(ours, self._received, self._hung_up)
        self._channel.send(nursery.introduction)
        self._pid = await nursery.start(theirs, self.ended)
        if self._killed_because:
            nursery.kill(self._pid)

    async def started(self) -> None:
        """Wait until it can build environments.

        Raises:
            FactoryFailed: It never will.
        """
        await asyncio.shield(self._started)

    def take(self, number: int, session: Session) -> None:
        """Have another session."""
        self._residents[number] = session

    def leave(self, number: int) -> None:
        """Forget a session; the last one of a worker that takes no other ends it."""
        self._residents.pop(number, None)
        if not self._residents and not self.takes_newcomers:
            self.kill("nobody lives there any more")

    def retire(self, why: str) -> None:
        """Take no newcomer, and end with the last session."""
        if not self._is_retired:
            self._is_retired = True
            logger.warning("worker process %d takes no further session: %s", self._pid, why)

    def kill(self, why: str) -> None:
        """End at once."""
        if not self.is_gone:
            self.is_gone = True
            self._killed_because = why
            if self._nursery is not None and self._pid:
                self._nursery.kill(self._pid)

    def ask(self, number: int, errand: Errand, *, raw: bool = False) -> asyncio.Future[Answer]:
        """Ask for something on behalf of session `number`; what is asked of a dead worker is a fault.

        Args:
            number: The session.
            errand: What it is.
            raw: Whether arrays of an observation are to come beside its JSON.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self._channel is None or self.is_gone:
            future.set_result(self._death())
            return future
        call_id = next(self._call_ids)
        self._open[call_id] = future
        self._channel.send(encode_errand(call_id, number, errand, raw=raw))
        return future

    def ended(self, how: str) -> None:
        """Take note of the process's end; what it said before may still arrive."""
        self.is_gone = True
        self._how = how
        if self._channel is None or self._channel.is_closed:
            self._bury()
        else:
            last_words_s = 0 if self._killed_because else _LAST_WORDS_S
            asyncio.get_running_loop().call_later(last_words_s, self._channel.close)

    def _received(self, body: memoryview) -> None:
        try:
            call_id, answer = decode_reply(body)
        except Exception:  # noqa: BLE001  # the process is the environment's, and may say anything
            logger.error("worker process %d said what is no reply", self._pid)
            self.kill("it said what is no reply")
            return
        if isinstance(answer, Logged):
            logging.getLogger(answer.name).log(answer.level, "%s", answer.text)
        elif not self._started.done():
            self._start_with(answer)
        elif (future := self._open.pop(call_id, None)) is not None and not future.done():
            future.set_result(answer)

    def _start_with(self, answer: Answer) -> None:
        if isinstance(answer, Fault):
            self._fail_start(answer)
            self.kill("it could not import the environment")
        else:
            self._started.set_result(None)

    def _hung_up(self) -> None:
        if self._how:
            self._bury()
        elif self._nursery is not None and self._pid:  # it closed its socket and lives on, or its end is told soon
            self._nursery.kill(self._pid)

    def _bury(self) -> None:
        fault = self._death()
        self._broken = self._broken or not self._killed_because
        if not self._started.done():
            message = f"The environment could not be built: {fault.message}"
            self._fail_start(Fault("FACTORY_ERROR", message, fault.details))
        for future in self._open.values():
            if not future.done():
                future.set_result(fault)
        self._open.clear()
        if self._residents and not self._killed_because:
            logger.error("worker process %d died (%s), and %d sessions with it", self._pid, self._how, self.load)
        self._tell_ended(self, self._why())
        self.buried.set_result(None)

    def _fail_start(self, fault: Fault) -> None:
        self._broken = True
        error = exception_for(fault)
        assert isinstance(error, FactoryFailed)
        self._started.set_exception(error)
        self._started.exception()  # nobody need be waiting

    def _death(self) -> Fault:
        return Fault("EXECUTION_ERROR", f"The environment is gone: {self._why()}.")

    def _why(self) -> str:
        if self._killed_because:
            return f"its worker process was killed: {self._killed_because}"
        return f"its worker process died: {self._how}"
