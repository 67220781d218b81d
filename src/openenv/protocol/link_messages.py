"""What only a link says: messages that name lanes, and those about the link itself, as frozen values.

A link joins one client to one server and outlives its sockets. A lane of it is one session, under a number that the
client chose. What is said on a single lane are the messages of `messages`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from openenv.protocol.messages import Fault, GetState, Json, Reply, Request, Reset, Step

__all__ = [
    "Acknowledge",
    "Batch",
    "BatchReply",
    "Cancel",
    "CloseLanes",
    "Closed",
    "Fork",
    "Forked",
    "GetSnapshot",
    "LinkLimits",
    "LinkReply",
    "LinkRequest",
    "Open",
    "Opened",
    "Restore",
    "Restored",
    "SnapshotIs",
    "Welcome",
    "cancelled",
]


@dataclass(frozen=True, slots=True)
class LinkLimits:
    """What a server lets one link do.

    Attributes:
        frame_bytes: The largest frame a client may send.
        requests: Requests in flight; one that names several lanes counts once for each.
        request_bytes: Bytes of them.
        reply_bytes: The largest frame a server sends; a larger reply is a fault.
        kept_bytes: Replies kept until they are acknowledged.
    """

    frame_bytes: int = 16 * 1024 * 1024
    requests: int = 65_536
    request_bytes: int = 64 * 1024 * 1024
    reply_bytes: int = 32 * 1024 * 1024
    kept_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first frame on every socket, and the only one that is not counted.

    Attributes:
        link: The secret by which the link is resumed.
        resumed: Whether this is the link that the client asked for.
        received: How many of the client's frames the server has.
        grace_s: How long the link lives without a socket.
        limits: What the client must keep to.
        extensions: Additions that the server understands.
    """

    link: str = field(repr=False)
    resumed: bool
    received: int
    grace_s: float
    limits: LinkLimits
    extensions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a session on each of these lanes."""

    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """Answers `Open`. `errors` says which lanes have no session, and why."""

    lanes: tuple[int, ...]
    errors: Mapping[int, Fault] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CloseLanes:
    """End the sessions of these lanes; one that has none is closed already."""

    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """Answers `CloseLanes`, once the environments are closed."""

    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GetSnapshot:
    """Ask for the whole state of a lane's environment."""


@dataclass(frozen=True, slots=True)
class SnapshotIs:
    """Answers `GetSnapshot`."""

    snapshot: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Restore:
    """Put a lane's environment into the state that a snapshot holds."""

    snapshot: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Restored:
    """Answers `Restore`."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Begin a session on each of these lanes, in the state that the asked lane is in when it is its turn."""

    lanes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Forked:
    """Answers `Fork`. `errors` says which lanes have no session, and why."""

    lanes: tuple[int, ...]
    errors: Mapping[int, Fault] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """One request to each of many lanes.

    Attributes:
        op: `reset`, `step` or `state`.
        lanes: Whom it is for, each once.
        data: Reset options or actions in the order of `lanes`, or an array whose first axis is the lane; None for none.
        timeout_s: The time limit of each.
        parts: Whether the server may answer in several frames, with whatever is ready.
    """

    op: str
    lanes: tuple[int, ...]
    data: Sequence[Json] | None = None
    timeout_s: float | None = None
    parts: bool = False

    def at(self, index: int) -> Reset | Step | GetState:
        """Give what is asked of the lane at `index`."""
        if self.op == "state":
            return GetState()
        payload = None if self.data is None else self.data[index]
        if self.op == "step":
            return Step(payload, self.timeout_s)
        return Reset({} if payload is None else payload, self.timeout_s)


@dataclass(frozen=True, slots=True)
class BatchReply:
    """Answers `Batch`, in columns that follow `lanes`. A lane under `errors` has None, None and False in them.

    Attributes:
        op: That of the request.
        lanes: Whom it is about: those of the request in its order, or whichever are ready when it asked for parts.
        observation: One each; empty for `state`.
        reward: One each; empty for `state`.
        done: One each; empty for `state`.
        truncated: One each, or None when none is.
        metadata: One each, or None when there is none.
        state: One each; empty for the others.
        errors: What went wrong, by lane.
        more: Whether another part follows.
    """

    op: str
    lanes: tuple[int, ...]
    observation: Sequence[Json] = ()
    reward: Sequence[float | int | bool | None] = ()
    done: Sequence[bool] = ()
    truncated: Sequence[bool] | None = None
    metadata: Sequence[Json] | None = None
    state: Sequence[Json] = ()
    errors: Mapping[int, Fault] = field(default_factory=dict)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up the call `of`. It has no reply of its own; the call has a fault, unless it was answered already."""

    of: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Say how much has arrived, as every frame of a client does, and nothing else. It has no reply."""


LinkRequest = Request | GetSnapshot | Restore | Fork | Open | CloseLanes | Batch | Cancel | Acknowledge
LinkReply = Reply | SnapshotIs | Restored | Forked | Opened | Closed | BatchReply


def cancelled(*, session_lost: bool) -> Fault:
    """Make the fault of a call that was cancelled: its session is lost if it ran already, and unharmed if not."""
    fate = "while it ran, so its session is lost" if session_lost else "before it began; its session is unharmed"
    return Fault("CANCELLED", f"The call was cancelled {fate}.", {"session_lost": session_lost})
