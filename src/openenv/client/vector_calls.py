"""What the sync and the async vector share: calls are sent, replies taken, limits kept. They differ in how they wait.

Links of both flavours are asked without waiting, so all of this is plain code.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, cast

from openenv.client.base import ActT, ClientBase, ObsT, StateT
from openenv.client.endpoint import Endpoint
from openenv.client.failures import expired
from openenv.client.plain import Half, PlainLink
from openenv.client.vector_codec import VectorCodec, mentions_arrays
from openenv.client.vector_results import FailedResult, StepResults
from openenv.client.vector_roster import Autoreset, Roster
from openenv.client.vector_seats import Ask, spread
from openenv.errors import (
    AtCapacity,
    ConfigurationError,
    LocalError,
    PeerError,
    RemoteFault,
    SessionClosed,
    SessionLost,
    UsageError,
)
from openenv.protocol import EXTENSIONS, Fault, LinkCall, LinkReply, LinkRequest
from openenv.types import Action

__all__ = ["LOST", "AnyLink", "Home", "VectorCalls"]

LOST = (SessionLost, SessionClosed, PeerError)
"""What says that a link has ended."""


class AnyLink(Protocol):
    """What a `Link` and an `AsyncLink` have in common."""

    half: Half
    extensions: frozenset[str]

    def ask(self, request: LinkRequest, lane: int | None, deliver: Callable[[Any], None]) -> LinkCall:
        """Send a request."""

    def abandon(self, call: LinkCall, cause: BaseException, *, cancel: bool = False) -> None:
        """Stop waiting for a call."""


class Home(NamedTuple):
    """A server, and the environments that live there."""

    endpoint: Endpoint
    members: Sequence[int]


class _Sent(NamedTuple):
    number: int
    link: AnyLink
    call: LinkCall | None
    limit_s: float | None
    deadline: float | None


class VectorCalls(Generic[ActT, ObsT, StateT]):
    """The calls of one vector.

    Args:
        clients: One for each server, of one class, which says what is exchanged and how.
        num_envs: How many environments, over all servers.
        autoreset: When an episode that has ended is followed by another.
        arrays: Whether NumPy's arrays travel as they are; None if the client's class has fields for them.

    Raises:
        ConfigurationError: An argument has a value it cannot have.
    """

    def __init__(
        self,
        clients: Sequence[ClientBase[ActT, ObsT, StateT]],
        num_envs: int,
        *,
        autoreset: Autoreset,
        arrays: bool | None,
    ) -> None:
        if not clients:
            raise ConfigurationError("there must be one server at least; give its URL")
        if num_envs < 1:
            raise ConfigurationError(f"num_envs={num_envs}: must be 1 or more")
        self.num_envs = num_envs
        self.autoreset = autoreset
        self.arrays = mentions_arrays(clients[0]) if arrays is None else arrays
        self._clients = clients
        self._codec = VectorCodec(clients[0], arrays=self.arrays)
        parts = spread(num_envs, len(clients))
        self.homes = [Home(client._endpoint, part) for client, part in zip(clients, parts, strict=True) if part]
        self._endpoints: list[Endpoint] = []
        self._links: list[Any] = []  # of the one flavour or the other
        self._sent: dict[Ask, _Sent] = {}
        self._begin_anew()

    # ---- links

    def _begin_anew(self) -> None:
        self.roster = Roster(self.num_envs, self._codec, self.autoreset)
        self._endpoints, self._links = [], []
        self._sent.clear()

    def _seat(self, endpoint: Endpoint, members: Sequence[int], link: AnyLink) -> Ask:
        """Take a link in, and give what to ask it first."""
        self._endpoints.append(endpoint)
        self._links.append(link)
        is_plain = isinstance(link.half, PlainLink)
        keeps_time = "timeout_s" in (link.extensions if is_plain else EXTENSIONS)
        return self.roster.seats.add(members, is_plain=is_plain, keeps_time=keeps_time)

    def _check_dialect(self, number: int, link: AnyLink) -> None:
        if isinstance(link.half, PlainLink) is not self.roster.seats.is_plain(number):
            raise PeerError(
                f"the server at {self._endpoints[number].shown} speaks another dialect than it did; make another vector"
            )

    def _check_entry(self) -> None:
        """Raise what keeps environments out, if anything does."""
        if not self.roster.refused:
            return
        error = next(iter(self.roster.refused.values()))
        if not isinstance(error, AtCapacity):
            raise error
        room = self.num_envs - len(self.roster.refused)
        sentence = f"there was room for {room} of {self.num_envs} environments: {error.message}"
        raise AtCapacity(error.code, sentence, {**error.details, "room": room})

    # ---- calls

    def _issue(self, asks: Iterable[Ask]) -> None:
        """Send everything, and wait for nothing."""
        for ask in asks:
            number = ask.link
            link, endpoint = self._links[number], self._endpoints[number]
            limit_s = endpoint.message_timeout_s if ask.limit_s is None else ask.limit_s
            deadline = None if limit_s is None else time.monotonic() + limit_s
            # Noted first: an interrupt may come at any moment, and the reply all the same.
            self._sent[ask] = sent = _Sent(number, link, None, limit_s, deadline)
            try:
                call = link.ask(ask.request, ask.lane, self._receiver(link, ask))
            except LOST as error:
                self._lose(number, link, error, ask)
            except LocalError as error:
                del self._sent[ask]
                self.roster.fail(ask, error, is_lost=False)
            else:
                self._sent[ask] = sent._replace(call=call)

    def _receiver(self, link: AnyLink, ask: Ask) -> Callable[[Any], None]:
        """Make what a link gives the reply to."""
        raise NotImplementedError

    def _answer(self, link: AnyLink, ask: Ask, reply: LinkReply | Exception) -> None:
        """Take a reply, or why there is none, and ask what is to be asked next."""
        if isinstance(reply, Exception):
            self._lose(ask.link, link, reply, ask)
            return
        if not getattr(reply, "more", False):
            self._sent.pop(ask, None)
        if self._is_current(ask.link, link):
            self._issue(self.roster.take(ask, reply))

    def _lose(self, number: int, link: AnyLink, error: BaseException, ask: Ask | None = None) -> None:
        """Take note that a link has ended; what a server said instead of letting us in is its own reply."""
        for sent in [other for other, sent in self._sent.items() if sent.link is link]:
            del self._sent[sent]
        if not self._is_current(number, link):
            return
        cause = error.__cause__ if isinstance(error, SessionLost) and error.__cause__ is not None else error
        if ask is not None and isinstance(cause, RemoteFault):
            self.roster.take(ask, Fault.of(cause))
        self.roster.lose(number, cause)

    def _is_current(self, number: int, link: AnyLink) -> bool:
        """Whether a link was neither replaced nor closed with the vector."""
        return number < len(self._links) and self._links[number] is link

    def _expire(self) -> None:
        """Give up what has waited for too long. Its environments cannot be in a known state any more."""
        now = time.monotonic()
        overdue = [
            (ask, sent) for ask, sent in self._sent.items() if sent.deadline is not None and sent.deadline <= now
        ]
        for ask, sent in overdue:
            late = expired(self._endpoints[sent.number], ask.request, sent.limit_s, goes_on=False)
            del self._sent[ask]
            if sent.call is not None:
                sent.link.abandon(sent.call, late, cancel=True)
            self.roster.fail(ask, late, is_lost=True)

    def _next_deadline(self, deadline: float | None) -> float | None:
        """Tell until when to wait at the longest."""
        deadlines = [sent.deadline for sent in self._sent.values() if sent.deadline is not None]
        if deadline is not None:
            deadlines.append(deadline)
        return min(deadlines, default=None)

    # ---- arguments and results

    def _options(
        self, indices: Sequence[int], seeds: int | Sequence[int | None] | None, options: Mapping[str, Any]
    ) -> list[Mapping[str, Any]]:
        """Give each environment the options of its `reset`."""
        if "seed" in options:
            raise UsageError("write seeds=, an integer to count up from or one for each: seed= would make all alike")
        if seeds is None:
            return [options] * len(indices)
        if isinstance(seeds, int):
            return [{**options, "seed": seeds + index} for index in indices]
        if len(seeds) != len(indices):
            raise ConfigurationError(f"{len(seeds)} seeds were given for {len(indices)} environments")
        return [options if seed is None else {**options, "seed": int(seed)} for seed in seeds]

    def _begin_step(self, actions: Sequence[ActT], indices: Iterable[int] | None, timeout_s: float | None) -> Any:
        """Send actions, and tell whom to wait for."""
        picked = self.roster.pick(indices)
        if isinstance(cast("object", actions), Action):  # easily written, and the next line would not say so
            raise UsageError("one action was given; write a list of them, one for each environment")
        if len(actions) != len(picked):
            raise ConfigurationError(f"{len(actions)} actions were given for {len(picked)} environments")
        self._issue(self.roster.step(picked, actions, timeout_s))
        return picked

    def _begin_fork(self, source: int, indices: Sequence[int]) -> list[Ask]:
        """Ask for the state of `source`, if those that are to have it can take it."""
        self.roster.check_restorable(indices)
        return self.roster.snapshot(source)

    def _collect(self, indices: Sequence[int]) -> StepResults[ObsT]:
        finished = self.roster.finished
        return StepResults([finished.pop(index) for index in indices], indices)

    def _collect_ready(self, count: int | None) -> list[tuple[int, Any]]:
        finished = self.roster.finished
        ready = list(finished)[: len(finished) if count is None else count]
        return [(index, finished.pop(index)) for index in ready]

    def _collect_states(self, indices: Sequence[int]) -> list[Any]:
        found = [self.roster.finished.pop(index) for index in indices]
        for index, state in zip(indices, found, strict=True):
            if type(state) is FailedResult:
                state.error.add_note(f"this was environment {index} of {self.num_envs}")
                raise state.error
        return found

    def _is_ready(self, count: int | None) -> bool:
        """Whether as much is ready as was asked for, or nothing more will be."""
        if count is not None and len(self.roster.finished) >= count:
            return True
        return not self.roster.is_under_way(range(self.num_envs))
