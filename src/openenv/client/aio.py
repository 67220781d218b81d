"""`AsyncEnvClient`: the async twin of `sync`."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

from openenv.client.base import ActT, ObsT, StateT
from openenv.client.conversation import check_restored, payload_of, snapshot_of, state_of
from openenv.client.line_aio import AsyncLine
from openenv.protocol import GetSnapshot, GetState, Reset, Restore, Step
from openenv.types import StepResult

if TYPE_CHECKING:
    from openenv.client.sync import EnvClient
    from openenv.client.sync_face import SyncEnvClient

__all__ = ["AsyncEnvClient"]


class AsyncEnvClient(Generic[ActT, ObsT, StateT]):
    """The asynchronous face of an `EnvClient`; every method has the name, arguments and errors of its twin's.

    Made by `async with`, `await client.connect()` or `client.aio()`. Requests made together (`asyncio.gather`) are
    carried out in the order they were made. Attributes of your own subclass are reached through it.
    """

    def __init__(self, client: "EnvClient[ActT, ObsT, StateT]") -> None:
        self._client = client

    @property
    def base_url(self) -> str:
        """Where the server is, as it was given."""
        return self._client.base_url

    async def connect(self) -> Self:
        """Connect now rather than at the first call; after `close()` it opens a new session."""
        await self._line.connect()
        return self

    async def reset(self, *, timeout_s: float | None = None, **options: Any) -> StepResult[ObsT]:
        """Begin an episode, on a new connection if the last one is lost."""
        return self._client._parse_result(payload_of(await self._line.ask(Reset(options, timeout_s))))

    async def step(self, action: ActT, *, timeout_s: float | None = None, **options: Any) -> StepResult[ObsT]:
        """Carry out an action."""
        request = Step(self._client._step_payload(action), timeout_s, options)
        return self._client._parse_result(payload_of(await self._line.ask(request)))

    async def state(self) -> StateT:
        """Read the environment's state."""
        return self._client._parse_state(state_of(await self._line.ask(GetState())))

    async def snapshot(self) -> bytes:
        """Save the environment's whole state."""
        return snapshot_of(await self._line.ask(GetSnapshot()))

    async def restore(self, data: bytes) -> None:
        """Go on from a state that was saved, in a new session if the last one is lost."""
        check_restored(await self._line.ask(Restore(data)))

    async def fork(self, n: int) -> "list[AsyncEnvClient[ActT, ObsT, StateT]]":
        """Begin `n` sessions in the state of this one; closed with it, or by themselves."""
        if not self._client._can_fork(n):
            return []
        return [AsyncEnvClient(self._client._forked(session)) for session in await self._line.fork(n)]

    async def disconnect(self) -> None:
        """End the session; `reset` begins another."""
        await self._line.disconnect()

    async def close(self) -> None:
        """End the session. The server goes on; `connect()` opens another session."""
        await self._client._close_async()

    async def new_session(self) -> "AsyncEnvClient[ActT, ObsT, StateT]":
        """Open another session on the same server; closed with this one."""
        return await self._client._sibling().aio().connect()

    def sync(self) -> "SyncEnvClient[ActT, ObsT, StateT]":
        """Give the synchronous face, once the client is closed and so synchronous again. Raises UsageError before."""
        return self._client.sync()

    def aio(self) -> Self:
        """Itself."""
        return self

    async def __aenter__(self) -> Self:
        try:
            return await self.connect()
        except BaseException:  # nobody need come to close a client whose block was not entered
            await self._client._let_go_async()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @property
    def _line(self) -> AsyncLine:
        return self._client._async_line()
