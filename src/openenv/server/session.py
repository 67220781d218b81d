"""One session: one environment, one call at a time, and the one path from a request to an environment call.

WebSocket and HTTP both end in `Session.serve`. What a session is wherever its environment lives stands here: its turn,
its state, and its end. `local` has those whose environments live in this process, `isolation` those in workers.
"""

import asyncio
import enum
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from openenv.env import EncodedObservation, EnvironmentMetadata
from openenv.errors import RemoteFault
from openenv.protocol import (
    Fault,
    GetSnapshot,
    GetState,
    GetView,
    Json,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Reset,
    Restore,
    Restored,
    SnapshotIs,
    StateIs,
    Step,
    ViewIs,
)
from openenv.server.config import Promises
from openenv.server.production import discreet

__all__ = ["Answer", "Served", "Session", "SessionState", "fault_for"]

logger = logging.getLogger(__name__)

Served = Reset | Step | GetState | GetView | JsonRpc | GetSnapshot | Restore
"""The requests that a session carries out."""
Answer = EncodedObservation | StateIs | ViewIs | JsonRpcReply | Fault | SnapshotIs | Restored
"""What comes of them."""

_NONE: Mapping[str, Any] = {}


class SessionState(enum.Enum):
    """Where a session stands. It only ever moves down this list."""

    OPEN = "open"
    LOST = "lost"
    CLOSED = "closed"


class Session(ABC):
    """One environment and the calls to it.

    Attributes:
        id: Its name; whoever knows it may use the session.
        owner: Client address of an anonymous session; None for one that is addressed by its id.
        is_attached: Whether a live connection holds it, which keeps it from expiring.
        is_inline: Whether no call of this session ever waits for anything, so that it cannot be overtaken by events.
        is_discreet: Whether what exceptions of the environment say stays here.
        created_at: When it was opened, in seconds since the epoch.
        step_count: Steps that were asked for, in all episodes.
        last_used: When it was called last, by the clock of `time.monotonic`.
    """

    is_inline = False
    is_discreet = False

    def __init__(self, session_id: str, *, step_timeout_s: float | None, owner: str | None = None) -> None:
        self.id = session_id
        self.owner = owner
        self.is_attached = False
        self.created_at = time.time()
        self.last_used = time.monotonic()
        self.step_count = 0
        self._step_timeout_s = step_timeout_s
        self._state = SessionState.OPEN
        self._ended_because = ""
        self._turn = asyncio.Lock()

    @property
    def state(self) -> SessionState:
        """Where the session stands."""
        return self._state

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way or waits for its turn."""
        return self._turn.locked()

    @property
    @abstractmethod
    def promises(self) -> Promises:
        """What its environment's class says about concurrent sessions."""

    async def perform(self, request: Served) -> Reply:
        """Carry out one request; never raises but for cancellation, which loses the session.

        Requests that come while another is under way wait their turn, first come first served.
        """
        return _reply(await self.serve(request))

    async def serve(self, request: Served, *, raw: bool = False) -> Answer:
        """Carry out one request as `perform` does, and leave an observation as it was encoded.

        Args:
            request: What to do.
            raw: Whether arrays of the observation travel beside its JSON; where they cannot, they are lists in it.
        """
        async with self._turn:
            return await self._attempt(request, raw)

    def perform_at_once(self, request: Served) -> Reply | None:
        """Carry out a step without waiting for anything; None where that cannot be, and for the rarer requests.

        Those are for `perform`.
        """
        if type(request) is not Step:
            return None
        answer = self.step_at_once(request.action, request.timeout_s, request.options)
        return None if answer is None else _reply(answer)

    def step_at_once(
        self, action: Json, timeout_s: float | None = None, options: Mapping[str, Any] = _NONE, *, raw: bool = False
    ) -> EncodedObservation | Fault | None:
        """Step without waiting for anything; None where that cannot be, and `serve` is due."""
        return None

    def serve_at_once(self, request: Served, *, raw: bool = False) -> Answer | None:
        """Carry out any request of one who waits for nothing; None where that cannot be, and `serve` is due."""
        if not self.is_inline or self._state is not SessionState.OPEN or self._turn.locked():
            return None
        try:
            self._attempt(request, raw).send(None)
        except StopIteration as ended:
            answer: Answer = ended.value
            return answer
        raise RuntimeError(f"a {type(request).__name__} of a session that never waits has waited")

    async def metadata(self) -> EnvironmentMetadata | None:
        """Ask the environment to describe itself; None once the session has ended."""
        async with self._turn:
            return await self._describe() if self._state is SessionState.OPEN else None

    def leave(self) -> None:
        """Let go of it: from now on it expires as any session that no connection holds."""
        self.is_attached = False
        self.last_used = time.monotonic()

    def lose(self, reason: str) -> None:
        """Serve no further call; `reason` completes the sentence "the session has ended: ..."."""
        if self._state is SessionState.OPEN:
            self._state, self._ended_because = SessionState.LOST, reason

    async def end(self, reason: str, *, keep_environment: bool = False) -> None:
        """Close the environment, after whatever still runs in it has come to an end. Does nothing the second time."""
        self.lose(reason)
        async with self._turn:
            if self._state is not SessionState.CLOSED:
                self._state = SessionState.CLOSED
                await self._close(reason, keep_environment)

    @abstractmethod
    async def _perform(self, request: Served, raw: bool) -> Answer:
        """Carry out a request whose turn it is; a `RemoteFault` that is raised is its answer."""

    @abstractmethod
    async def _describe(self) -> EnvironmentMetadata | None:
        """Ask the environment to describe itself."""

    @abstractmethod
    async def _close(self, reason: str, keep_environment: bool) -> None:
        """Close the environment, unless it is to be kept, and give back what the session has."""

    async def _attempt(self, request: Served, raw: bool) -> Answer:
        if self._state is not SessionState.OPEN:
            return Fault("SESSION_ENDED", f"Session {self.id} has ended: {self._ended_because}")
        self.step_count += type(request) is Step
        try:
            return await self._perform(request, raw)
        except Exception as error:  # noqa: BLE001  # the session pump: nothing stops it
            return self._fault(error, type(request))
        finally:
            self.last_used = time.monotonic()

    def _fault(self, error: Exception, asked: type[Served]) -> Fault:
        fault = fault_for(error, asked)
        return discreet(fault) if self.is_discreet else fault


def fault_for(error: Exception, asked: type[Served]) -> Fault:
    """Say in a fault what went wrong; a bug of ours is logged, and crosses as a fixed sentence."""
    if isinstance(error, RemoteFault):
        return Fault.of(error)
    logger.error("internal error while serving %s", asked.__name__, exc_info=error)
    return Fault("INTERNAL_ERROR", "The server failed while serving this request; its log says why.")


def _reply(answer: Answer) -> Reply:
    if type(answer) is not EncodedObservation:
        return answer  # type: ignore[return-value]  # who asks for a snapshot or its like uses `serve`
    metadata = None if answer.metadata is None else orjson.Fragment(answer.metadata)
    return Observed(orjson.Fragment(answer.observation), answer.reward, answer.done, metadata, answer.truncated)
