"""`AsyncEnvVector`: the async twin of `EnvVector`."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self

from openenv.client.base import ActT, ClientBase, ObsT, StateT
from openenv.client.endpoint import Endpoint
from openenv.client.link_aio import AsyncLink
from openenv.client.plain import PlainLink
from openenv.client.vector_calls import AnyLink, Home, VectorCalls
from openenv.client.vector_results import StepResults
from openenv.client.vector_roster import Autoreset
from openenv.client.vector_seats import Ask
from openenv.errors import ConnectFailed, PeerError, Refused, SessionClosed, UsageError
from openenv.types import StepResult

__all__ = ["AsyncEnvVector"]

_AT_ONCE = 16
"""Connections made side by side to a server that needs one for each environment."""


class AsyncEnvVector(VectorCalls[ActT, ObsT, StateT], Generic[ActT, ObsT, StateT]):
    """The asynchronous face of an `EnvVector`; every method has the name, arguments and errors of its twin's.

    Made by `async with EchoEnv.vector(...)`, or by `.aio()`. Several tasks may drive different environments of it.
    After a task was cancelled what it had under way still is: `recv()` gives the results.
    """

    def __init__(
        self,
        clients: Sequence[ClientBase[ActT, ObsT, StateT]],
        num_envs: int,
        *,
        autoreset: Autoreset = "next_step",
        arrays: bool | None = None,
    ) -> None:
        super().__init__(clients, num_envs, autoreset=autoreset, arrays=arrays)
        self._opening = asyncio.Lock()
        self._changed = asyncio.Event()
        self._is_closed = False

    async def connect(self) -> Self:
        """Connect, and open a session for each environment. Raises as the twin does."""
        async with self._opening:
            if not self._links:
                try:
                    await self._open()
                except BaseException:  # cancelling too: nobody else would close what was opened
                    await self._hang_up()
                    raise
                self._is_closed = False
        return self

    async def reset(
        self,
        seeds: int | Sequence[int | None] | None = None,
        indices: Iterable[int] | None = None,
        *,
        timeout_s: float | None = None,
        **options: Any,
    ) -> StepResults[ObsT]:
        """Begin episodes, in new sessions where the old ones are lost; calls under way there are given up."""
        picked = self.roster.pick(indices)
        asked = self._options(picked, seeds, options)
        if self._is_closed:
            raise SessionClosed("this vector was closed; connect() opens new sessions")
        await self.connect()
        async with self._opening:
            await self._renew(self.roster.dead_links(picked))
        self._issue(self.roster.reset(picked, asked, timeout_s))
        await self._wait_for(picked)
        return self._collect(picked)

    async def step(
        self, actions: Sequence[ActT], indices: Iterable[int] | None = None, *, timeout_s: float | None = None
    ) -> StepResults[ObsT]:
        """Carry out one action in each environment, or in those of `indices`."""
        self._require_links()
        picked = self._begin_step(actions, indices, timeout_s)
        await self._wait_for(picked)
        return self._collect(picked)

    async def send(
        self, actions: Sequence[ActT], indices: Iterable[int] | None = None, *, timeout_s: float | None = None
    ) -> None:
        """Begin what `step` does, and wait for nothing; `recv` has the results."""
        self._require_links()
        self._begin_step(actions, indices, timeout_s)

    async def recv(self, k: int | None = None, *, timeout_s: float | None = None) -> list[tuple[int, StepResult[ObsT]]]:
        """Wait for results of what was sent, and give them with their indices, in the order in which they came."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._require_links()
        await self._wait(lambda: self._is_ready(k), deadline)
        return self._collect_ready(k)

    async def state(self, indices: Iterable[int] | None = None) -> list[StateT]:
        """Read the states. What the first environment that fails raises is raised here."""
        self._require_links()
        picked = self.roster.pick(indices)
        self._issue(self.roster.state(picked))
        await self._wait_for(picked)
        return self._collect_states(picked)

    async def fork(self, source: int, indices: Iterable[int]) -> None:
        """Put environments into the state of another, whose episode they go on with in place of their own."""
        self._require_links()
        (number,), picked = self.roster.pick([source]), self.roster.pick(indices)
        self._issue(self._begin_fork(number, picked))
        await self._wait_for([number])
        (snapshot,) = self._collect_states([number])
        async with self._opening:
            await self._renew(self.roster.dead_links(picked))
        self._issue(self.roster.restore(picked, snapshot, like=number))
        await self._wait_for(picked)
        self._collect_states(picked)

    async def close(self) -> None:
        """End the sessions. The servers go on; `connect()` opens other sessions."""
        self._is_closed = True
        async with self._opening:
            await self._hang_up()

    def aio(self) -> Self:
        """Itself."""
        return self

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __len__(self) -> int:
        return self.num_envs

    # ---- links

    async def _open(self) -> None:
        opening = [self._link(home.endpoint) for home in self.homes]
        made = await asyncio.gather(*opening, return_exceptions=True)
        links = [link for link in made if isinstance(link, AsyncLink)]
        asks: list[Ask] = []
        try:
            _raise_first(made)
            for home in self.homes:
                link = links[0]
                if isinstance(link.half, PlainLink):
                    asks += await self._open_plain(home, link)
                else:
                    asks.append(self._seat(home.endpoint, home.members, link))
                del links[0]
        finally:
            for link in links:
                await link.close()
        self._issue(asks)
        await self._wait(lambda: not self._sent, None)
        self._check_entry()
        self.roster.check_links()

    async def _open_plain(self, home: Home, first: AsyncLink) -> list[Ask]:
        """Make the other connections to a server that needs one for each environment."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def open_one() -> AsyncLink:
            async with turns:
                return await self._link(home.endpoint)

        made = await asyncio.gather(*(open_one() for _ in home.members[1:]), return_exceptions=True)
        links = [first, *(link for link in made if isinstance(link, AsyncLink))]
        asks = [self._seat(home.endpoint, [index], link) for index, link in zip(home.members, links, strict=False)]
        _raise_first(made)
        return asks

    async def _link(self, endpoint: Endpoint) -> AsyncLink:
        return await AsyncLink.open(endpoint, binary=self.arrays, arrays=self.arrays)

    async def _renew(self, numbers: Iterable[int]) -> None:
        """Make links anew that have ended."""
        for number in numbers:
            old = self._links[number]
            await old.close()
            try:
                link = await self._link(self._endpoints[number])
                self._links[number] = link
                self._check_dialect(number, link)
            except (ConnectFailed, Refused, PeerError) as error:
                self.roster.unreachable(number, error)
            else:
                self.roster.renewed(number)

    async def _hang_up(self) -> None:
        links = self._links
        self._begin_anew()
        self._changed.set()
        for link in links:
            await link.close()

    def _require_links(self) -> None:
        if self._is_closed:
            raise SessionClosed("this vector was closed; connect() opens new sessions")
        if not self._links:
            raise UsageError("step() was called before reset()")

    # ---- waiting

    def _receiver(self, link: AnyLink, ask: Ask) -> Callable[[Any], None]:
        return partial(self._arrive, link, ask)

    def _arrive(self, link: AnyLink, ask: Ask, reply: Any) -> None:
        if ask in self._sent or link in self._links:  # neither, after the vector was closed
            self._answer(link, ask, reply)
            self._changed.set()

    async def _wait_for(self, indices: Sequence[int]) -> None:
        await self._wait(lambda: not self.roster.is_under_way(indices), None)

    async def _wait(self, is_done: Callable[[], bool], deadline: float | None) -> None:
        while not is_done() and (deadline is None or time.monotonic() < deadline):
            if not self._sent:
                self.roster.strand(range(self.num_envs))
                continue
            self._changed.clear()
            until = self._next_deadline(deadline)
            try:
                async with asyncio.timeout(None if until is None else max(until - time.monotonic(), 0.0)):
                    await self._changed.wait()
            except TimeoutError:
                self._expire()


def _raise_first(made: Iterable[Any]) -> None:
    for one in made:
        if isinstance(one, BaseException):
            raise one
