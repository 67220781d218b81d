"""One link of dialect 2 as the server drives it: its lanes are sessions, and what is asked of them runs here.

What needs no waiting is answered within `received`, a whole batch in one go. Everything else runs in a task, one a lane
at most, that the link owns; what becomes ready in one turn of the event loop leaves together. A link outlives its
sockets: `links` keeps it meanwhile.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any

from openenv.errors import PeerError, RemoteFault
from openenv.protocol import (
    Batch,
    CloseLanes,
    Fault,
    Fork,
    GetSnapshot,
    JsonRpc,
    Open,
    Outcome,
    Restore,
    ServerLink,
    Step,
    Work,
    cancelled,
    rule_of,
)
from openenv.server.access import Scope
from openenv.server.conversation import FORBIDDEN, POLICY_VIOLATION, Peer
from openenv.server.production import HIDDEN
from openenv.server.session import Session, SessionState
from openenv.server.sessions import SessionTable
from openenv.server.snapshots import SnapshotSeal, begin_with, restore, save

__all__ = ["REPLACED", "Link"]

logger = logging.getLogger(__name__)

REPLACED = 4001
"""Closes a socket whose link goes on with another."""

_FOR_AGENTS = (Open, Step, JsonRpc)
_IN_PRODUCTION = (Open, CloseLanes, JsonRpc)
_FAILED = Fault("INTERNAL_ERROR", "The server failed while serving this request; its log says why.")


class Link:
    """The sessions of one client, and the calls to them.

    Args:
        wire: The link's other part, which knows what comes next.
        table: Where sessions come from, within the limits of the server.
        seal: That of the snapshots which clients keep.
    """

    def __init__(self, wire: ServerLink, table: SessionTable, seal: SnapshotSeal) -> None:
        self._wire = wire
        self._table = table
        self._seal = seal
        self._scope = Scope.AGENT
        self._is_production = table.config.is_production
        self._peer: Peer | None = None
        self._unsent: deque[bytes] = deque()
        self._sessions: dict[int, Session] = {}
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}
        self._will_flush = False
        self._has_ended = False

    @property
    def token(self) -> str:
        """Its name, a secret."""
        return self._wire.token

    @property
    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._has_ended

    @property
    def holds_sessions(self) -> bool:
        """Whether anybody lives on it, or is about to."""
        return bool(self._sessions or self._tasks)

    def can_resume(self, received: int) -> bool:
        """Tell whether a client that has `received` of our frames can go on with this link."""
        return self._wire.can_resume(received)

    def attach(self, peer: Peer, received: int | None, scope: Scope) -> None:
        """Go on with a new socket, in place of any other; what its client lacks is sent.

        Args:
            peer: The socket.
            received: How many of our frames the client has; None for the first socket.
            scope: What the caller may do.
        """
        if self._peer is not None:
            self._peer.close(REPLACED, "another socket has resumed this link")
        self._peer, self._scope = peer, scope
        self._unsent.clear()
        self._unsent.append(self._wire.attach(received))
        self._flush()

    def detach(self, peer: Peer) -> bool:
        """Take note that a socket has ended; False when the link has gone on with another."""
        if peer is not self._peer:
            return False
        self._peer = None
        self._unsent.clear()
        self._wire.detach()
        return True

    def received(self, peer: Peer, frame: str | bytes) -> None:
        """Take a frame; one of a socket that was replaced is nobody's."""
        if peer is self._peer:
            try:
                self._wire.receive(frame)
            except PeerError as error:
                self._break(str(error))
            else:
                self._go_on()

    def resumed(self, peer: Peer) -> None:
        """Send on: the client reads again."""
        if peer is self._peer:
            self._flush()

    def end(self, reason: str) -> None:
        """End the sessions, and all that runs in them."""
        if self._has_ended:
            return
        self._has_ended = True
        self._wire.end()
        self._peer = None
        self._unsent.clear()
        for task in list(self._tasks.values()):
            task.cancel()
        for session in self._sessions.values():
            self._table.end(session, reason)
        self._sessions.clear()

    # ---- what is to be done

    def _go_on(self) -> None:
        """Do all that can be done now, and send what came of it."""
        take, serve = self._wire.take, self._serve
        while (given_up := self._wire.take_cancelled()) is not None:
            self._tasks[_lane_of(given_up)].cancel()
        try:
            while (work := take()) is not None:
                serve(work)
        except PeerError as error:
            self._break(str(error))
        self._flush()

    def _serve(self, work: Work) -> None:
        call, index = work
        request, lane = call.request, call.lanes[index]
        # The one that must be quick; everybody may.
        if type(request) is Batch and request.op == "step" and not self._is_production:
            assert request.data is not None  # a step has some
            outcome = self._sessions[lane].step_at_once(request.data[index], request.timeout_s, raw=call.is_binary)
            if outcome is None:
                self._start(work, self._sessions[lane].serve(request.at(index), raw=call.is_binary))
            else:
                self._answer(work, outcome)
        else:
            self._serve_rarer(work)

    def _serve_rarer(self, work: Work) -> None:
        call, index = work
        request, lane = call.request, call.lanes[index]
        if self._is_production and not isinstance(request, _IN_PRODUCTION):
            self._answer(work, HIDDEN)
        elif self._scope is not Scope.ORCHESTRATOR and not _is_for_agents(request):
            self._answer(work, FORBIDDEN)
        elif isinstance(request, Open):
            self._start(work, self._open(lane))
        elif isinstance(request, CloseLanes):
            self._start(work, self._close(lane))
        elif isinstance(request, Fork) and index:
            self._start(work, self._open(lane, call.snapshot))
        elif isinstance(request, GetSnapshot):
            self._start(work, save(self._sessions[lane], self._seal))
        elif isinstance(request, Restore):
            self._start(work, restore(self._sessions[lane], self._seal, request.snapshot))
        elif isinstance(request, Fork):
            self._start(work, self._sessions[lane].serve(GetSnapshot()))
        else:
            session = self._sessions[lane]
            asked: Any = request.at(index) if isinstance(request, Batch) else request
            outcome = session.serve_at_once(asked, raw=call.is_binary)
            if outcome is None:
                self._start(work, session.serve(asked, raw=call.is_binary))
            else:
                self._answer(work, outcome)

    def _answer(self, work: Work, outcome: Outcome) -> None:
        if type(outcome) is Fault and rule_of(outcome.code).ends_session:
            self._lose(_lane_of(work), outcome.message)
        self._wire.answer(work, outcome)

    def _lose(self, lane: int, reason: str) -> None:
        """End a session whose lane stays open, so that whoever asks it for more hears why it has ended."""
        session = self._sessions.get(lane)
        if session is not None and session.state is not SessionState.CLOSED:
            self._table.end(session, reason)

    async def _open(self, lane: int, snapshot: bytes | None = None) -> Outcome:
        opening = self._table.open(attached=True) if snapshot is None else begin_with(self._table, snapshot)
        try:
            self._sessions[lane] = await opening
        except RemoteFault as error:
            return Fault.of(error)
        return None

    async def _close(self, lane: int) -> Outcome:
        session = self._sessions.pop(lane, None)
        if session is not None:
            # Not awaited itself: who cancels the waiting must not cancel the ending.
            await asyncio.wait({self._table.end(session, "its client closed it")})
        return None

    def _start(self, work: Work, doing: Coroutine[Any, Any, Outcome]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks[_lane_of(work)] = task
        task.add_done_callback(lambda task: self._finished(work, task))

    def _finished(self, work: Work, task: asyncio.Task[Outcome]) -> None:
        lane = _lane_of(work)
        del self._tasks[lane]
        if task.cancelled():
            outcome: Outcome = cancelled(session_lost=True)
            self._lose(lane, "its client cancelled a call that ran")
        elif (error := task.exception()) is not None:
            logger.error("internal error while serving a link", exc_info=error)
            outcome = _FAILED
        else:
            outcome = task.result()
        if self._has_ended:
            if (session := self._sessions.pop(lane, None)) is not None:  # it was opened in the same moment
                self._table.end(session, "its link ended while it was opened")
            return
        try:
            self._answer(work, outcome)
        except PeerError as error:
            self._break(str(error))
        if not self._will_flush:
            self._will_flush = True
            asyncio.get_running_loop().call_soon(self._go_on_soon)

    def _go_on_soon(self) -> None:
        self._will_flush = False
        self._go_on()

    # ---- what is to be sent

    def _flush(self) -> None:
        """Send what the peer takes now; the rest when it reads again."""
        try:
            self._unsent.extend(self._wire.outgoing())
        except PeerError as error:
            self._break(str(error))
        peer, unsent = self._peer, self._unsent
        while unsent and peer is not None and peer.is_reading:
            peer.send(unsent.popleft())

    def _break(self, reason: str) -> None:
        """End because a limit was passed."""
        if self._peer is not None:
            self._peer.close(POLICY_VIOLATION, reason)
        self.end(reason)


def _lane_of(work: Work) -> int:
    call, index = work
    return call.lanes[index]


def _is_for_agents(request: object) -> bool:
    return isinstance(request, _FOR_AGENTS) or (isinstance(request, Batch) and request.op == "step")
