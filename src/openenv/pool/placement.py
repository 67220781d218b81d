"""Which server the next session goes to: pure decisions, with the time as an argument and no lock.

The least loaded server goes first, by sessions checked out against what it bears; among equals one with an idle
session, which costs nothing. What a server bears is unknown until it says that it is full. A server that cannot be
reached is left alone for a while, then tried again by one checkout; a full one is tried again after a while as well.
"""

import enum
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Placement", "Placing", "PoolStats", "Server", "ServerStats", "Standing"]

S = TypeVar("S")

_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.5, 30.0
_FIRST_FULL_S, _LONGEST_FULL_S = 5.0, 60.0


class Standing(enum.Enum):
    """How a server stands."""

    STARTING = "starting"
    UP = "up"
    OUT = "out"
    """It failed, and is tried again later."""
    GONE = "gone"
    """Its runtime was given up."""


@dataclass(frozen=True)
class ServerStats:
    """One server of a pool.

    Attributes:
        server: Its URL, or what its runtime is called.
        standing: How it stands.
        out: Sessions that are checked out, or being opened.
        idle: Sessions that wait to be checked out.
        bears: How many it bears, as it has shown by refusing more; None while unknown.
        failures: Openings that failed and sessions that were lost, ever.
        last_error: The latest of these; empty when there is none.
    """

    server: str
    standing: Standing
    out: int
    idle: int
    bears: int | None
    failures: int
    last_error: str


@dataclass(frozen=True)
class PoolStats:
    """A pool at one moment.

    Attributes:
        size: Sessions it may have.
        waiting: Checkouts that wait.
        servers: Each server.
    """

    size: int
    waiting: int
    servers: tuple[ServerStats, ...]

    @property
    def out(self) -> int:
        """Sessions that are checked out, or being opened."""
        return sum(server.out for server in self.servers)

    @property
    def idle(self) -> int:
        """Sessions that wait to be checked out."""
        return sum(server.idle for server in self.servers)


@dataclass(eq=False)
class Server(Generic[S]):
    """What is known of one server. Only `Placing` changes it."""

    name: str
    standing: Standing = Standing.UP
    out: int = 0
    idle: list[tuple[Hashable, S]] = field(default_factory=list)
    bears: int | None = None
    retry_at: float = 0.0
    strikes: int = 0
    more_at: float = 0.0
    refusals: int = 0
    down_since: float | None = None
    failures: int = 0
    last_error: str = ""

    @property
    def total(self) -> int:
        """Sessions there, out or idle."""
        return self.out + len(self.idle)

    def load(self, size: int) -> float:
        """Sessions checked out against what it bears; the whole pool, as long as it has refused none."""
        return self.out / max(size if self.bears is None else self.bears, 1)

    def has_idle(self, kind: Hashable) -> bool:
        """Whether an idle session is of that kind."""
        return any(other == kind for other, _ in self.idle)

    def take_idle(self, kind: Hashable) -> S | None:
        """Take the idle session of that kind that was used last; None when there is none."""
        for index in range(len(self.idle) - 1, -1, -1):
            if self.idle[index][0] == kind:
                return self.idle.pop(index)[1]
        return None


@dataclass(frozen=True)
class Placement(Generic[S]):
    """Where a checkout goes.

    Attributes:
        server: Its server, where a place is kept for it.
        session: The idle session it gets; None when it has to open one.
        evicted: The idle session that has to be closed first, as its kind, server and itself.
    """

    server: Server[S]
    kind: Hashable
    session: S | None
    evicted: tuple[Server[S], Hashable, S] | None = None


class Placing(Generic[S]):
    """The servers of a pool, and the places on them.

    A session has a kind: a checkout gets only an idle one of its own kind.

    Args:
        servers: In order of preference among equals.
        size: Sessions at once, out or idle.
    """

    def __init__(self, servers: Sequence[Server[S]], size: int) -> None:
        self.servers = tuple(servers)
        self.size = size

    def choose(self, kind: Hashable, now: float) -> Placement[S] | None:
        """Give a checkout its place, which it must give back; None when there is none now."""
        found = [server for server in self.servers if self._can_take(server, kind, now)]
        if not found:
            return None
        server = min(found, key=lambda server: self._rank(server, kind))  # the first of equals
        session = server.take_idle(kind)
        evicted = None
        if session is None:
            if server.standing is Standing.OUT:
                server.retry_at = now + _retry_s(server.strikes + 1)  # one tries; the others wait for its word
            elif _is_at_limit(server):
                if server.idle:
                    evicted = (server, *server.idle.pop(0))
                else:
                    server.more_at = now + _full_s(server.refusals + 1)
            if evicted is None and self._total() >= self.size:
                holders = [other for other in self.servers if other.idle]
                fullest = max(holders, key=lambda other: (other.standing is Standing.OUT, other.total))
                evicted = (fullest, *fullest.idle.pop(0))
        server.out += 1
        return Placement(server, kind, session, evicted)

    def undo(self, placement: Placement[S]) -> None:
        """Take back a place that nobody has come for."""
        placement.server.out -= 1
        if placement.session is not None:
            placement.server.idle.append((placement.kind, placement.session))
        if placement.evicted is not None:
            server, kind, session = placement.evicted
            server.idle.append((kind, session))

    def opened(self, server: Server[S]) -> None:
        """Note that a server has let a session in."""
        server.standing, server.strikes, server.down_since = Standing.UP, 0, None
        if server.bears is not None and server.total > server.bears:
            server.bears, server.refusals = server.total, 0

    def refused(self, server: Server[S], reason: str, now: float) -> None:
        """Note that a server had no room for one more; its place is free again."""
        server.out -= 1
        server.bears = server.total
        server.refusals += 1
        server.more_at = now + _full_s(server.refusals)
        server.standing, server.strikes = Standing.UP, 0
        if server.total == 0 and server.down_since is None:
            server.down_since = now  # no session of ours can come back, so it is no better than one that is down
        server.failures, server.last_error = server.failures + 1, reason

    def failed(self, server: Server[S], reason: str, now: float) -> None:
        """Note that a server could not be reached; the place is free again."""
        server.out -= 1
        server.failures, server.last_error = server.failures + 1, reason
        if server.standing in (Standing.STARTING, Standing.GONE):
            return  # whoever mends it knows more
        server.strikes += 1
        server.standing, server.retry_at = Standing.OUT, now + _retry_s(server.strikes)
        if server.down_since is None:
            server.down_since = now

    def give_back(self, server: Server[S], kind: Hashable, session: S) -> None:
        """Take a session back, for the next of its kind."""
        server.out -= 1
        server.idle.append((kind, session))

    def drop(self, server: Server[S], lost: str | None = None) -> None:
        """Free the place of a session that is closed; `lost` says why, if it was lost."""
        server.out -= 1
        if lost is not None:
            server.failures, server.last_error = server.failures + 1, lost

    def start(self, server: Server[S]) -> list[S]:
        """Note that a server is being started; gives the idle sessions, which are lost."""
        server.standing, server.down_since, server.bears = Standing.STARTING, None, None
        lost = [session for _, session in server.idle]
        server.idle.clear()
        return lost

    def up(self, server: Server[S], name: str) -> None:
        """Note that a server has started, and what to call it."""
        server.standing, server.strikes, server.name = Standing.UP, 0, name

    def gone(self, server: Server[S], reason: str) -> None:
        """Note that a server will not come back."""
        server.standing = Standing.GONE
        server.failures, server.last_error = server.failures + 1, reason

    def withdraw(self, kind: Hashable | None = None) -> list[S]:
        """Take all idle sessions of a kind, or of any."""
        taken = []
        for server in self.servers:
            taken += [session for other, session in server.idle if kind in (None, other)]
            server.idle = [] if kind is None else [pair for pair in server.idle if pair[0] != kind]
        return taken

    def next_change(self, now: float) -> float | None:
        """When a server may be tried again although nothing else has happened; None for never."""
        times = [server.retry_at for server in self.servers if server.standing is Standing.OUT]
        times += [server.more_at for server in self.servers if server.standing is Standing.UP and _is_at_limit(server)]
        return min((at for at in times if at > now), default=None)

    def dark_since(self) -> float | None:
        """Since when no server has been of any use; None while one is, or may soon be."""
        since = []
        for server in self.servers:
            if server.standing is Standing.GONE:
                continue
            if server.standing is Standing.STARTING or server.down_since is None or server.out:
                return None
            since.append(server.down_since)
        return max(since, default=None)

    @property
    def is_hopeless(self) -> bool:
        """Whether no server will ever serve again."""
        return all(server.standing is Standing.GONE for server in self.servers)

    @property
    def is_promising(self) -> bool:
        """Whether a server has not failed lately."""
        return any(
            server.standing is Standing.STARTING or (server.standing is Standing.UP and server.down_since is None)
            for server in self.servers
        )

    def stats(self, waiting: int) -> PoolStats:
        """Describe all of it."""
        return PoolStats(
            self.size,
            waiting,
            tuple(
                ServerStats(one.name, one.standing, one.out, len(one.idle), one.bears, one.failures, one.last_error)
                for one in self.servers
            ),
        )

    def _can_take(self, server: Server[S], kind: Hashable, now: float) -> bool:
        if server.standing in (Standing.STARTING, Standing.GONE):
            return False
        if server.standing is Standing.OUT and now < server.retry_at:
            return False
        if server.has_idle(kind):
            return True
        if _is_at_limit(server) and not server.idle and now < server.more_at:
            return False
        return self._total() < self.size or any(other.idle for other in self.servers)

    def _rank(self, server: Server[S], kind: Hashable) -> tuple[bool, float, bool]:
        """Least is best: no mere attempt, the smallest load, an idle session."""
        has_idle = server.has_idle(kind)
        attempt = server.standing is Standing.OUT or (not has_idle and _is_at_limit(server) and not server.idle)
        return attempt, server.load(self.size), not has_idle

    def _total(self) -> int:
        return sum(server.total for server in self.servers)


def _is_at_limit(server: Server[S]) -> bool:
    return server.bears is not None and server.total >= server.bears


def _retry_s(strikes: int) -> float:
    return min(_FIRST_RETRY_S * 2.0 ** min(strikes - 1, 16), _LONGEST_RETRY_S)


def _full_s(refusals: int) -> float:
    return min(_FIRST_FULL_S * 2.0 ** min(refusals - 1, 16), _LONGEST_FULL_S)
