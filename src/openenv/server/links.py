"""The links of a server: found by their secret when a client comes back, and ended when it does not.

A link whose socket is gone keeps its sessions, and their places, for `grace_s`: a newcomer waits in the queue rather
than end the episode of a client that is about to come back.
"""

import asyncio
import functools
import secrets
from collections import OrderedDict
from functools import partial

from openenv.protocol import EXTENSIONS, LinkLimits, ServerLink, read_resume
from openenv.server.access import Scope
from openenv.server.conversation import Conversation, Peer
from openenv.server.link import Link
from openenv.server.sessions import SessionTable
from openenv.server.snapshots import SnapshotSeal

__all__ = ["Links"]

_NORMAL = 1000
_SECRET_BYTES = 16
_MAX_EMPTY = 1024
"""Links that may wait for their clients without holding a session; of one more, the oldest ends."""


class Links:
    """Finds, keeps and ends links.

    Args:
        table: Where their sessions come from.
        limits: What each client must keep to.
    """

    def __init__(self, table: SessionTable, limits: LinkLimits | None = None) -> None:
        self._table = table
        self._limits = limits or LinkLimits()
        self._links: dict[str, Link] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}  # those without a socket, and when each ends
        self._empty: OrderedDict[str, None] = OrderedDict()  # those of them without a session, oldest first

    @property
    def waiting(self) -> int:
        """How many links wait for their clients."""
        return len(self._waiting)

    def conversation(self, peer: Peer, scope: Scope, resume: str | None) -> Conversation:
        """Make what is said over a socket that has agreed on dialect 2.

        Args:
            peer: The socket.
            scope: What its caller may do.
            resume: The handshake's `RESUME_HEADER`; None if it had none.
        """
        return _Dialect2(self, peer, scope, resume)

    def attach(self, peer: Peer, scope: Scope, resume: str | None) -> Link:
        """Go on with the link that is asked for, or with a new one."""
        token, received = (read_resume(resume) if resume is not None else None) or ("", None)
        link = self._links.get(token)
        if link is None or not link.can_resume(received or 0):
            link, received = self._make(), None
        self._wait_no_longer(link)
        link.attach(peer, received, scope)
        return link

    def detach(self, link: Link, peer: Peer, code: int | None) -> None:
        """Let a link wait for its client, unless that said good-bye by closing with 1000."""
        grace_s = self._table.config.grace_s
        if link.has_ended:
            self._links.pop(link.token, None)
        elif link.detach(peer):
            if code == _NORMAL:
                self._end(link, "its client closed the connection")
            elif not grace_s:
                self._end(link, "its client disconnected")
            else:
                self._wait(link, grace_s)

    def close(self) -> None:
        """End every link: the server stops."""
        for link in list(self._links.values()):
            self._end(link, "the server stopped")

    @functools.cached_property
    def _seal(self) -> SnapshotSeal:  # made late: a worker of several is told the key once its app stands
        return SnapshotSeal(self._table.config.snapshot_key)

    def _make(self) -> Link:
        token = f"{self._table.id_prefix}{secrets.token_urlsafe(_SECRET_BYTES)}"
        wire = ServerLink(
            token,
            grace_s=self._table.config.grace_s,
            limits=self._limits,
            extensions=EXTENSIONS,
            arrays=self._table.takes_arrays,
        )
        self._links[token] = link = Link(wire, self._table, self._seal)
        return link

    def _end(self, link: Link, reason: str) -> None:
        self._links.pop(link.token, None)
        self._wait_no_longer(link)
        link.end(reason)

    def _wait(self, link: Link, grace_s: float) -> None:
        reason = f"its client did not come back within {grace_s:g} s"
        timer = asyncio.get_running_loop().call_later(grace_s, partial(self._end, link, reason))
        self._waiting[link.token] = timer
        if not link.holds_sessions:
            self._empty[link.token] = None
            if len(self._empty) > _MAX_EMPTY:
                self._end(self._links[next(iter(self._empty))], "too many links without a session wait")

    def _wait_no_longer(self, link: Link) -> None:
        self._empty.pop(link.token, None)
        if (timer := self._waiting.pop(link.token, None)) is not None:
            timer.cancel()


class _Dialect2:
    """One socket of a link."""

    def __init__(self, links: Links, peer: Peer, scope: Scope, resume: str | None) -> None:
        self._links = links
        self._peer = peer
        self._scope = scope
        self._resume = resume
        self._link: Link | None = None

    def begin(self) -> None:
        self._link = self._links.attach(self._peer, self._scope, self._resume)

    def received(self, frame: str | bytes) -> None:
        assert self._link is not None  # it has begun
        self._link.received(self._peer, frame)

    def resumed(self) -> None:
        if self._link is not None:
            self._link.resumed(self._peer)

    def lost(self, code: int | None = None) -> None:
        link, self._link = self._link, None
        if link is not None:
            self._links.detach(link, self._peer, code)
