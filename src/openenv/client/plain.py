"""Dialect 1 in the shape of a link: one lane, open from the start, that ends with its connection.

With it, whoever drives a `ClientLink` drives a server of the older dialect by the same few calls.
"""

import itertools
from dataclasses import replace

from openenv.errors import LocalError
from openenv.protocol import (
    SUBPROTOCOL,
    Batch,
    Call,
    ClientLink,
    ClientLinkState,
    ClientSession,
    ClientState,
    Close,
    CloseLanes,
    Dialect1,
    Json,
    LinkCall,
    LinkReply,
    LinkRequest,
    Open,
    Step,
)
from openenv.protocol.link_messages import Acknowledge, Cancel, Fork, GetSnapshot, Restore

__all__ = ["Half", "PlainLink", "give_up", "half_for"]

_NEEDS_A_LINK = (Open, CloseLanes, Batch, GetSnapshot, Restore, Fork, Cancel, Acknowledge)
_STATES = {
    ClientState.READY: ClientLinkState.ATTACHED,
    ClientState.LOST: ClientLinkState.LOST,
    ClientState.BROKEN: ClientLinkState.LOST,
    ClientState.CLOSED: ClientLinkState.CLOSED,
}


class PlainLink:
    """A session of dialect 1 as a link that cannot be resumed."""

    def __init__(self) -> None:
        self._session = ClientSession(Dialect1())
        self._unsent: list[bytes] = []
        self._waiting: tuple[Call, LinkCall] | None = None
        self._numbers = itertools.count()

    @property
    def state(self) -> ClientLinkState:
        """Where it stands; a session that an abandoned request broke is lost."""
        return _STATES[self._session.state]

    @property
    def resume(self) -> str | None:
        """None: the session ends with its connection."""
        return None

    @property
    def given_up(self) -> int:
        """None: giving up ends the session."""
        return 0

    def ask(self, request: LinkRequest, lane: int | None = None) -> LinkCall:
        """Start a call. Raises as `ClientSession.ask` does, and LocalError for what only a link can say."""
        if isinstance(request, _NEEDS_A_LINK) or lane != 0:
            raise LocalError(f"{type(request).__name__} of lane {lane} needs a server that speaks {SUBPROTOCOL}")
        sent = replace(request, action=_listed(request.action)) if isinstance(request, Step) else request
        call = self._session.ask(sent)
        self._unsent.append(call.frame)
        ticket = LinkCall(next(self._numbers), lane, request, 0, len(call.frame))
        self._waiting = (call, ticket)
        return ticket

    def check(self) -> None:
        """Raise what `ask` would raise for the state of the session."""
        self._session.check()

    def receive(self, frame: str | bytes) -> tuple[LinkCall, LinkReply] | None:
        """Take a frame off the wire. Raises as `ClientSession.receive` does."""
        answered = self._session.receive(frame)
        if answered is None or self._waiting is None:
            return None
        (_, ticket), self._waiting = self._waiting, None
        return ticket, answered[1]

    def outgoing(self) -> list[bytes]:
        """Give the frames to be sent now."""
        unsent, self._unsent = self._unsent, []
        return unsent

    def abandon(self, call: LinkCall, cause: BaseException) -> None:
        """Stop waiting for `call`, which breaks the session: its reply could not be told from another's."""
        if self._waiting is not None and self._waiting[1] is call:
            self._session.abandon(self._waiting[0], cause)
            self._waiting = None

    def lose(self, cause: BaseException) -> None:
        """Record that the session is gone."""
        self._session.lose(cause)

    def close(self) -> None:
        """End the session; what is then outgoing tells the server."""
        if self._session.state is ClientState.READY and self._waiting is None:
            self._unsent.append(self._session.ask(Close()).frame)
        self._session.close()


Half = ClientLink | PlainLink
"""A client's half of a connection, in whichever dialect."""


def half_for(subprotocol: str | None, *, binary: bool, arrays: bool) -> Half:
    """Make the half that a server's choice of dialect asks for."""
    return ClientLink(binary=binary, arrays=arrays) if subprotocol == SUBPROTOCOL else PlainLink()


def give_up(half: Half, call: LinkCall, cause: BaseException, *, cancel: bool) -> None:
    """Stop waiting for `call`. Where replies are numbered the session goes on, unless `cancel` ends what runs."""
    if isinstance(half, PlainLink):
        half.abandon(call, cause)
    else:
        half.abandon(call, cancel=cancel)


def _listed(value: Json) -> Json:
    """Write arrays as lists, which is all that dialect 1 has."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, list) else value
