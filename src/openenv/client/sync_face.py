"""`SyncEnvClient`: the face of a client that is synchronous for certain."""

import functools
import inspect
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

from openenv.client.base import ActT, ObsT, StateT
from openenv.types import StepResult

if TYPE_CHECKING:
    from openenv.client.aio import AsyncEnvClient
    from openenv.client.sync import EnvClient

__all__ = ["SyncEnvClient"]


class SyncEnvClient(Generic[ActT, ObsT, StateT]):
    """The synchronous face of an `EnvClient`, which `.sync()` gives: every method blocks and returns the value itself.

    So do coroutine methods of the client's own class: they run on an event loop in a thread of their own. Other
    attributes are the client's. See `EnvClient` for the methods.

    Args:
        async_client: The client.

    Raises:
        UsageError: The client has become asynchronous, by being awaited.
    """

    def __init__(self, async_client: "EnvClient[ActT, ObsT, StateT]") -> None:
        async_client._check_sync()
        self._client = async_client

    @property
    def async_client(self) -> "EnvClient[ActT, ObsT, StateT]":
        """The client itself."""
        return self._client

    @property
    def base_url(self) -> str:
        """Where the server is."""
        return self._client.base_url

    def connect(self) -> Self:
        """Connect now rather than at the first call; after `close()` it opens a new session."""
        self._client._settled(self._client.connect())
        self._client._connect_now()  # inside an event loop the client itself has put it off
        return self

    def reset(self, **options: Any) -> StepResult[ObsT]:
        """Begin an episode, on a new connection if the last one is lost."""
        result: StepResult[ObsT] = self._client._settled(self._client.reset(**options))
        return result

    def step(self, action: ActT, **options: Any) -> StepResult[ObsT]:
        """Carry out an action."""
        result: StepResult[ObsT] = self._client._settled(self._client.step(action, **options))
        return result

    def state(self) -> StateT:
        """Read the environment's state."""
        state: StateT = self._client._settled(self._client.state())
        return state

    def disconnect(self) -> None:
        """End the session; `reset` begins another."""
        self._client._settled(self._client.disconnect())

    def close(self) -> None:
        """End the session, and those of `new_session`; a server that the client owns is taken away."""
        try:
            self._client._settled(self._client.close())
        finally:
            self._client._end_loop()

    def new_session(self) -> "SyncEnvClient[ActT, ObsT, StateT]":
        """Open another session on the same server; closed with this one."""
        return SyncEnvClient(self._client._settled(self._client.new_session()))

    def sync(self) -> Self:
        """Itself."""
        return self

    def aio(self) -> "AsyncEnvClient[ActT, ObsT, StateT]":
        """Make the client asynchronous, and give its async face. Raises UsageError if it has an episode open."""
        return self._client.aio()

    def __enter__(self) -> Self:
        self._client._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name == "_client":  # it was made without __init__, as by copy and pickle
            raise AttributeError(name)
        value = getattr(self._client, name)
        if not inspect.iscoroutinefunction(value):
            return value
        return functools.wraps(value)(lambda *args, **options: self._client._settled(value(*args, **options)))
