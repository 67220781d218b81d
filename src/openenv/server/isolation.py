"""A session whose environment lives in a worker process.

`IsolatedSession` keeps the turn, the time limits and the state; the call itself is made by a `Session` in the worker.
A call that is cut off is given a moment to end there. If it does not, its worker is killed, at once where no other
session lives in it, or where it holds all of them up; otherwise as soon as the others have ended.
"""

import asyncio
import logging
from typing import Protocol

from openenv.env import EnvironmentMetadata
from openenv.errors import StepTimedOut
from openenv.protocol import Fault, Reset, Step, exception_for, rule_of
from openenv.server.config import Promises
from openenv.server.session import Answer as SessionAnswer
from openenv.server.session import Served, Session
from openenv.server.worker_wire import Answer, Build, Built, Describe, Described, End, Errand, Ping, Settle

__all__ = ["Home", "IsolatedSession"]

logger = logging.getLogger(__name__)

_SETTLE_S = 1.0
"""Seconds that a call which was cut off gets to end by itself."""
_PONG_S = 5.0
"""Seconds after which a worker that answers nothing is taken to be held up as a whole."""
_CLOSE_S = 30.0
"""Seconds that an environment gets to close."""


class Home(Protocol):
    """What a session knows of the worker it lives in."""

    is_gone: bool

    @property
    def load(self) -> int:
        """How many sessions live there."""

    def ask(self, number: int, errand: Errand, *, raw: bool = False) -> asyncio.Future[Answer]:
        """Ask for something, maybe with arrays `raw`; a worker that dies answers with a fault that says how."""

    def retire(self, why: str) -> None:
        """Take no newcomer, and be killed when nobody lives there."""

    def kill(self, why: str) -> None:
        """End at once, with whoever lives there."""

    def leave(self, number: int) -> None:
        """Forget a session."""


class IsolatedSession(Session):
    """One environment in a worker process, and the calls to it."""

    def __init__(
        self,
        session_id: str,
        home: Home,
        number: int,
        *,
        step_timeout_s: float | None,
        owner: str | None = None,
    ) -> None:
        super().__init__(session_id, step_timeout_s=step_timeout_s, owner=owner)
        self._home = home
        self._number = number
        self._was_cut_off = False
        self._promises: Promises | None = None

    @property
    def promises(self) -> Promises:
        """What its environment's class says about concurrent sessions."""
        assert self._promises is not None  # whoever has the session has built it
        return self._promises

    async def build(self) -> None:
        """Build the environment.

        Raises:
            FactoryFailed: It could not be built; the session has left its worker.
        """
        try:
            built = await self._home.ask(self._number, Build(self.id))
        except asyncio.CancelledError:
            self._home.kill("its caller went away while it built an environment")
            raise
        if isinstance(built, Fault):
            self._home.leave(self._number)
            if built.code != "FACTORY_ERROR":  # it died of it
                built = Fault("FACTORY_ERROR", f"The environment could not be built: {built.message}", built.details)
            raise exception_for(built)
        assert isinstance(built, Built)
        self._promises = built

    async def _describe(self) -> EnvironmentMetadata | None:
        described = await self._home.ask(self._number, Describe())
        return described.metadata if isinstance(described, Described) else None

    async def _perform(self, request: Served, raw: bool) -> SessionAnswer:
        timed = request.timeout_s if isinstance(request, Step | Reset) else None
        limit = min((s for s in (timed, self._step_timeout_s) if s is not None), default=None)
        asked = self._home.ask(self._number, request, raw=raw)
        try:
            async with asyncio.timeout(limit):
                reply = await asked
        except TimeoutError:
            self._cut_off_because(f"a call ran past its limit of {limit:g} s")
            sentence = f"The call did not finish within {limit:g} s, and its session is lost."
            raise StepTimedOut("TIMED_OUT", sentence, {"timeout_s": limit}) from None
        except asyncio.CancelledError:
            self._cut_off_because("its caller went away during a call")
            raise
        if isinstance(reply, Fault) and rule_of(reply.code).ends_session:
            self._cut_off_because(reply.message.removesuffix("."))  # the worker kept the limit, a moment earlier
        return reply  # type: ignore[return-value]  # of what a worker says, what answers `Served`

    def _cut_off_because(self, reason: str) -> None:
        self.lose(reason)
        self._was_cut_off = True

    async def _settled(self) -> bool:
        """Tell whether the call that was cut off has come to an end; if not, see to its worker's end."""
        if self._home.is_gone:
            return False
        settled, alive = (self._home.ask(self._number, errand) for errand in (Settle(), Ping()))
        await asyncio.wait({settled}, timeout=_SETTLE_S)
        if settled.done():
            return True
        if self._home.load > 1:
            self._home.retire("a call in it went on after it was cut off")
            await asyncio.wait({alive}, timeout=_PONG_S - _SETTLE_S)
        if self._home.load == 1 or not alive.done():
            self._home.kill("a call in it went on after it was cut off, and held everything up")
        return False

    async def _close(self, reason: str, keep_environment: bool) -> None:
        """Close the environment, or kill it with its process when it does not let itself be closed."""
        try:
            if not self._was_cut_off or await self._settled():
                await self._end(reason)
        finally:
            self._home.leave(self._number)

    async def _end(self, reason: str) -> None:
        ended = self._home.ask(self._number, End(reason))
        await asyncio.wait({ended}, timeout=_CLOSE_S)
        if not ended.done():
            logger.error("the environment of session %s did not close within %g s", self.id, _CLOSE_S)
            self._home.retire("an environment in it did not close")
