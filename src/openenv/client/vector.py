"""`EnvVector`: many environments at once, on one server or several, over as few connections as these allow."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self

from openenv.client.base import ActT, ClientBase, ObsT, StateT
from openenv.client.endpoint import Endpoint
from openenv.client.link import Link
from openenv.client.plain import PlainLink
from openenv.client.vector_aio import AsyncEnvVector
from openenv.client.vector_calls import LOST, AnyLink, Home, VectorCalls
from openenv.client.vector_results import StepResults
from openenv.client.vector_roster import Autoreset
from openenv.client.vector_seats import Ask
from openenv.client.vector_watch import Watch
from openenv.errors import ConnectFailed, OpenEnvError, PeerError, Refused, SessionClosed, UsageError
from openenv.protocol import ClientLinkState
from openenv.types import StepResult

__all__ = ["EnvVector"]

_AT_ONCE = 16
"""Connections made side by side to a server that needs one for each environment."""


class EnvVector(VectorCalls[ActT, ObsT, StateT], Generic[ActT, ObsT, StateT]):
    """Environments side by side; made by `EchoEnv.vector(url, num_envs=256)`.

    What fails, fails for itself: its place in the list of results holds its error, all others go on, and `reset` with
    its index begins anew there. An exception is raised only for what concerns the whole call. Any thread may use it;
    calls are carried out one after another. After an interrupt what was under way still is: `recv()` gives the results.

    For the arguments see `EnvClient.vector`.
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
        self._lock = threading.RLock()
        self._arrived: deque[tuple[AnyLink, Ask, Any]] = deque()  # also by the keeper's thread
        self._watch: Watch | None = None
        self._is_closed = False

    def connect(self) -> Self:
        """Connect, and open a session for each environment; else the first `reset` does.

        Raises:
            ConnectFailed: A server is not there.
            Refused: It does not let us in.
            AtCapacity: There is no room for so many; the message says for how many there was. None stays open.
            FactoryFailed: The environment cannot be built.
        """
        with self._lock:
            if not self._links:
                try:
                    self._open()
                except BaseException:  # Ctrl-C too: nobody else would close what was opened
                    self._hang_up()
                    raise
                self._is_closed = False
        return self

    def reset(
        self,
        seeds: int | Sequence[int | None] | None = None,
        indices: Iterable[int] | None = None,
        *,
        timeout_s: float | None = None,
        **options: Any,
    ) -> StepResults[ObsT]:
        """Begin episodes, in new sessions where the old ones are lost; calls under way there are given up.

        Args:
            seeds: One for each, or an integer: environment `i` then gets `seeds + i`.
            indices: Which environments; all by default.
            timeout_s: Seconds each reset may take.
            options: Further arguments of each environment's `reset`.
        """
        with self._lock:
            picked = self.roster.pick(indices)
            return self._reset_each(picked, self._options(picked, seeds, options), timeout_s)

    def step(
        self, actions: Sequence[ActT], indices: Iterable[int] | None = None, *, timeout_s: float | None = None
    ) -> StepResults[ObsT]:
        """Carry out one action in each environment, or in those of `indices`.

        Args:
            actions: One for each.
            indices: Which environments; all by default.
            timeout_s: Seconds each step may take.
        """
        with self._lock:
            self._require_links()
            picked = self._begin_step(actions, indices, timeout_s)
            self._wait_for(picked)
            return self._collect(picked)

    def send(
        self, actions: Sequence[ActT], indices: Iterable[int] | None = None, *, timeout_s: float | None = None
    ) -> None:
        """Begin what `step` does, and wait for nothing; `recv` has the results."""
        with self._lock:
            self._require_links()
            self._drain()
            self._begin_step(actions, indices, timeout_s)

    def recv(self, k: int | None = None, *, timeout_s: float | None = None) -> list[tuple[int, StepResult[ObsT]]]:
        """Wait for results of what was sent, and give them with their indices, in the order in which they came.

        Args:
            k: How many; all that are under way by default. There are fewer when fewer are under way.
            timeout_s: Seconds to wait for them; there are fewer when it has passed, and the rest can be received later.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._lock:
            self._require_links()
            self._wait(lambda: self._is_ready(k), deadline)
            return self._collect_ready(k)

    def state(self, indices: Iterable[int] | None = None) -> list[StateT]:
        """Read the states. What the first environment that fails raises is raised here: reading changes nothing."""
        with self._lock:
            self._require_links()
            picked = self.roster.pick(indices)
            self._drain()
            self._issue(self.roster.state(picked))
            self._wait_for(picked)
            return self._collect_states(picked)

    def fork(self, source: int, indices: Iterable[int]) -> None:
        """Put environments into the state of another, whose episode they go on with in place of their own.

        Sessions that were lost are opened anew for it. The state passes through here, once for each: an environment on
        another server takes it if the two have the same `OPENENV_SNAPSHOT_KEY`.

        Raises:
            NotSupported, UnsupportedByServer: The environment, or a server, has no snapshots; nothing has changed.
            BadRequest, EnvironmentFailed: `source` could not be saved, or is too large; nothing has changed.
            OpenEnvError: What the first environment that could not be restored raises; all others were.
        """
        with self._lock:
            self._require_links()
            self._drain()
            (number,), picked = self.roster.pick([source]), self.roster.pick(indices)
            self._issue(self._begin_fork(number, picked))
            self._wait_for([number])
            (snapshot,) = self._collect_states([number])
            self._renew(self.roster.dead_links(picked))
            self._issue(self.roster.restore(picked, snapshot, like=number))
            self._wait_for(picked)
            self._collect_states(picked)

    def close(self) -> None:
        """End the sessions. The servers go on; `connect()` opens other sessions."""
        with self._lock:
            self._is_closed = True
            self._hang_up()

    def aio(self) -> AsyncEnvVector[ActT, ObsT, StateT]:
        """Give the asynchronous face. Raises UsageError when sessions are open synchronously."""
        if self._links:
            raise UsageError("this vector has sessions open synchronously; close() it before awaiting it")
        return AsyncEnvVector(self._clients, self.num_envs, autoreset=self.autoreset, arrays=self.arrays)

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AsyncEnvVector[ActT, ObsT, StateT]:
        self._twin = await self.aio().connect()
        return self._twin

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._twin.close()

    def __len__(self) -> int:
        return self.num_envs

    def __getstate__(self) -> Any:
        raise TypeError("a vector cannot be pickled; make one in each process")

    # ---- for Gymnasium's vectors

    def _reset_each(
        self, indices: Sequence[int], options: Sequence[Mapping[str, Any]], timeout_s: float | None = None
    ) -> StepResults[ObsT]:
        """Begin episodes, each with options of its own."""
        with self._lock:
            if self._is_closed:
                raise SessionClosed("this vector was closed; connect() opens new sessions")
            self.connect()
            self._renew(self.roster.dead_links(indices))
            self._issue(self.roster.reset(indices, options, timeout_s))
            self._wait_for(indices)
            return self._collect(indices)

    def _go_on(self, indices: Sequence[int]) -> StepResults[ObsT]:
        """Begin the next episodes, where the sessions are not lost."""
        with self._lock:
            self._require_links()
            self._issue(self.roster.go_on(indices))
            self._wait_for(indices)
            return self._collect(indices)

    def _views(self, indices: Sequence[int]) -> list[Any]:
        """Ask how environments show their latest observations, as the page does."""
        with self._lock:
            self._require_links()
            self._issue(self.roster.view(indices))
            self._wait_for(indices)
            return self._collect_states(indices)

    # ---- links

    def _open(self) -> None:
        firsts: list[tuple[Home, Link]] = []
        asks: list[Ask] = []
        try:
            for home in self.homes:
                firsts.append((home, self._link(home.endpoint)))
            while firsts:
                home, link = firsts[0]
                if isinstance(link.half, PlainLink):
                    asks += self._open_plain(home, link)
                else:
                    asks.append(self._seat(home.endpoint, home.members, link))
                del firsts[0]
        finally:
            for _, link in firsts:
                link.close()
        self._issue(asks)
        self._wait(lambda: not self._sent, None)
        self._check_entry()
        self.roster.check_links()

    def _open_plain(self, home: Home, first: Link) -> list[Ask]:
        """Make the other connections to a server that needs one for each environment."""
        links: list[Link] = [first]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="openenv-connect") as threads:
            opening = [threads.submit(self._link, home.endpoint) for _ in home.members[1:]]
        made = [future.exception() or future.result() for future in opening]
        links += [link for link in made if isinstance(link, Link)]
        asks = [self._seat(home.endpoint, [index], link) for index, link in zip(home.members, links, strict=False)]
        for error in made:
            if isinstance(error, BaseException):
                raise error
        return asks

    def _link(self, endpoint: Endpoint) -> Link:
        return Link(endpoint, binary=self.arrays, arrays=self.arrays)

    def _renew(self, numbers: Iterable[int]) -> None:
        """Make links anew that have ended."""
        for number in numbers:
            old = self._links[number]
            old.close()
            try:
                link = self._link(self._endpoints[number])
                self._links[number] = link
                self._check_dialect(number, link)
            except (ConnectFailed, Refused, PeerError) as error:
                self.roster.unreachable(number, error)
            else:
                self.roster.renewed(number)

    def _hang_up(self) -> None:
        links = self._links
        self._begin_anew()
        self._arrived.clear()
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        for link in links:
            link.close()

    def _require_links(self) -> None:
        if self._is_closed:
            raise SessionClosed("this vector was closed; connect() opens new sessions")
        if not self._links:
            raise UsageError("step() was called before reset()")

    # ---- waiting

    def _receiver(self, link: AnyLink, ask: Ask) -> Callable[[Any], None]:
        return partial(_keep, self._arrived, link, ask)

    def _wait_for(self, indices: Sequence[int]) -> None:
        self._wait(lambda: not self.roster.is_under_way(indices), None)

    def _wait(self, is_done: Callable[[], bool], deadline: float | None) -> None:
        while True:
            self._drain()
            if is_done() or (deadline is not None and time.monotonic() >= deadline):
                return
            if not self._sent:
                self.roster.strand(range(self.num_envs))
                continue
            self._pump(self._next_deadline(deadline))
            self._expire()

    def _drain(self) -> None:
        """Take the replies that have arrived."""
        arrived = self._arrived
        while arrived:
            self._answer(*arrived[0])
            arrived.popleft()  # only now: after an interrupt it is taken again

    def _pump(self, deadline: float | None) -> None:
        """Wait until something arrives, or until then."""
        waiting: dict[int, Any] = {sent.number: sent.link for sent in self._sent.values()}
        with contextlib.ExitStack() as stack:
            for link in waiting.values():
                stack.enter_context(link.attended)
            if self._arrived:
                return  # the keeper's thread has just read it
            if len(self._links) > 1:
                self._pump_several(waiting, deadline)
                return
            ((number, link),) = waiting.items()
            try:
                link.pump(deadline)
            except TimeoutError:
                pass
            except LOST as error:
                self._lose(number, link, error)

    def _pump_several(self, waiting: dict[int, Any], deadline: float | None) -> None:
        if self._watch is None:
            self._watch = Watch()
        self._watch.wait(list(waiting.values()), None if deadline is None else max(deadline - time.monotonic(), 0.0))
        for number, link in waiting.items():
            if link.half.state in (ClientLinkState.LOST, ClientLinkState.CLOSED):
                try:
                    link.half.check()
                except OpenEnvError as error:
                    self._drain()  # what it said before it ended
                    self._lose(number, link, error)


def _keep(arrived: deque[Any], link: AnyLink, ask: Ask, reply: Any) -> None:
    arrived.append((link, ask, reply))
