"""The server's half of a link: what is to be done on which lane, when, and how it is answered.

Sans-I/O. A driver gives a new socket's resume count to `attach` and sends the welcome that comes back, then gives every
frame to `receive`. After each event it takes what `take` hands out, carries it out on that lane, and says so to
`answer`; gives up what `take_cancelled` names; and sends what `outgoing` gives. When the socket ends it says `detach`:
work goes on, replies are kept, and the next socket gets them. How long to wait for one is the driver's business.

The rules: lanes run side by side, the work of one lane in order of arrival; every request has exactly one reply, which
names it, but for cancelling and acknowledging; what concerns one lane touches no other. A `PeerError` means that the
link has ended: close its socket with 1008 and the reason, and end its sessions.
"""

import enum

from openenv.errors import LocalError, PeerError
from openenv.protocol.dialect1 import invalid
from openenv.protocol.lane_order import LaneOrder
from openenv.protocol.link_messages import Acknowledge, Batch, Cancel, LinkLimits, SnapshotIs, Welcome
from openenv.protocol.link_replies import encode_reply
from openenv.protocol.link_requests import decode_request
from openenv.protocol.messages import Fault
from openenv.protocol.outbox import Outbox
from openenv.protocol.served_call import Outcome, Refused, ServedCall, Work
from openenv.protocol.served_reply import check_kind, make_reply
from openenv.protocol.welcome import encode_welcome

__all__ = ["ServerLink", "ServerLinkState"]


class ServerLinkState(enum.Enum):
    """Where a link stands."""

    DETACHED = "detached"
    ATTACHED = "attached"
    ENDED = "ended"


class ServerLink:
    """One link, as its server sees it.

    Args:
        token: The link's name: 128 random bits at least, and a secret.
        grace_s: What the welcome says of how long it lives without a socket.
        limits: What the client must keep to.
        extensions: Additions that the server understands.
        arrays: Whether arrays that arrive become NumPy's, if it is installed; else lists.
    """

    def __init__(
        self,
        token: str,
        *,
        grace_s: float = 60.0,
        limits: LinkLimits | None = None,
        extensions: tuple[str, ...] = (),
        arrays: bool = False,
    ) -> None:
        self.token = token
        self._grace_s = grace_s
        self._limits = limits or LinkLimits()
        self._extensions = extensions
        self._arrays = arrays
        self._state = ServerLinkState.DETACHED
        self._outbox = Outbox()
        self._received = 0
        self._last_id = -1
        self._calls: dict[int, ServedCall] = {}
        self._partial: dict[int, ServedCall] = {}  # calls with outcomes to be sent before the rest is there
        self._lanes_in_flight = 0
        self._bytes_in_flight = 0
        self._order = LaneOrder()

    @property
    def state(self) -> ServerLinkState:
        """Where the link stands."""
        return self._state

    @property
    def open_lanes(self) -> frozenset[int]:
        """The lanes that have a session."""
        return frozenset(self._order.open)

    @property
    def in_flight(self) -> int:
        """How many requests have no complete reply yet."""
        return len(self._calls)

    def can_resume(self, received: int) -> bool:
        """Tell whether a client that has `received` of our frames can go on with this link."""
        return self._state is not ServerLinkState.ENDED and self._outbox.can_rewind(received)

    def attach(self, received: int | None = None) -> bytes:
        """Go on with a new socket, in place of any other, and give the welcome to be sent on it first.

        From here on, only frames of the new socket may be given to `receive`.

        Args:
            received: How many of our frames the client says it has; None for the first socket.

        Raises:
            LocalError: The link cannot go on from there: see `can_resume`.
        """
        if not self.can_resume(received or 0):
            raise LocalError("this link cannot be resumed there; make a new one")
        self._outbox.rewind(received or 0)
        self._state = ServerLinkState.ATTACHED
        resumed, limits = received is not None, self._limits
        return encode_welcome(Welcome(self.token, resumed, self._received, self._grace_s, limits, self._extensions))

    def detach(self) -> None:
        """Say that the socket has ended; work goes on, and replies are kept."""
        if self._state is ServerLinkState.ATTACHED:
            self._state = ServerLinkState.DETACHED

    def end(self) -> None:
        """End the link: nothing is handed out any more, and answers are dropped. The driver ends the sessions."""
        self._state = ServerLinkState.ENDED
        self._outbox = Outbox()
        self._order = LaneOrder()
        self._calls.clear()
        self._partial.clear()

    def receive(self, frame: str | bytes) -> None:
        """Take a frame off the wire; without a socket it is nobody's.

        Raises:
            PeerError: The client passed a limit, or counts wrongly; the link has ended.
        """
        if self._state is not ServerLinkState.ATTACHED:
            return
        self._received += 1
        size = len(frame)
        if self._bytes_in_flight + size > self._limits.request_bytes:
            raise self._breach(f"more than {self._limits.request_bytes} bytes of requests are in flight")
        arrived = decode_request(frame, arrays=self._arrays)
        if arrived.ack is not None and not self._outbox.acknowledge(arrived.ack):
            raise self._breach(f"{arrived.ack} frames were acknowledged, more than were sent")
        request = arrived.request
        if isinstance(request, Acknowledge):
            return
        if arrived.id is None or arrived.id <= self._last_id:
            known = request if isinstance(request, Fault) else invalid("id", ("id",), "Ids must rise")
            self._keep(encode_reply(known, None, arrived.lane, binary=arrived.is_binary))
            return
        self._last_id = arrived.id
        if isinstance(request, Cancel):
            if (call := self._calls.get(request.of)) is not None:
                self._record_all(self._order.cancel(call))
        elif isinstance(request, Fault):
            self._keep(encode_reply(request, arrived.id, arrived.lane, binary=arrived.is_binary))
        else:
            self._begin(ServedCall(arrived.id, arrived.lane, request, binary=arrived.is_binary, size=size))

    def take(self) -> Work | None:
        """Hand out the next thing to do; None when nothing is ready. What is handed out must be answered."""
        return self._order.take()

    def take_cancelled(self) -> Work | None:
        """Hand out work that runs and that the client gave up: stop it, and answer it with what became of it."""
        return self._order.take_cancelled()

    def answer(self, work: Work, outcome: Outcome) -> None:
        """Say how something that was handed out has ended; None for a lane that is open, or closed, now.

        Does nothing once the link has ended.

        Raises:
            LocalError: It was not handed out, or is answered already; or the outcome is of another kind.
            PeerError: The client leaves too many replies unacknowledged; the link has ended.
        """
        if self._state is ServerLinkState.ENDED:
            return
        call, index = work
        if type(outcome) is not Fault:
            check_kind(call, index, outcome)
            if type(outcome) is SnapshotIs:
                call.snapshot = outcome.snapshot
        refused = self._order.finish(work, failed=type(outcome) is Fault)
        self._record(call, index, outcome)
        if refused:
            self._record_all(refused)

    def outgoing(self) -> list[bytes]:
        """Give the frames to be sent now, in order; none without a socket. `is_binary` tells how to send each.

        What is ready of a batch that may be answered in parts becomes a frame here, so ask once for many events.

        Raises:
            PeerError: As `answer` does.
        """
        if self._state is not ServerLinkState.ATTACHED:
            return []
        if self._partial:
            partial, self._partial = self._partial, {}
            for call in partial.values():
                self._reply(call)
        return self._outbox.take()

    def _begin(self, call: ServedCall) -> None:
        lanes, most = len(call.lanes), self._limits.requests
        if lanes > most:
            fault = Fault("TOO_LARGE", f"A request may name {most} lanes, and this one names {lanes}.")
            self._keep(encode_reply(fault, call.id, None, binary=call.is_binary))
            return
        if self._lanes_in_flight + lanes > most:
            raise self._breach(f"more than {most} requests are in flight")
        self._lanes_in_flight += lanes
        self._bytes_in_flight += call.size
        self._calls[call.id] = call
        self._record_all(self._order.begin(call))

    def _record_all(self, refused: Refused) -> None:
        for call, index, fault in refused:
            self._record(call, index, fault)

    def _record(self, call: ServedCall, index: int, outcome: Outcome) -> None:
        """Put one lane's answer where it belongs, and reply if it was the last."""
        call.left -= 1
        call.outcomes.append((index, outcome))
        if call.left == 0:
            self._finish(call)
        elif type(call.request) is Batch and call.request.parts:
            self._partial[call.id] = call

    def _finish(self, call: ServedCall) -> None:
        del self._calls[call.id]
        self._partial.pop(call.id, None)
        self._lanes_in_flight -= len(call.lanes)
        self._bytes_in_flight -= call.size
        self._reply(call)

    def _reply(self, call: ServedCall) -> None:
        self._keep(make_reply(call, max_bytes=self._limits.reply_bytes))

    def _keep(self, frame: bytes) -> None:
        self._outbox.add(frame)
        if self._outbox.kept_bytes > self._limits.kept_bytes:
            raise self._breach(f"more than {self._limits.kept_bytes} bytes of replies are not acknowledged")

    def _breach(self, sentence: str) -> PeerError:
        self.end()
        return PeerError(sentence)
