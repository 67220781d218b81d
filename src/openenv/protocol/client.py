"""The client's half of a session: who waits for which reply, and what may be asked next.

Sans-I/O. A driver sends the frame of the `Call` that `ask` makes, feeds what arrives to `receive`, and tells `abandon`
when it stops waiting for any reason. Waiting, and for how long, is the driver's business. The rule that matters: a
reply reaches the call it answers or nobody. Without ids on the wire that means one request at a time, and that a
request given up breaks the session.

All moves are in `_MOVES`; `LOST`, `BROKEN` and `CLOSED` are final, and a new session object is the way on.
"""

import enum
from dataclasses import dataclass

from openenv.errors import LocalError, PeerError, SessionBroken, SessionClosed, SessionLost
from openenv.protocol.codec import Codec
from openenv.protocol.faults import exception_for, rule_of
from openenv.protocol.messages import (
    Close,
    Fault,
    GetState,
    GetView,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    StateIs,
    Step,
    ViewIs,
)

__all__ = ["Call", "ClientSession", "ClientState", "fits"]


class ClientState(enum.Enum):
    """Where a session stands."""

    READY = "ready"
    LOST = "lost"
    BROKEN = "broken"
    CLOSED = "closed"


_MOVES: dict[ClientState, frozenset[ClientState]] = {
    ClientState.READY: frozenset({ClientState.LOST, ClientState.BROKEN, ClientState.CLOSED}),
    ClientState.LOST: frozenset({ClientState.CLOSED}),
    ClientState.BROKEN: frozenset({ClientState.CLOSED}),
    ClientState.CLOSED: frozenset(),
}

_ANSWERS: dict[type[Request], type[Reply]] = {
    Reset: Observed,
    Step: Observed,
    GetState: StateIs,
    GetView: ViewIs,
    JsonRpc: JsonRpcReply,
}


def fits(request: Request, reply: Reply) -> bool:
    """Tell whether `reply` is of a kind that may answer `request`."""
    return isinstance(reply, Fault) or type(reply) is _ANSWERS.get(type(request))


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One request under way. Compared by identity: it is the ticket by which its reply is claimed."""

    id: int
    request: Request
    frame: bytes


class ClientSession:
    """One session, as its client sees it."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._state = ClientState.READY
        self._cause: BaseException | None = None
        self._waiting: dict[int, Call] = {}
        self._asked = 0

    @property
    def state(self) -> ClientState:
        """Where the session stands."""
        return self._state

    @property
    def used(self) -> bool:
        """Whether anything was ever asked, so that there may be an episode to lose."""
        return self._asked > 0

    def ask(self, request: Request) -> Call:
        """Start a call; the driver sends its `frame` next, then waits, then comes back by `receive` or `abandon`.

        Raises:
            SessionLost: The session is gone, broken or was refused; the cause is chained.
            SessionClosed: It was closed.
            LocalError: Another call is under way and the dialect allows one, or the request cannot be encoded.
        """
        self.check()
        if self._waiting and not self._codec.has_ids:
            raise LocalError("another request is under way, and this dialect allows one at a time")
        call = Call(self._asked, request, self._codec.encode_request(request, self._asked))
        self._asked += 1
        if not isinstance(request, Close):
            self._waiting[call.id] = call
        return call

    def check(self) -> None:
        """Raise what `ask` would raise for the state of the session."""
        match self._state:
            case ClientState.READY:
                return
            case ClientState.CLOSED:
                raise SessionClosed("this session was closed; connect() opens a new one")
            case ClientState.BROKEN:
                cause = self._cause or LocalError("unknown")
                raise SessionBroken(
                    f"an earlier request was abandoned ({_name(cause)}), and its episode with it; "
                    "call reset() to start another",
                    cause,
                ) from cause
            case ClientState.LOST:
                raise SessionLost(
                    f"the episode is lost ({_name(self._cause)}); call reset() to start another"
                ) from self._cause

    def receive(self, frame: str | bytes) -> tuple[Call, Reply] | None:
        """Take a frame off the wire and say whose reply it is; None when nobody's any more.

        Raises:
            PeerError: The frame breaks the rules; the session is broken by it.
        """
        try:
            call_id, reply = self._codec.decode_reply(frame)
        except PeerError as error:
            self._end(ClientState.BROKEN, error)
            raise
        call = self._claim(call_id)
        if isinstance(reply, Fault) and rule_of(reply.code).ends_session:
            self._end(ClientState.LOST, exception_for(reply))
        if call is None:
            if self._state is ClientState.READY and not isinstance(reply, Fault) and not self._codec.has_ids:
                raise self._breach(f"the server sent {type(reply).__name__} although nothing was asked")
            return None
        if not fits(call.request, reply):
            raise self._breach(f"the server answered {type(call.request).__name__} with {type(reply).__name__}")
        return call, reply

    def abandon(self, call: Call, cause: BaseException) -> None:
        """Stop waiting for `call`: its reply, should it come, is nobody's. Does nothing once the reply was received."""
        if self._waiting.pop(call.id, None) is not None and not self._codec.has_ids:
            self._end(ClientState.BROKEN, cause)

    def lose(self, cause: BaseException) -> None:
        """Record that the connection, and with it the episode, is gone."""
        self._end(ClientState.LOST, cause)

    def close(self) -> None:
        """End the session from this side."""
        self._end(ClientState.CLOSED, None)

    def _breach(self, sentence: str) -> PeerError:
        error = PeerError(sentence)
        self._end(ClientState.BROKEN, error)
        return error

    def _claim(self, call_id: int | None) -> Call | None:
        if self._codec.has_ids:
            return None if call_id is None else self._waiting.pop(call_id, None)
        return self._waiting.popitem()[1] if self._waiting else None

    def _end(self, state: ClientState, cause: BaseException | None) -> None:
        if state in _MOVES[self._state]:
            self._state, self._cause = state, cause
            self._waiting.clear()  # what still arrives is nobody's


def _name(cause: BaseException | None) -> str:
    text = str(cause)
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
