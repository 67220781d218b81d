"""What is said over one socket, whatever carries it: a conversation is told what arrives, and answers through a peer.

Which conversation it is follows from the subprotocol of the handshake (`CONVERSATIONS`). In dialect 1 one socket is one
session, and they end together. A call that waits for nothing is answered within `received`; every other runs in a task,
so that a client that goes away meanwhile frees its session at once.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from openenv.errors import PeerError, RemoteFault
from openenv.protocol import (
    Close,
    Dialect1,
    Fault,
    GetState,
    GetView,
    Reply,
    Reset,
    ServerCall,
    ServerSession,
    Step,
    rule_of,
)
from openenv.server.access import Scope
from openenv.server.production import HIDDEN
from openenv.server.session import Served, Session, SessionState
from openenv.server.sessions import SessionTable

__all__ = [
    "CLOSE_S",
    "CONVERSATIONS",
    "FORBIDDEN",
    "MAX_UNSENT_BYTES",
    "NOT_READING",
    "POLICY_VIOLATION",
    "Conversation",
    "Opening",
    "Peer",
]

logger = logging.getLogger(__name__)

CLOSE_S = 10.0
"""Seconds that a client gets to read what was sent, and to answer the close."""
MAX_UNSENT_BYTES = 64 * 1024 * 1024
"""Bytes that may wait for a client that does not read, unless they are one frame."""
NOT_READING = f"more than {MAX_UNSENT_BYTES} bytes of replies wait, and you do not read"
POLICY_VIOLATION = 1008

FORBIDDEN = Fault("FORBIDDEN", "This token may step only; reset, state and close are the orchestrator's.")
_INTERNAL_ERROR = 1011


class Peer(Protocol):
    """The other end of a socket, as a transport shows it to a conversation."""

    @property
    def is_reading(self) -> bool:
        """Whether what is sent leaves at once; `resumed` is called when it does so again."""

    def send(self, frame: bytes) -> None:
        """Send a frame, as a binary one if `is_binary` says so. Too much that nobody reads closes the socket."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket once what was sent has left; does nothing the second time."""


class Conversation(Protocol):
    """What a transport tells. Nothing is told after `lost`, which comes once, however the socket ends."""

    def begin(self) -> None:
        """The handshake is done."""

    def received(self, frame: str | bytes) -> None:
        """A message came: `str` for a text frame, `bytes` for a binary one."""

    def resumed(self) -> None:
        """The peer reads again."""

    def lost(self, code: int | None = None) -> None:
        """The socket is gone, or going; `code` is what its client closed it with, if it did."""


Opening = Callable[[Peer], Conversation]
"""Opens the conversation that was agreed on."""


class _Dialect1:
    """One session, ended with its socket, unless it was there before: such a one is joined, and left as it is."""

    def __init__(self, peer: Peer, table: SessionTable, scope: Scope, joined: str | None = None) -> None:
        self._peer = peer
        self._table = table
        self._scope = scope
        self._joined = joined
        self._is_production = table.config.is_production
        self._wire = ServerSession(Dialect1())
        self._session: Session | None = None
        self._work: asyncio.Task[None] | None = None
        self._is_over = False

    def begin(self) -> None:
        self._start(self._open())

    def received(self, frame: str | bytes) -> None:
        if self._is_over:
            return
        try:
            if not self._is_free:
                self._wire.receive(frame)
                return
            call = self._wire.take(frame)
        except PeerError as error:
            self._end(str(error), POLICY_VIOLATION, str(error))
            return
        if call is not None:
            self._handle(call)  # and nothing waits behind it: what makes us free has served all that did

    def resumed(self) -> None:
        self._serve()

    def lost(self, code: int | None = None) -> None:
        self._end("its client disconnected")

    @property
    def _is_free(self) -> bool:
        return self._work is None and self._peer.is_reading and not self._is_over

    def _serve(self) -> None:
        """Answer what has come, in order, until a call has to be waited for or nobody reads the replies."""
        while self._is_free and (call := self._wire.next_call()) is not None:
            self._handle(call)

    def _handle(self, call: ServerCall) -> None:
        request = call.request
        if isinstance(request, Step) and not self._is_production:
            self._carry_out(call, request)
        elif isinstance(request, Fault):
            self._answer(call, request)
        elif self._is_production and isinstance(request, Reset | Step | GetState | GetView):
            self._answer(call, HIDDEN)
        elif self._scope is not Scope.ORCHESTRATOR and isinstance(request, Reset | GetState | GetView | Close):
            self._answer(call, FORBIDDEN)
        elif isinstance(request, Close):
            self._end("its client closed it", 1000)
        else:
            self._carry_out(call, request)

    def _carry_out(self, call: ServerCall, request: Served) -> None:
        assert self._session is not None  # nothing is served before it stands
        reply = self._session.perform_at_once(request)
        if reply is None:
            self._start(self._wait_for(call, self._session, request))
        else:
            self._answer(call, reply)

    def _answer(self, call: ServerCall, reply: Reply) -> None:
        self._peer.send(self._wire.reply(call, reply))
        if isinstance(reply, Fault) and rule_of(reply.code).ends_session:
            self._end(reply.message, 1000)

    async def _open(self) -> None:
        try:
            if self._joined is None:
                self._session = await self._table.open(attached=True)
            else:
                self._session = self._table.join(self._joined)
        except RemoteFault as error:
            self._peer.send(self._wire.refuse(Fault.of(error)))
            self._end("", 1000)

    async def _wait_for(self, call: ServerCall, session: Session, request: Served) -> None:
        reply = await session.perform(request)
        if not self._is_over:  # as a call in a session that was joined outlives its socket
            self._answer(call, reply)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = asyncio.get_running_loop().create_task(work)
        self._work.add_done_callback(self._finished)

    def _finished(self, work: asyncio.Task[None]) -> None:
        self._work = None
        if work.cancelled():
            self._end("the server gave its call up", _INTERNAL_ERROR)
        elif (error := work.exception()) is not None:
            logger.error("internal error while serving a socket", exc_info=error)
            self._end("the server failed", _INTERNAL_ERROR)
        else:
            self._serve()

    def _end(self, reason: str, code: int | None = None, said: str = "") -> None:
        """End the session, and close the socket with `code` unless it is gone."""
        if self._is_over:
            return
        self._is_over = True
        if code is not None:
            self._peer.close(code, said)
        if self._session is not None and self._joined is not None and self._session.state is SessionState.OPEN:
            self._session.leave()
            return
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()
        if self._session is not None:
            self._table.end(self._session, reason)


CONVERSATIONS: dict[str | None, Callable[..., Conversation]] = {
    None: _Dialect1,
    "openenv.v1": _Dialect1,
}
"""By the subprotocol that was agreed on; clients of OpenEnv offer none. Takes the peer, the sessions, what the client
may do, and which session it joins, if it does."""
