"""`AsyncEnvClient` and the line it talks through: the async twins of `sync` and `link`."""

import asyncio
import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from openenv.client.base import ActT, ObsT, StateT
from openenv.client.conversation import (
    CONNECT_ERRORS,
    Conversation,
    Fate,
    closed_error,
    connect_error,
    lost,
    payload_of,
    state_of,
)
from openenv.client.endpoint import Endpoint
from openenv.errors import ConnectionLost
from openenv.protocol import EXTENSIONS_HEADER, Close, GetState, Reply, Request, Reset, Step
from openenv.types import StepResult

if TYPE_CHECKING:
    from openenv.client.sync import EnvClient

__all__ = ["AsyncEnvClient", "AsyncLine", "AsyncLink"]

_CLOSE_S = 2.0


class AsyncLink:
    """One connection and its conversation, on one event loop; made by `open`."""

    def __init__(self, endpoint: Endpoint, connection: ClientConnection) -> None:
        self._endpoint = endpoint
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        headers = connection.response.headers if connection.response else {}
        listed = headers.get(EXTENSIONS_HEADER, "")
        self._conversation = Conversation(endpoint, frozenset(name.strip() for name in listed.split(",") if name))

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Self:
        """Connect.

        Raises:
            ConnectFailed: No connection could be made.
            Refused: The server does not let us in.
        """
        try:
            connection = await connect(
                endpoint.url,
                additional_headers=dict(endpoint.headers),
                compression=None,
                open_timeout=endpoint.connect_timeout_s,
                ping_interval=endpoint.ping_interval_s,
                ping_timeout=endpoint.ping_timeout_s,
                close_timeout=_CLOSE_S,
                max_size=endpoint.max_message_bytes,
                proxy=None if endpoint.is_local else True,
            )
        except CONNECT_ERRORS as error:
            raise connect_error(endpoint, error) from error
        return cls(endpoint, connection)

    @property
    def is_used(self) -> bool:
        """Whether anything was asked, so that there may be an episode."""
        return self._conversation.session.used

    @property
    def is_stranded(self) -> bool:
        """Whether the event loop that carries the connection is gone."""
        return self._loop.is_closed()

    def is_usable(self) -> bool:
        """Whether another request may be asked; looks at what has arrived meanwhile."""
        if not self.is_stranded and not self._turn.locked():
            self._catch_up()
        return self._conversation.is_usable and self._connection.state is State.OPEN and not self.is_stranded

    async def exchange(self, request: Request) -> Reply:
        """Ask and wait for the reply; requests made together are carried out in the order they were made.

        Raises:
            ReplyTimeout: None came in time; the session is broken by it.
            SessionLost: The connection ended, or an earlier request was abandoned (then a SessionBroken).
            SessionClosed: The link was closed.
            UnsupportedByServer: The server has no place for an argument.
        """
        async with self._turn:
            session = self._conversation.session
            self._catch_up()
            request, limit_s = self._conversation.prepare(request)
            call = session.ask(request)
            try:
                async with asyncio.timeout(limit_s):
                    await self._connection.send(call.frame, text=True)
                    while True:
                        answered = session.receive(await self._connection.recv(decode=False))
                        if answered is not None:
                            return answered[1]
            except ConnectionClosed as error:
                gone = closed_error(error.rcvd, error.sent)
                session.lose(gone)
                raise await asyncio.to_thread(lost, self._endpoint, gone) from gone
            except TimeoutError:
                expired = self._conversation.expired(request, limit_s)
                session.abandon(call, expired)
                raise expired from None
            except BaseException as error:  # cancelling above all: the reply may still come, and must reach nobody
                session.abandon(call, error)
                raise
            finally:
                if not self._conversation.is_usable:
                    self._drop()

    async def close(self) -> None:
        """End the session and the connection. Waits for an exchange that is under way."""
        if self.is_stranded:
            self._conversation.session.close()
            return
        async with self._turn:
            with contextlib.suppress(ConnectionClosed, ConnectionLost):
                if self.is_usable():
                    await self._connection.send(self._conversation.session.ask(Close()).frame, text=True)
            self._conversation.session.close()
            await self._connection.close()

    def _catch_up(self) -> None:
        """Take in what came unasked, so that it is not mistaken for the answer to what is asked next."""
        try:
            while self._conversation.is_usable and (frame := self._take()) is not None:
                self._conversation.take_stray(frame)
        except ConnectionClosed as error:
            self._conversation.session.lose(closed_error(error.rcvd, error.sent))
        finally:
            if not self._conversation.is_usable:
                self._drop()

    def _take(self) -> bytes | None:
        """Take a frame that has arrived already; None when there is none."""
        receiving = self._connection.recv(decode=False)
        try:
            receiving.send(None)  # runs it as far as it gets without waiting
        except StopIteration as done:
            frame: bytes = done.value
            return frame
        with contextlib.suppress(asyncio.CancelledError):
            receiving.throw(asyncio.CancelledError)
        return None

    def _drop(self) -> None:
        self._connection.transport.abort()

    def __del__(self) -> None:
        if hasattr(self, "_loop") and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop closed this very moment
                self._loop.call_soon_threadsafe(self._connection.transport.abort)


class AsyncLine:
    """What a client talks through: opens a link when one is needed, and never a second one silently."""

    def __init__(self, endpoint: Endpoint, fate: Fate) -> None:
        self._endpoint = endpoint
        self._fate = fate
        self._opening = asyncio.Lock()
        self._link: AsyncLink | None = None

    @property
    def is_used(self) -> bool:
        """Whether there may be an episode."""
        return self._link is not None and self._link.is_used

    @property
    def is_stranded(self) -> bool:
        """Whether the event loop it was used on is gone."""
        return self._link is not None and self._link.is_stranded

    async def connect(self) -> None:
        """Open a link unless there is one; also after `close`. Raises as `AsyncLink.open` does."""
        async with self._opening:
            self._link = self._link or await AsyncLink.open(self._endpoint)
            self._fate.reopen()

    async def ask(self, request: Request) -> Reply:
        """Ask and wait for the reply. A reset replaces a link that is lost. Raises as `AsyncLink` does."""
        async with self._opening:
            self._fate.check(request)
            link = self._link
            if link is None or (isinstance(request, Reset) and not link.is_usable()):
                link, old = await AsyncLink.open(self._endpoint), link
                if old is not None:
                    await old.close()
                self._link = link
                self._fate.reopen()
        return await link.exchange(request)

    async def disconnect(self) -> None:
        """End the session; a reset begins another."""
        if self.is_used:
            self._fate.disconnect()
        await self._hang_up()

    async def close(self) -> None:
        """End the session for good."""
        self._fate.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()


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

    async def disconnect(self) -> None:
        """End the session; `reset` begins another."""
        await self._line.disconnect()

    async def close(self) -> None:
        """End the session. The server goes on; `connect()` opens another session."""
        await self._client._close_async()

    async def new_session(self) -> "AsyncEnvClient[ActT, ObsT, StateT]":
        """Open another session on the same server; closed with this one."""
        return await self._client._sibling().aio().connect()

    def sync(self) -> "EnvClient[ActT, ObsT, StateT]":
        """Give the client itself, once it is closed and so synchronous again. Raises UsageError before."""
        return self._client.sync()

    def aio(self) -> Self:
        """Itself."""
        return self

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @property
    def _line(self) -> AsyncLine:
        return self._client._async_line()
