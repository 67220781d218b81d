"""The worker processes of one server: how many, who lives where, and what follows when one ends."""

import asyncio
import itertools
import logging
import os
import socket
from collections.abc import Callable

from pydantic import BaseModel

from openenv.env import EnvironmentSource, ServerMode
from openenv.errors import FactoryFailed
from openenv.protocol import Fault, exception_for
from openenv.server.isolation import IsolatedSession
from openenv.server.nursery import Nursery, NurseryDied
from openenv.server.recipe import Recipe
from openenv.server.session import Session
from openenv.server.worker import Worker

__all__ = ["WorkerPool"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STOP_S = 1.0


class WorkerPool:
    """Builds sessions in worker processes.

    Args:
        source: Where environments come from; it must be fit to travel.
        action_class: What actions are validated against.
        env_workers: Processes that sessions share; None for what suits the class.
        step_timeout_s: Upper limit of every call; None for none.
        lost: Told of every session whose worker has ended, and why.
        mode: What the server lets its callers do.

    Raises:
        ConfigurationError: What builds environments cannot be sent to a process.
    """

    def __init__(
        self,
        source: EnvironmentSource,
        action_class: type[BaseModel],
        *,
        env_workers: int | None,
        step_timeout_s: float | None,
        lost: Callable[[Session, str], object],
        mode: ServerMode = ServerMode.SIMULATION,
    ) -> None:
        self._source = source
        self._recipe = Recipe.of(source, action_class, mode)
        self._most = env_workers or _shared_by_default(source, servers=1)
        self._is_chosen = env_workers is not None
        self._step_timeout_s = step_timeout_s
        self._lost = lost
        self._nursery: Nursery | None = None
        self._workers: list[Worker] = []
        self._numbers = itertools.count(1)
        self._failures = 0
        self._refused_until = 0.0
        self._failure: FactoryFailed | None = None

    def share_cores(self, servers: int) -> None:
        """Be one of several servers on this machine: what suits the class is then for all of them together."""
        if not self._is_chosen:
            self._most = _shared_by_default(self._source, servers=servers)

    async def build(self, session_id: str, owner: str | None = None) -> Session:
        """Build a session in the worker that has the fewest.

        Raises:
            FactoryFailed: The environment could not be built, or its worker could not be started.
        """
        self._refuse_while_it_is_hopeless()
        worker = self._least_loaded() or self._new_worker()
        number = next(self._numbers)
        session = IsolatedSession(session_id, worker, number, step_timeout_s=self._step_timeout_s, owner=owner)
        worker.take(number, session)
        try:
            await worker.started()
            await session.build()
        except FactoryFailed as error:
            worker.leave(number)
            self._note_failure(worker, error)
            raise
        except asyncio.CancelledError:
            worker.leave(number)
            raise
        self._failures = 0
        return session

    async def stop(self) -> None:
        """End every worker; sessions that have not ended are gone."""
        ending = [worker.buried for worker in self._workers]
        for worker in self._workers:
            worker.kill("the server stopped")
        if self._nursery is not None:
            await self._nursery.stop()
        if ending:
            await asyncio.wait(ending, timeout=_STOP_S)

    def _least_loaded(self) -> Worker | None:
        """Find a worker for a newcomer, unless another is to be started."""
        if self._most is None:
            return None
        open_to_all = [worker for worker in self._workers if worker.takes_newcomers]
        least = min(open_to_all, key=lambda worker: worker.load, default=None)
        if least is None or (least.load and len(open_to_all) < self._most):
            return None
        return least

    def _new_worker(self) -> Worker:
        worker = Worker(self._ended, is_shared=self._most is not None)
        self._workers.append(worker)
        worker.start(self._start(worker))
        return worker

    async def _start(self, worker: Worker) -> None:
        if self._nursery is None or self._nursery.is_gone:
            self._nursery = Nursery(self._recipe)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                await worker.connect(ours, self._nursery, theirs)
            except NurseryDied as error:
                ours.close()
                worker.ended(f"{error}, while the environment's modules were imported")

    def _ended(self, worker: Worker, why: str) -> None:
        self._workers.remove(worker)
        for session in worker.residents:
            self._lost(session, why)

    def _note_failure(self, worker: Worker, error: FactoryFailed) -> None:
        """Start no worker for a while after one could not even be started, or died of what it was to build."""
        now = asyncio.get_running_loop().time()
        if worker.is_broken and now >= self._refused_until:
            pause_s = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
            self._failures += 1
            self._failure, self._refused_until = error, now + pause_s

    def _refuse_while_it_is_hopeless(self) -> None:
        left_s = self._refused_until - asyncio.get_running_loop().time()
        if self._failure is not None and left_s > 0 and self._failures:
            message = f"{self._failure.message} Another try is made in {left_s:.1f} s."
            raise exception_for(Fault(self._failure.code, message, self._failure.details))


def _shared_by_default(source: EnvironmentSource, *, servers: int) -> int | None:
    """Let sessions share workers only where no thread of theirs can hang: a thread cannot be killed."""
    spec = source.spec
    if spec is None or (spec.is_blocking and not spec.is_async):
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(cores // servers, 1)
