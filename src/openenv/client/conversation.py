"""What the sync and the async client share about one session: pure, without I/O.

Requests are made here and replies are read here, so that the two flavours differ by their awaits and nothing else.
"""

from typing import Any

from openenv.client.endpoint import Endpoint
from openenv.client.lanes import LANE
from openenv.client.plain import Half, PlainLink
from openenv.errors import (
    OpenEnvError,
    RemoteFault,
    SessionClosed,
    SessionLost,
    UnsupportedByServer,
)
from openenv.protocol import (
    EXTENSIONS,
    ClientLinkState,
    Fault,
    Fork,
    Forked,
    GetSnapshot,
    GetState,
    LinkReply,
    Observed,
    Open,
    Opened,
    Reply,
    Request,
    Reset,
    Restore,
    Restored,
    SnapshotIs,
    StateIs,
    Step,
    exception_for,
    rule_of,
)

__all__ = [
    "BEGINS",
    "CLOSE_S",
    "Answered",
    "Asked",
    "Conversation",
    "Fate",
    "check_restored",
    "payload_of",
    "snapshot_of",
    "state_of",
]

Asked = Request | GetSnapshot | Restore | Fork
"""What a session is asked."""
Answered = Reply | SnapshotIs | Restored | Forked
"""What it answers."""
BEGINS = (Reset, Restore)
"""What may come after a loss, as it begins another episode."""
CLOSE_S = 5.0
"""How long to wait for the end of one session of a link that others still use."""
_GRACE_S = 5.0
"""How much longer than the server a client waits when the server keeps the time limit, so that its word comes first."""


class Conversation:
    """One session, and what the server at the other end can do.

    Args:
        endpoint: The limits.
        half: The client's half of the link, which says how that is.
        extensions: What the handshake of a server of dialect 1 said it understands beyond that.
        is_forked: Whether the session exists already, with an episode in it.

    Attributes:
        opening: What is to be asked first; None in dialect 1.
        is_numbered: Whether replies name their request, so that none can be mistaken for another.
        is_used: Whether anything was asked, so that there may be an episode.
    """

    def __init__(self, endpoint: Endpoint, half: Half, extensions: frozenset[str], *, is_forked: bool = False) -> None:
        self._endpoint = endpoint
        self._half = half
        self.is_numbered = not isinstance(half, PlainLink)
        self._extensions = frozenset(EXTENSIONS) if self.is_numbered else extensions
        self._refusal: RemoteFault | None = None
        self._end: RemoteFault | None = None
        self.opening = Open((LANE,)) if self.is_numbered and not is_forked else None
        self.is_used = is_forked

    @property
    def is_usable(self) -> bool:
        """Whether another request may be asked."""
        return (
            self._refusal is None
            and self._end is None
            and self._half.state in (ClientLinkState.ATTACHED, ClientLinkState.DETACHED)
        )

    @property
    def is_fresh(self) -> bool:
        """Whether a new episode may begin in it: no call that was given up is still under way."""
        return self.is_usable and not self._half.given_up

    @property
    def is_ready(self) -> bool:
        """Whether a new episode may begin in it at once, on the connection that there is."""
        return self.is_fresh and self._half.state is ClientLinkState.ATTACHED

    def prepare(self, request: Asked) -> tuple[Asked, float | None]:
        """Fit a request to the server: what to send, and how many seconds to wait for the reply.

        Raises:
            SessionLost, SessionClosed: The session is at its end.
            RemoteFault: It never began, because the server refused it.
            UnsupportedByServer: The request, or an option of it, is nothing that this server has a place for.
        """
        self._check()
        if isinstance(request, GetSnapshot | Restore | Fork) and not self.is_numbered:
            raise UnsupportedByServer(
                f"{self._endpoint.shown} cannot save, restore or fork sessions: it speaks dialect 1, which has no "
                "words for that; serve the environment with openenv-runtime, or repeat the episode from its reset"
            )
        self.is_used = True
        if isinstance(request, GetState) and request.timeout_s is not None:
            return request, request.timeout_s
        if not isinstance(request, Reset | Step):
            return request, self._endpoint.message_timeout_s
        limit = request.timeout_s
        if isinstance(request, Step) and request.options and "options" not in self._extensions:
            names = ", ".join(sorted(request.options))
            raise UnsupportedByServer(
                f"step({names}=...): this server takes an action and nothing else; put the values into the action"
            )
        if limit is None:
            return request, self._endpoint.message_timeout_s
        if "timeout_s" in self._extensions:
            return request, limit + _GRACE_S
        plain = Step(request.action) if isinstance(request, Step) else Reset(request.options)
        return plain, limit

    def take_opened(self, reply: LinkReply | BaseException) -> None:
        """Take the reply to `opening`."""
        fault = reply.errors.get(LANE) if isinstance(reply, Opened) else reply
        if isinstance(fault, Fault):
            self._refusal = exception_for(fault)

    def take(self, reply: LinkReply) -> Answered:
        """Take the reply to a request, and give it back.

        Raises:
            RemoteFault: The session never began, because the server refused it.
        """
        if self._refusal is not None:
            raise self._refusal
        if isinstance(reply, Fault) and (rule_of(reply.code).ends_session or reply.details.get("session_lost") is True):
            self._end = exception_for(reply)
        return reply  # type: ignore[return-value]  # a link lets none through that does not fit the request

    def take_forked(self, reply: LinkReply) -> None:
        """Take the reply to a fork.

        Raises:
            RemoteFault: Some session of it, or all, did not begin.
        """
        answered = self.take(reply)
        faults = [answered] if isinstance(answered, Fault) else list(getattr(answered, "errors", {}).values())
        if faults:
            raise exception_for(faults[0])

    def _check(self) -> None:
        if self._refusal is not None:
            raise self._refusal  # there was no episode to lose
        if self._end is not None:
            name = type(self._end).__name__
            raise SessionLost(
                f"the episode is lost ({name}: {self._end}); call reset() to start another"
            ) from self._end
        try:
            self._half.check()
        except SessionLost as error:
            if isinstance(error.__cause__, RemoteFault) and not self.is_used:
                raise error.__cause__ from None  # as above
            raise


class Fate:
    """Whether a client may be used, across the connections it has had, synchronous or not."""

    def __init__(self) -> None:
        self._ended: OpenEnvError | None = None

    def check(self, request: Asked) -> None:
        """Let through after a loss what begins another episode, and nothing else.

        Raises:
            SessionClosed: The client was closed.
            SessionLost: It was disconnected, and only a reset may come now.
        """
        if self._ended is not None and not (isinstance(self._ended, SessionLost) and isinstance(request, BEGINS)):
            raise type(self._ended)(str(self._ended))

    def reopen(self) -> None:
        """Forget the end: there is a new connection."""
        self._ended = None

    def close(self) -> None:
        """Refuse every request until it is reopened."""
        self._ended = SessionClosed("this client was closed; connect() opens a new session")

    def disconnect(self, reason: str = "disconnect() ended it") -> None:
        """Refuse every request but a reset."""
        self._ended = SessionLost(f"the episode is lost: {reason}; call reset() to start another")


def payload_of(reply: Answered) -> dict[str, Any]:
    """Give an observation reply the shape that `_parse_result` takes.

    Raises:
        RemoteFault: The server said no.
    """
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, Observed)  # the session lets no other kind through
    payload = {"observation": reply.observation, "reward": reply.reward, "done": reply.done, **reply.extra}
    if reply.metadata is not None:
        payload["metadata"] = reply.metadata
    if reply.truncated:
        payload["truncated"] = True
    return payload


def state_of(reply: Answered) -> Any:
    """Give a state reply the shape that `_parse_state` takes. Raises RemoteFault when the server said no."""
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, StateIs)  # as above
    return reply.state


def snapshot_of(reply: Answered) -> bytes:
    """Give the bytes of a snapshot. Raises RemoteFault when the server said no."""
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, SnapshotIs)  # as above
    return reply.snapshot


def check_restored(reply: Answered) -> None:
    """Raise RemoteFault when the server said no."""
    if isinstance(reply, Fault):
        raise exception_for(reply)
