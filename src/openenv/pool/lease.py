"""What rollout code holds: a session of the pool for the time of one `with` block, and nothing of its earlier users.

Only `reset` goes first, since the environment is as its last user left it. Afterwards nothing goes, since the session
may be somebody else's by then.
"""

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic

from openenv.client import EnvClient
from openenv.client.base import ActT, ObsT, StateT
from openenv.errors import (
    NotReset,
    OpenEnvError,
    PeerError,
    SessionClosed,
    StepTimedOut,
    TransportError,
    UnknownSession,
    UsageError,
)
from openenv.types import StepResult

__all__ = ["AsyncPooledEnv", "Lease", "PooledEnv"]

_LOSSES = (TransportError, PeerError, StepTimedOut, UnknownSession)
"""Errors after which there may be no episode, or one that cannot be trusted."""

_THE_POOLS = frozenset({"aio", "connect", "disconnect", "from_docker_image", "from_env", "new_session", "pool", "sync"})
"""Methods of a client that would take its session out of the pool's hands."""


class Lease:
    """Whether a session may be used, from its checkout to its return. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._is_reset = False
        self._ended: OpenEnvError | None = None
        self.lost: BaseException | None = None
        """What lost its episode first; a session that lost one is not used again."""

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Let a call through, and remember how it went.

        Raises:
            NotReset: The first call is no reset.
            SessionClosed, PoolClosed: The session was given back, or the pool was closed.
        """
        with self._lock:
            if self._ended is not None:
                raise type(self._ended)(str(self._ended))
            if not self._is_reset and name != "reset":
                raise NotReset(f"{name}() on a session fresh from the pool: call reset() first, to begin an episode")
            self._calls += 1
        try:
            yield
        except BaseException as error:
            # An error that is none of ours may have come in the middle of a call, as Ctrl-C does.
            if isinstance(error, _LOSSES) or not isinstance(error, Exception):
                self.lost = self.lost or error
            raise
        else:
            self._is_reset = True
        finally:
            with self._lock:
                self._calls -= 1

    def end(self, why: OpenEnvError) -> bool:
        """Refuse every further call with `why`; says whether none is under way."""
        with self._lock:
            self._ended = self._ended or why
            return self._calls == 0


class _Held(Generic[ActT, ObsT, StateT]):
    """What both faces share. Attributes of the client's own class are reached through it."""

    def __init__(self, client: EnvClient[ActT, ObsT, StateT], lease: Lease) -> None:
        self._client = client
        self._lease = lease

    @property
    def base_url(self) -> str:
        """Where the session's server is."""
        return self._client.base_url

    def __getattr__(self, name: str) -> Any:
        client = vars(self)["_client"]
        if name in _THE_POOLS:
            raise UsageError(f"{name}() is not for a session of a pool, which connects and closes it by itself")
        if name.startswith("_") or name in vars(client):
            return getattr(client, name)
        # A method of the client's class gets this object as its self, so that the calls it makes are checked as well.
        found = inspect.getattr_static(type(client), name)
        return found.__get__(self, type(client)) if hasattr(found, "__get__") else found

    def _give_up(self) -> None:
        self._lease.end(SessionClosed("this session was given back by close(); check out another"))


class PooledEnv(_Held[ActT, ObsT, StateT]):
    """A session that is checked out; its methods have the arguments and errors of `EnvClient`."""

    def reset(self, **options: Any) -> StepResult[ObsT]:
        """Begin an episode. After a loss it begins one on the same server, if that is there."""
        with self._lease.call("reset"):
            return self._client.reset(**options)

    def step(self, action: ActT, **options: Any) -> StepResult[ObsT]:
        """Carry out an action. Raises NotReset before a reset."""
        with self._lease.call("step"):
            return self._client.step(action, **options)

    def state(self) -> StateT:
        """Read the environment's state. Raises NotReset before a reset."""
        with self._lease.call("state"):
            return self._client.state()

    def close(self) -> None:
        """Use it no more; leaving the `with` block does that anyhow."""
        self._give_up()


class AsyncPooledEnv(_Held[ActT, ObsT, StateT]):
    """The asynchronous face of a session that is checked out."""

    async def reset(self, **options: Any) -> StepResult[ObsT]:
        """Begin an episode. After a loss it begins one on the same server, if that is there."""
        with self._lease.call("reset"):
            return await self._client.aio().reset(**options)

    async def step(self, action: ActT, **options: Any) -> StepResult[ObsT]:
        """Carry out an action. Raises NotReset before a reset."""
        with self._lease.call("step"):
            return await self._client.aio().step(action, **options)

    async def state(self) -> StateT:
        """Read the environment's state. Raises NotReset before a reset."""
        with self._lease.call("state"):
            return await self._client.aio().state()

    async def close(self) -> None:
        """Use it no more; leaving the `async with` block does that anyhow."""
        self._give_up()
