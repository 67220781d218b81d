"""The client's half of a link: which call a reply belongs to, and what must be sent again on the next socket.

Sans-I/O. A driver opens a socket and gives its first frame to `attach` and every later one to `receive`; after either,
and after `ask` and `abandon`, it sends what `outgoing` gives. When the socket ends it says `detach`, and opens the next
one with `resume` as a header; when it will not try again, `lose`. Waiting, and for how long, is the driver's business.

Replies are matched by id, so a call given up disturbs no other. A link that the server does not know any more has lost
every session on it: nothing goes on silently.
"""

import enum
from dataclasses import dataclass

from openenv.errors import LocalError, PeerError, SessionClosed, SessionLost
from openenv.protocol.client import fits
from openenv.protocol.faults import exception_for
from openenv.protocol.link_messages import (
    Acknowledge,
    Batch,
    BatchReply,
    Cancel,
    Closed,
    CloseLanes,
    Fork,
    Forked,
    GetSnapshot,
    LinkLimits,
    LinkReply,
    LinkRequest,
    Open,
    Opened,
    Restore,
    Restored,
    SnapshotIs,
    Welcome,
)
from openenv.protocol.link_replies import decode_reply
from openenv.protocol.link_requests import encode_request
from openenv.protocol.messages import Close, Fault
from openenv.protocol.outbox import Outbox
from openenv.protocol.welcome import decode_welcome, resume_header

__all__ = ["ClientLink", "ClientLinkState", "LinkCall"]

_ACKNOWLEDGE_BYTES = 4 * 1024 * 1024  # a server keeps 64 MiB of replies; one that hears nothing ends the link


class ClientLinkState(enum.Enum):
    """Where a link stands."""

    NEW = "new"
    ATTACHED = "attached"
    DETACHED = "detached"
    LOST = "lost"
    CLOSED = "closed"


_MOVES: dict[ClientLinkState, frozenset[ClientLinkState]] = {
    ClientLinkState.NEW: frozenset({ClientLinkState.ATTACHED, ClientLinkState.LOST, ClientLinkState.CLOSED}),
    ClientLinkState.ATTACHED: frozenset({ClientLinkState.DETACHED, ClientLinkState.LOST, ClientLinkState.CLOSED}),
    ClientLinkState.DETACHED: frozenset({ClientLinkState.ATTACHED, ClientLinkState.LOST, ClientLinkState.CLOSED}),
    ClientLinkState.LOST: frozenset({ClientLinkState.CLOSED}),
    ClientLinkState.CLOSED: frozenset(),
}
_ANSWERS: dict[type[LinkRequest], type[LinkReply]] = {
    Open: Opened,
    CloseLanes: Closed,
    Batch: BatchReply,
    GetSnapshot: SnapshotIs,
    Restore: Restored,
    Fork: Forked,
}
_NAMES_LANES = (Open, CloseLanes, Batch)
_NOT_ASKED = (Close, Cancel, Acknowledge)


@dataclass(frozen=True, slots=True, eq=False)
class LinkCall:
    """One request under way. Compared by identity: it is the ticket by which its reply is claimed.

    Attributes:
        id: Its number on the link.
        lane: The lane it is for; None when the request names lanes itself.
        request: What was asked.
        frame_number: Which of our frames asked it.
        size: Bytes of that frame.
    """

    id: int
    lane: int | None
    request: LinkRequest
    frame_number: int
    size: int


class ClientLink:
    """One link, as its client sees it.

    Args:
        binary: Whether to send binary frames, and so get them: for arrays.
        arrays: Whether arrays that arrive become NumPy's, if it is installed; else lists.
    """

    def __init__(self, *, binary: bool = False, arrays: bool = False) -> None:
        self._binary = binary
        self._arrays = arrays
        self._state = ClientLinkState.NEW
        self._welcome: Welcome | None = None
        self._cause: BaseException | None = None
        self._outbox = Outbox()
        self._unanswered: dict[int, LinkCall] = {}
        self._missing: dict[int, set[int]] = {}  # lanes of a batch that have no answer yet, once it came in parts
        self._abandoned: set[int] = set()
        self._asked = 0
        self._lanes_in_flight = 0
        self._bytes_in_flight = 0
        self._received = 0
        self._unacknowledged_bytes = 0

    @property
    def state(self) -> ClientLinkState:
        """Where the link stands."""
        return self._state

    @property
    def welcome(self) -> Welcome | None:
        """What the server said first on the newest socket; None before."""
        return self._welcome

    @property
    def resume(self) -> str | None:
        """The value of `RESUME_HEADER` for the next socket; None for a link that has none to resume."""
        return None if self._welcome is None else resume_header(self._welcome.link, self._received)

    @property
    def received(self) -> int:
        """How many frames of the server have arrived, welcomes not counted."""
        return self._received

    @property
    def in_flight(self) -> int:
        """How many calls have no reply yet, those given up included."""
        return len(self._unanswered)

    @property
    def given_up(self) -> int:
        """How many calls were given up and have no reply yet."""
        return len(self._abandoned)

    def attach(self, frame: str | bytes) -> Welcome:
        """Take the first frame of a socket: the link goes on with it.

        Raises:
            SessionLost: The server does not know this link any more, and everything on it is gone. Its frame is the
                welcome of a new link, which may be given to a new `ClientLink`.
            PeerError: The server broke the rules; the link is lost by it.
        """
        if self._state not in (ClientLinkState.NEW, ClientLinkState.DETACHED):
            raise LocalError(f"a link that is {self._state.value} takes no welcome")
        try:
            welcome = decode_welcome(frame)
        except PeerError as error:
            self.lose(error)
            raise
        known = self._welcome
        if known is not None and not welcome.resumed:
            self.lose(SessionLost("the server does not know the link any more"))
            self.check()
        if not self._outbox.can_rewind(welcome.received) or (known is not None and known.link != welcome.link):
            raise self._breach("the server resumed a link with a count of frames, or a name, that cannot be")
        self._outbox.rewind(welcome.received)
        self._welcome = welcome
        self._move(ClientLinkState.ATTACHED)
        return welcome

    def detach(self) -> None:
        """Say that the socket has ended; frames that still come from it are nobody's."""
        if self._state is ClientLinkState.ATTACHED:
            self._move(ClientLinkState.DETACHED)

    def ask(self, request: LinkRequest, lane: int | None = None) -> LinkCall:
        """Start a call. Without a socket its frame waits for the next one.

        Raises:
            SessionLost: The link is lost; the cause is chained.
            SessionClosed: It was closed.
            LocalError: The request cannot be encoded, needs a lane or has one too many, or passes a limit.
        """
        self.check()
        if self._state is ClientLinkState.NEW or isinstance(request, _NOT_ASKED):
            raise LocalError(f"{type(request).__name__} cannot be asked on a link that is {self._state.value}")
        lanes = _count_lanes(request)
        if (lane is None) != isinstance(request, _NAMES_LANES):
            raise LocalError(f"{type(request).__name__} is asked {'with a lane' if lane is None else 'without a lane'}")
        frame = encode_request(request, self._asked, lane, self._received, binary=self._binary)
        self._check_limits(lanes, len(frame))
        self._outbox.add(frame)
        call = LinkCall(self._asked, lane, request, self._outbox.added, len(frame))
        self._unanswered[call.id] = call
        self._asked += 1
        self._lanes_in_flight += lanes
        self._bytes_in_flight += len(frame)
        self._unacknowledged_bytes = 0
        return call

    def check(self) -> None:
        """Raise what `ask` would raise for a link that has ended."""
        if self._state is ClientLinkState.CLOSED:
            raise SessionClosed("this link was closed; connect() opens a new one")
        if self._state is ClientLinkState.LOST:
            raise SessionLost(
                f"the link is lost ({self._cause}), and every episode on it; call reset() to start another"
            ) from self._cause

    def receive(self, frame: str | bytes) -> tuple[LinkCall, LinkReply] | None:
        """Take a frame off the wire and say whose reply it is; None when nobody's any more.

        A batch that asked for parts has several; the last one's `more` is false.

        Raises:
            PeerError: The frame breaks the rules; the link is lost by it.
        """
        if self._state is not ClientLinkState.ATTACHED:
            return None
        self._received += 1
        self._unacknowledged_bytes += len(frame)
        try:
            call_id, lane, reply = decode_reply(frame, arrays=self._arrays)
        except PeerError as error:
            self.lose(error)
            raise
        call = None if call_id is None else self._unanswered.get(call_id)
        if call is None:
            raise self._breach(_unasked(reply))
        if not self._outbox.acknowledge(call.frame_number):
            raise self._breach("the server answered a call before it was sent")
        if lane != call.lane and not isinstance(reply, Fault):
            raise self._breach(f"the server answered a call of lane {call.lane} with one of lane {lane}")
        abandoned = call.id in self._abandoned
        if self._is_last(call, reply):
            self._settle(call)
        return None if abandoned else (call, reply)

    def outgoing(self) -> list[bytes]:
        """Give the frames to be sent now, in order; none without a socket. `is_binary` tells how to send each."""
        if self._state is not ClientLinkState.ATTACHED:
            return []
        if self._unacknowledged_bytes > _ACKNOWLEDGE_BYTES:
            self._outbox.add(encode_request(Acknowledge(), None, None, self._received, binary=self._binary))
            self._unacknowledged_bytes = 0
        return self._outbox.take()

    def abandon(self, call: LinkCall, *, cancel: bool = True) -> None:
        """Stop waiting for `call`: its reply is nobody's. Does nothing once it was received.

        With `cancel` the server is asked to give it up as well: a call that waits for its turn is then never made,
        and one that runs loses its session.
        """
        if self._unanswered.get(call.id) is not call or call.id in self._abandoned:
            return
        self._abandoned.add(call.id)
        if cancel:
            self._outbox.add(encode_request(Cancel(call.id), self._asked, None, self._received, binary=self._binary))
            self._asked += 1

    def lose(self, cause: BaseException) -> None:
        """Record that the link, and every session on it, is gone. The first cause stays."""
        self._end(ClientLinkState.LOST, cause)

    def close(self) -> None:
        """End the link from this side."""
        self._end(ClientLinkState.CLOSED, None)

    def _check_limits(self, lanes: int, size: int) -> None:
        limits = self._welcome.limits if self._welcome is not None else LinkLimits()
        if size > limits.frame_bytes:
            raise LocalError(f"the request has {size} bytes, and the server takes {limits.frame_bytes} at once")
        if self._lanes_in_flight + lanes > limits.requests:
            raise LocalError(f"more than {limits.requests} requests would be in flight; wait for some replies")
        if self._bytes_in_flight + size > limits.request_bytes:
            raise LocalError(f"more than {limits.request_bytes} bytes of requests would be in flight; wait for replies")

    def _is_last(self, call: LinkCall, reply: LinkReply) -> bool:
        """Check that `reply` may answer `call`, and tell whether anything may follow."""
        request = call.request
        if isinstance(reply, Fault):
            return True
        expected = _ANSWERS.get(type(request))
        if type(reply) is not expected if expected else not fits(request, reply):  # type: ignore[arg-type]  # one lane's
            raise self._breach(f"the server answered {type(request).__name__} with {type(reply).__name__}")
        if isinstance(request, Batch) and isinstance(reply, BatchReply):
            return self._is_last_part(call, request, reply)
        if (
            isinstance(request, Open | CloseLanes | Fork)
            and isinstance(reply, Opened | Closed | Forked)
            and reply.lanes != request.lanes
        ):
            raise self._breach("the server answered for other lanes than were asked")
        return True

    def _is_last_part(self, call: LinkCall, request: Batch, reply: BatchReply) -> bool:
        if reply.op != request.op or (reply.more and not request.parts):
            raise self._breach("the server answered a batch with one of another kind")
        if not request.parts:
            if reply.lanes != request.lanes:
                raise self._breach("the server answered for other lanes than were asked")
            return True
        missing = self._missing.setdefault(call.id, set(request.lanes))
        if not missing.issuperset(reply.lanes) or reply.more is (len(missing) == len(reply.lanes)):
            raise self._breach("the server answered for lanes that were not asked, or twice, or left some out")
        missing.difference_update(reply.lanes)
        return not reply.more

    def _settle(self, call: LinkCall) -> None:
        del self._unanswered[call.id]
        self._abandoned.discard(call.id)
        self._missing.pop(call.id, None)
        request = call.request
        self._lanes_in_flight -= _count_lanes(request)
        self._bytes_in_flight -= call.size

    def _breach(self, sentence: str) -> PeerError:
        error = PeerError(sentence)
        self.lose(error)
        return error

    def _end(self, state: ClientLinkState, cause: BaseException | None) -> None:
        if state in _MOVES[self._state]:
            self._move(state)
            self._cause = cause
            self._unanswered.clear()  # what still arrives is nobody's
            self._abandoned.clear()
            self._missing.clear()
            self._outbox = Outbox()

    def _move(self, state: ClientLinkState) -> None:
        if state not in _MOVES[self._state]:
            raise LocalError(f"a link that is {self._state.value} cannot become {state.value}")
        self._state = state


def _count_lanes(request: LinkRequest) -> int:
    if isinstance(request, Fork):
        return len(request.lanes) + 1
    return len(request.lanes) if isinstance(request, _NAMES_LANES) else 1


def _unasked(reply: LinkReply) -> str:
    if isinstance(reply, Fault):
        return f"the server could not read what we sent: {exception_for(reply)}"
    return f"the server sent {type(reply).__name__} for a call that was not asked, or has its reply"
