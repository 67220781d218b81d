"""Where the environments of a vector live, and what a call to some of them looks like there. Pure, without I/O.

An environment lives on a lane of a link. A server of dialect 2 bears all of its environments on one link, which a batch
reaches at once; one of dialect 1 needs a link for each.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from openenv.protocol import Batch, CloseLanes, GetState, LinkRequest, Open

__all__ = ["Ask", "Seats", "spread"]

_GRACE_S = 5.0
"""How much longer than the server we wait when the server keeps the time limit, so that its word comes first."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One request to be sent. Compared by identity: it is the ticket by which its reply is claimed.

    Attributes:
        link: The number of the link.
        request: What to ask.
        lane: Of which lane; None when the request names lanes itself.
        indices: The environments it is about, in the order of its lanes.
        limit_s: How long to wait for the reply; None for as long as the client usually does.
    """

    link: int
    request: LinkRequest
    lane: int | None
    indices: tuple[int, ...]
    limit_s: float | None = None

    @property
    def op(self) -> str:
        """What it asks of environments; `session` when it is about their sessions."""
        request = self.request
        return request.op if isinstance(request, Batch) else _OPS.get(type(request).__name__, "session")


_OPS = {"Reset": "reset", "Step": "step", "GetState": "state", "GetView": "view"}


class _Link:
    """One link: whose it is, and the lanes on it."""

    def __init__(self, members: Sequence[int], *, is_plain: bool, keeps_time: bool) -> None:
        self.members = members
        self.is_plain = is_plain
        self.keeps_time = keeps_time
        self.next_lane = 0
        self.index_at: dict[int, int] = {}


class Seats:
    """The seats of `num_envs` environments."""

    def __init__(self, num_envs: int) -> None:
        self._links: list[_Link] = []
        self._link_of = [0] * num_envs
        self._lane: list[int | None] = [None] * num_envs  # None: no session was opened there

    def add(self, members: Sequence[int], *, is_plain: bool, keeps_time: bool) -> Ask:
        """Seat environments on a new link, and say what to ask it first: its reply shows whether there is room."""
        number = len(self._links)
        self._links.append(_Link(members, is_plain=is_plain, keeps_time=keeps_time))
        for index in members:
            self._link_of[index] = number
        if not is_plain:
            return self.open(number, members)
        (index,) = members
        self._lane[index] = 0
        return Ask(number, GetState(), 0, (index,))  # nothing but an answer tells that such a server has let us in

    def open(self, number: int, members: Sequence[int]) -> Ask:
        """Give each a lane that was never used before, so that nothing of an earlier session can be meant by it."""
        link = self._links[number]
        for index in members:
            self._lane[index] = link.next_lane
            link.index_at[link.next_lane] = index
            link.next_lane += 1
        return Ask(number, Open(self._lanes(members)), None, tuple(members))

    def reopen(self, number: int, members: Sequence[int]) -> list[Ask]:
        """Ask for new sessions in place of lost ones; in dialect 1 a new link has brought one."""
        if not members or self._links[number].is_plain:
            return []
        old = [index for index in members if self._lane[index] is not None]
        closing = [Ask(number, CloseLanes(self._lanes(old)), None, ())] if old else []
        return [*closing, self.open(number, members)]

    def vacate(self, index: int) -> None:
        """Take note that there is no session on the lane of an environment."""
        if not self.is_plain(self._link_of[index]):
            self._lane[index] = None

    def renew(self, number: int) -> None:
        """Take note that a link was made anew, with nothing on it."""
        link = self._links[number]
        link.next_lane = 0
        link.index_at.clear()
        for index in link.members:
            self.vacate(index)

    def is_open(self, index: int) -> bool:
        """Whether a session was opened for this environment."""
        return self._lane[index] is not None

    def is_plain(self, number: int) -> bool:
        """Whether a link speaks dialect 1."""
        return self._links[number].is_plain

    def link_of(self, index: int) -> int:
        """Number the link of an environment."""
        return self._link_of[index]

    def members(self, number: int) -> Sequence[int]:
        """Name the environments of a link."""
        return self._links[number].members

    def indices_at(self, ask: Ask, lanes: tuple[int, ...]) -> Sequence[int]:
        """Tell which environments the lanes of a reply to `ask` are."""
        if isinstance(ask.request, Batch) and lanes == ask.request.lanes:
            return ask.indices
        index_at = self._links[ask.link].index_at
        return [index_at[lane] for lane in lanes]

    def by_link(self, indices: Iterable[int]) -> dict[int, list[int]]:
        """Group the positions in `indices` by link."""
        groups: dict[int, list[int]] = {}
        for position, index in enumerate(indices):
            groups.setdefault(self._link_of[index], []).append(position)
        return groups

    def ask(self, number: int, op: str, members: Sequence[int], data: Any, timeout_s: float | None) -> Ask:
        """Make the request to environments of one link. `data` are options or actions in their order, or None."""
        link = self._links[number]
        limit_s = None
        if timeout_s is not None:
            limit_s = timeout_s + _GRACE_S if link.keeps_time else timeout_s
            timeout_s = timeout_s if link.keeps_time else None
        if not link.is_plain:
            # In parts, since one slow environment must not hold the replies of the others.
            batch = Batch(op, self._lanes(members), data, timeout_s, parts=True)
            return Ask(number, batch, None, tuple(members), limit_s)
        (index,) = members
        return Ask(number, Batch(op, (0,), data, timeout_s).at(0), 0, (index,), limit_s)

    def ask_one(self, index: int, request: LinkRequest) -> Ask:
        """Make a request that no batch can carry."""
        return Ask(self._link_of[index], request, self._lane[index], (index,))

    def _lanes(self, members: Sequence[int]) -> tuple[int, ...]:
        lane = self._lane
        return tuple([lane[index] for index in members])  # type: ignore[misc]  # each of them has one


def spread(num_envs: int, count: int) -> list[range]:
    """Divide environments among servers: neighbours together, and as evenly as can be; none for a server too many."""
    bounds = [num_envs * number // count for number in range(count + 1)]
    return [range(*pair) for pair in itertools.pairwise(bounds)]
