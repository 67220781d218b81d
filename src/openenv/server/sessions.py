"""The sessions of a server: opened within the limit, found by id, and ended once, by whatever ends them first."""

import asyncio
import dataclasses
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable

from pydantic import BaseModel

from openenv.env import EnvironmentMetadata, EnvironmentSource, ServerMode, array_fields
from openenv.env.capacity import SessionInfo
from openenv.env.interface import describe
from openenv.errors import ConfigurationError, FactoryFailed, UnknownSession
from openenv.protocol import Fault, exception_for
from openenv.server.admission import Admission
from openenv.server.building import SessionBuilder
from openenv.server.config import ISOLATIONS, Promises, ServerConfig, session_limit
from openenv.server.production import discreet
from openenv.server.readme import read_readme
from openenv.server.session import Session, SessionState
from openenv.server.slots import Slots
from openenv.server.worker_pool import WorkerPool

__all__ = ["SessionTable"]

logger = logging.getLogger(__name__)

_REMEMBERED = 4096
"""Ended sessions whose reason is kept, so that a late caller learns why."""


class SessionTable:
    """Opens, finds and ends sessions.

    Args:
        source: Where environments come from.
        action_class: What actions are validated against.
        config: The settings; readable as `config`.
    """

    def __init__(self, source: EnvironmentSource, action_class: type[BaseModel], config: ServerConfig) -> None:
        self._source = source
        self._action_class = action_class
        self.config = config
        # A bare factory's class is known once it has built one; until then it gets to build one at a time.
        limit = None if source.spec is None else _limit_of(source, source.spec, config)
        self._admission = Admission(limit, queue_s=config.queue_s, max_queue=config.max_queue)
        self._id_prefix = ""
        self._sessions: dict[str, Session] = {}
        self._anonymous: OrderedDict[str, Session] = OrderedDict()  # by client address, least recently used first
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._opening: dict[str, asyncio.Task[Session]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._builder = self._make_builder(source, action_class)
        self._reaper: asyncio.TimerHandle | None = None
        self._describing = asyncio.Lock()
        self._metadata: EnvironmentMetadata | None = None

    @property
    def active(self) -> int:
        """Places taken, those of sessions that are opening or ending included."""
        return self._admission.taken

    @property
    def limit(self) -> int:
        """Sessions at once."""
        return self._admission.limit

    @property
    def waiting(self) -> int:
        """Newcomers that wait for a place."""
        return self._admission.waiting

    @property
    def id_prefix(self) -> str:
        """How the ids of this server's sessions begin: with the worker's number, if it is one of several."""
        return self._id_prefix

    @property
    def takes_arrays(self) -> bool:
        """Whether some field of an action holds an array."""
        return bool(array_fields(self._action_class))

    def share(self, slots: Slots, id_prefix: str, snapshot_key: str | None = None) -> None:
        """Be one worker of several: count sessions together, mark the ids of this one's, and take others' snapshots."""
        self.config = dataclasses.replace(self.config, snapshot_key=self.config.snapshot_key or snapshot_key)
        self._admission.share(slots)
        self._id_prefix = id_prefix
        if isinstance(self._builder, WorkerPool):
            self._builder.share_cores(slots.processes)

    async def open(self, *, owner: str | None = None, attached: bool = False) -> Session:
        """Open a session, waiting in the queue if there is no room.

        Args:
            owner: Client address, for an anonymous session.
            attached: Whether a connection holds it, so that it does not expire.

        Raises:
            AtCapacity: No room in time.
            FactoryFailed: The environment could not be built.
        """
        if self._admission.is_full:
            self._evict_one()
        await self._admission.enter()
        building = asyncio.get_running_loop().create_task(self._open(owner, attached))
        try:
            return await asyncio.shield(building)
        except asyncio.CancelledError:
            building.add_done_callback(self._discard)  # what is half built can only be ended once it stands
            raise

    def find(self, session_id: str) -> Session:
        """Find a session by its id, which makes an anonymous one its caller's own.

        Raises:
            UnknownSession: There is none, or not any more; the message says which and why.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise self._unknown(session_id, f"There is no session {session_id!r} on this server.")
        if session.owner is not None:
            self._anonymous.pop(session.owner, None)
            session.owner = None
        return session

    def find_anonymous(self, owner: str) -> Session | None:
        """Find the anonymous session of a client address; None when it never had one.

        Raises:
            UnknownSession: It had one, which has ended; `forget` makes room for another.
        """
        session = self._anonymous.get(owner)
        if session is None:
            if owner in self._ended:
                raise self._unknown(owner, "")
            return None
        self._anonymous.move_to_end(owner)
        return session

    def info(self, session_id: str) -> SessionInfo | None:
        """Tell about a session; None when there is none of that id."""
        session = self._sessions.get(session_id)
        if session is None:
            return None
        return SessionInfo(
            session_id=session.id,
            created_at=session.created_at,
            last_activity_at=time.time() - (time.monotonic() - session.last_used),
            step_count=session.step_count,
            environment_type=session.promises.name,
        )

    def join(self, session_id: str) -> Session:
        """Find a session for a connection that is to hold it until it leaves.

        Raises:
            UnknownSession: There is none, or another connection holds it.
        """
        try:
            session = self.find(session_id)
        except UnknownSession as error:
            raise UnknownSession("SESSION_ERROR", error.message) from error
        if session.is_attached:
            raise UnknownSession("SESSION_ERROR", f"Session {session_id} already has an attached WebSocket")
        session.is_attached = True
        return session

    async def anonymous(self, owner: str) -> Session:
        """Find or open the anonymous session of a client address. Raises as `find_anonymous` and `open` do."""
        session = self.find_anonymous(owner)
        if session is not None:
            return session
        opening = self._opening.get(owner)
        if opening is None:  # several requests of one address may come at once, and share what the first opens
            opening = asyncio.get_running_loop().create_task(self.open(owner=owner))
            self._opening[owner] = opening
            opening.add_done_callback(lambda _: self._opening.pop(owner))
        return await asyncio.shield(opening)

    def make_room(self) -> None:
        """Let an idle anonymous session give way if anybody waits; called when one may have become idle."""
        if self._admission.has_queue:
            self._evict_one()

    def forget(self, owner: str) -> None:
        """Let a client address begin anew."""
        self._ended.pop(owner, None)

    def end(self, session: Session, reason: str) -> asyncio.Task[None]:
        """End a session; the task is done when its environment is closed and its place is free."""
        session.lose(reason)
        known = self._sessions.pop(session.id, None) is not None
        if known:
            self._remember(session.id, reason)
            if session.owner is not None:
                self._anonymous.pop(session.owner, None)
                self._remember(session.owner, reason)
        task = asyncio.get_running_loop().create_task(self._end(session, reason, known))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def metadata(self) -> EnvironmentMetadata:
        """Describe the environment, building one within the limits if its class describes itself; asked once."""
        async with self._describing:
            if self._metadata is None:
                spec = self._source.spec
                if spec is not None and not spec.describes_itself:
                    described = describe(spec.environment_class)
                else:
                    described = await self._ask_metadata()
                self._metadata = self._with_readme(described)
            return self._metadata

    def refuse_newcomers(self) -> None:
        """Open no further session: the server is stopping."""
        self._admission.close()

    async def drain(self) -> None:
        """Wait until no call is under way, at most `drain_s` seconds."""
        if not await _comes_true(lambda: not self._is_busy(), self.config.drain_s):
            logger.warning("stopping although calls are under way: drain_s=%g is over", self.config.drain_s)

    async def close(self) -> None:
        """End every session, waiting at most `drain_s` seconds for environments to close."""
        self.refuse_newcomers()
        if self._reaper is not None:
            self._reaper.cancel()
        for session in list(self._sessions.values()):
            self.end(session, "the server stopped")
        if not await _comes_true(lambda: not self._admission.taken_here, max(self.config.drain_s, 0.1)):
            late = self._admission.taken_here
            logger.warning("%d environments had not closed when the server stopped", late)
        await self._builder.stop()

    def _is_busy(self) -> bool:
        return any(session.is_busy for session in self._sessions.values())

    async def _ask_metadata(self) -> EnvironmentMetadata:
        described = None
        while described is None:  # a session may end while we wait for our turn with it
            usable = [session for session in self._sessions.values() if session.state is SessionState.OPEN]
            session = min(usable, key=lambda session: session.is_busy, default=None)
            if session is not None and (self._admission.is_full or not session.is_busy):
                described = await session.metadata()
                continue
            session = await self.open()
            try:
                described = await session.metadata()
            finally:
                self.end(session, "it was opened to describe the environment")
        return described

    def metadata_of_class(self, name: str | None) -> EnvironmentMetadata:
        """Describe the environment as far as its class does, or its factory's name, without building one."""
        spec = self._source.spec
        described = describe(spec.environment_class) if spec else EnvironmentMetadata(name=self._source.name)
        return self._with_readme(dataclasses.replace(described, name=name or described.name))

    def _with_readme(self, described: EnvironmentMetadata) -> EnvironmentMetadata:
        if described.readme_content is not None:
            return described
        spec = self._source.spec
        readme = read_readme(spec.environment_class if spec else None, self.config.readme_path)
        return dataclasses.replace(described, readme_content=readme)

    async def _open(self, owner: str | None, attached: bool) -> Session:
        try:
            session = await self._build(owner)
        except BaseException:  # cancelling too: what was taken is given back
            self._admission.leave()
            raise
        session.is_attached = attached
        self._sessions[session.id] = session
        if owner is not None:
            self._anonymous[owner] = session
            self._ended.pop(owner, None)
        if self._admission.is_closed:
            self.end(session, "the server stopped")
        self._schedule_reaper()
        return session

    def _discard(self, building: asyncio.Task[Session]) -> None:
        if not building.cancelled() and building.exception() is None:
            self.end(building.result(), "its caller went away while it was opened")

    async def _build(self, owner: str | None) -> Session:
        try:
            session = await self._builder.build(f"{self._id_prefix}{uuid.uuid4()}", owner)
        except FactoryFailed as error:
            if not self.config.is_production:
                raise
            raise exception_for(discreet(Fault.of(error))) from error
        if not self._admission.knows_limit:
            await self._learn_limit(session)
        return session

    def _make_builder(self, source: EnvironmentSource, action_class: type[BaseModel]) -> SessionBuilder | WorkerPool:
        timeout_s, env_workers = self.config.step_timeout_s, self.config.env_workers
        mode = ServerMode.PRODUCTION if self.config.is_production else ServerMode.SIMULATION
        if self.config.isolation not in ISOLATIONS:
            raise ConfigurationError(f"isolation={self.config.isolation!r}: must be {' or '.join(ISOLATIONS)}")
        if self.config.isolation == "process":
            return WorkerPool(
                source, action_class, env_workers=env_workers, step_timeout_s=timeout_s, lost=self.end, mode=mode
            )
        return SessionBuilder(source, action_class, step_timeout_s=timeout_s, mode=mode)

    async def _learn_limit(self, session: Session) -> None:
        """Decide what had to wait for the class that a bare factory builds."""
        try:
            self._admission.limit = _limit_of(self._source, session.promises, self.config)
        except ConfigurationError as error:
            logger.error("environment factory %r: %s", self._source.name, error)
            await session.end("its class does not bear the limit")
            details = {"factory_name": self._source.name, "exception": type(error).__name__, "cause": str(error)}
            raise FactoryFailed("FACTORY_ERROR", str(error), details) from error

    async def _end(self, session: Session, reason: str, holds_place: bool) -> None:
        try:
            await session.end(reason, keep_environment=self._source.is_instance)
        finally:
            if holds_place:
                self._admission.leave()

    def _evict_one(self) -> None:
        """Make room by ending the anonymous session that was idle longest, if there is one."""
        for session in self._anonymous.values():
            if not session.is_busy:
                self.end(session, "its place was needed for a caller with a session of its own")
                return

    def _schedule_reaper(self) -> None:
        if self._reaper is None and self._sessions:
            period = min(max(self.config.idle_s / 4, 0.05), 30.0)
            self._reaper = asyncio.get_running_loop().call_later(period, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        oldest = time.monotonic() - self.config.idle_s
        for session in list(self._sessions.values()):
            if not session.is_attached and not session.is_busy and session.last_used < oldest:
                self.end(session, f"it was idle for {self.config.idle_s:g} s")
        self._schedule_reaper()

    def _remember(self, key: str, reason: str) -> None:
        self._ended[key] = reason
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def _unknown(self, key: str, otherwise: str) -> UnknownSession:
        reason = self._ended.get(key)
        if reason is None:
            return UnknownSession("SESSION_NOT_FOUND", otherwise)
        return UnknownSession("SESSION_ENDED", f"This session has ended: {reason}. Reset to begin another.")


async def _comes_true(condition: Callable[[], bool], within_s: float) -> bool:
    """Wait for a condition, and tell whether it came true in time."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.01)
    return True


def _limit_of(source: EnvironmentSource, spec: Promises, config: ServerConfig) -> int:
    return 1 if source.is_instance else session_limit(spec, config.max_sessions)
