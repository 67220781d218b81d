"""`EnvClient`: synchronous until it is awaited.

The one rule: calls on a plain client block and return the value itself, with or without a running event loop.
`async with`, `await client.connect()` and `.aio()` make it asynchronous, and from then on its methods are coroutines.
Awaiting a value that is there already gives the value.
"""

import asyncio
import copy
import inspect
import weakref
from collections.abc import Generator
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, Self

from openenv.client import hooks
from openenv.client.aio import AsyncEnvClient
from openenv.client.base import ActT, ObsT, StateT
from openenv.client.conversation import Fate, check_restored, payload_of, snapshot_of, state_of
from openenv.client.factories import ClientFactories
from openenv.client.line import Line, Session
from openenv.client.line_aio import AsyncLine, AsyncSession
from openenv.client.loop_thread import LoopThread
from openenv.client.sync_face import SyncEnvClient
from openenv.errors import ConfigurationError, UsageError
from openenv.protocol import GetSnapshot, GetState, Reset, Restore, Step
from openenv.types import StepResult

__all__ = ["DONE", "Done", "EnvClient"]


class Done:
    """What `close()` returns: nothing, that may be awaited."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "None"


DONE = Done()


class EnvClient(ClientFactories[ActT, ObsT, StateT]):
    """Drives one environment on a server.

    Subclass it with the environment's types, and it is complete::

        class EchoEnv(EnvClient[EchoAction, EchoObservation, State]): ...

    Any thread may use it; calls are carried out one after another. A session that is lost, because the server went away
    or a call ran past its `timeout_s`, is an error at the next `step`, and `reset` begins a new one.

    See `ClientBase` for the arguments.
    """

    _face: ClassVar[type[AsyncEnvClient[Any, Any, Any]]] = AsyncEnvClient
    _connects_first: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        hooks.fit(cls, EnvClient)

    def _begin(self) -> None:
        self._fate = Fate()
        self._line: Line | None = None
        self._aline: AsyncLine | None = None
        self._siblings: list[Self] = []
        self._family: list[Any] = []  # the siblings of the client that this one comes from
        self._loop_thread: LoopThread | None = None

    def connect(self) -> Self:
        """Connect now rather than at the first call; awaited, it makes the client asynchronous.

        Inside a running event loop the connection is left to the first call or to the `await`, since only what comes
        next tells which is meant. After `close()` it opens a new session.

        Raises:
            ConnectFailed: No server there.
            Refused: It does not let us in.
        """
        if self._awaited() is None:
            if _in_event_loop():
                self._fate.reopen()
            else:
                self._sync_line().connect()
        return self

    def reset(self, *, timeout_s: float | None = None, **options: Any) -> StepResult[ObsT]:
        """Begin an episode, on a new connection if the last one is lost.

        Args:
            timeout_s: Seconds the reset may take; past it the session is lost.
            options: The environment's reset arguments, such as `seed` and `episode_id`.

        Raises:
            BadAction: An argument does not fit.
            EnvironmentFailed: The environment raised.
            AtCapacity: The server had no room, for as long as it lets clients queue.
            ConnectFailed, SessionLost, ReplyTimeout: The network, or the server, failed.
        """
        if twin := self._awaited():
            return twin.reset(timeout_s=timeout_s, **options)  # type: ignore[return-value]  # awaited by the caller
        return self._parse_result(payload_of(self._sync_line().ask(Reset(options, timeout_s))))

    def step(self, action: ActT, *, timeout_s: float | None = None, **options: Any) -> StepResult[ObsT]:
        """Carry out an action.

        Args:
            action: An instance of the client's action class.
            timeout_s: Seconds the step may take, kept by the server; past it the session is lost.
            options: Further arguments of the environment's `step`.

        Raises:
            BadAction: The action does not fit; the session is unharmed.
            EnvironmentFailed: The environment raised; the session is unharmed.
            StepTimedOut: It took longer than `timeout_s`; the session is lost.
            ReplyTimeout: No reply came in time; the session goes on, unless the server speaks dialect 1.
            SessionLost: There is no episode to step any more.
            UnsupportedByServer: This server takes no `options`.
        """
        if twin := self._awaited():
            return twin.step(action, timeout_s=timeout_s, **options)  # type: ignore[return-value]  # as above
        request = Step(self._step_payload(action), timeout_s, options)
        return self._parse_result(payload_of(self._sync_line().ask(request)))

    def state(self) -> StateT:
        """Read the environment's state. Raises as `step` does."""
        if twin := self._awaited():
            return twin.state()  # type: ignore[return-value]  # as above
        return self._parse_state(state_of(self._sync_line().ask(GetState())))

    def snapshot(self) -> bytes:
        """Save the environment's whole state, as bytes that a server with the same key can restore.

        Raises:
            NotSupported, UnsupportedByServer: The environment, or the server, has no snapshots.
            EnvironmentFailed: The environment raised; the session is unharmed.
        """
        if twin := self._awaited():
            return twin.snapshot()  # type: ignore[return-value]  # as above
        return snapshot_of(self._sync_line().ask(GetSnapshot()))

    def restore(self, data: bytes) -> Done:
        """Go on from a state that was saved, in a new session if the last one is lost.

        Raises:
            BadSnapshot: It is of another server, class or version, or was changed; the session is unharmed.
            EnvironmentFailed: The environment raised; the session is lost.
            NotSupported, UnsupportedByServer: The environment, or the server, has no snapshots.
        """
        if twin := self._awaited():
            return twin.restore(data)  # type: ignore[return-value]  # as above
        check_restored(self._sync_line().ask(Restore(data)))
        return DONE

    def fork(self, n: int) -> list[Self]:
        """Begin `n` sessions in the state of this one, on its connection; closed with it, or by themselves.

        Raises:
            AtCapacity: There is no room for all of them; none has begun then, and this one is unharmed.
            NotSupported, UnsupportedByServer: The environment, or the server, has no snapshots.
            EnvironmentFailed: The environment raised; this session is unharmed.
        """
        if twin := self._awaited():
            return twin.fork(n)  # type: ignore[return-value]  # as above
        return [self._forked(session) for session in self._sync_line().fork(n)] if self._can_fork(n) else []

    def disconnect(self) -> Done:
        """End the session; `reset` begins another."""
        if twin := self._awaited():
            return twin.disconnect()  # type: ignore[return-value]  # as above
        self._sync_line().disconnect()
        return DONE

    def close(self) -> Done:
        """End the session, and those of `new_session`. The server goes on; `connect()` opens another session."""
        if twin := self._awaited():
            return twin.close()  # type: ignore[return-value]  # as above
        self._sync_line().close()
        while self._siblings:
            self._siblings.pop().close()
        self._leave_family()
        self._let_go()
        self._end_loop()
        return DONE

    def new_session(self) -> Self:
        """Open another session on the same server; closed with this one."""
        if twin := self._awaited():
            return twin.new_session()  # type: ignore[return-value]  # as above
        return self._sibling().connect()

    def sync(self) -> SyncEnvClient[ActT, ObsT, StateT]:
        """Say that this client is synchronous, which it is anyhow until it is awaited. Raises UsageError after that."""
        return SyncEnvClient(self)

    def aio(self) -> AsyncEnvClient[ActT, ObsT, StateT]:
        """Make this client asynchronous and give its async face.

        Raises:
            UsageError: It has an episode open synchronously, which would be lost.
        """
        if self._awaited() is None:
            if self._line is not None:
                if self._line.is_used:
                    raise UsageError("this client has an episode open synchronously; close() it before awaiting it")
                self._line.disconnect()
            self._aline = AsyncLine(self._endpoint, self._fate)
        return self._face(self)

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AsyncEnvClient[ActT, ObsT, StateT]:
        return await self._opened()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close_async()

    def __await__(self) -> Generator[Any, None, AsyncEnvClient[ActT, ObsT, StateT]]:
        return self._opened().__await__()

    # The coroutine hooks: see `hooks`. What a subclass calls by super() does the work, in either flavour.

    async def _connect_async(self) -> Self:
        if (twin := self._awaited()) is not None:
            await twin.connect()
        else:
            self._sync_line().connect()
        return self

    async def _reset_async(self, **options: Any) -> StepResult[ObsT]:
        return await EnvClient.reset(self, **options)

    async def _step_async(self, action: ActT, **options: Any) -> StepResult[ObsT]:
        return await EnvClient.step(self, action, **options)

    async def _state_async(self) -> StateT:
        state: Any = EnvClient.state(self)
        value: StateT = await state if inspect.iscoroutine(state) else state
        return value

    async def _disconnect_async(self) -> None:
        await EnvClient.disconnect(self)

    async def _close_async(self) -> None:
        line, self._aline = self._aline, None
        if line is not None:
            await line.close()
        self._sync_line().close()
        while self._siblings:
            await self._siblings.pop()._close_async()
        self._leave_family()
        await self._let_go_async()
        self._end_loop()

    def _by_hook(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Carry out a hook that a subclass overrides: at once, or as a coroutine if the client is asynchronous."""
        if self._awaited() is None:
            if name == "connect" and _in_event_loop():
                return EnvClient.connect(self)  # puts it off
            if self._loop_thread is None or not self._loop_thread.is_here:
                try:
                    return self._settled(self._carried_out(name, args, options))
                finally:
                    if name == "close":
                        self._end_loop()
        return self._carried_out(name, args, options)

    async def _carried_out(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if self._connects_first and name in ("reset", "step", "state"):
            await self._connect_async()
        return await getattr(self, f"_{name}_async")(*args, **options)

    async def _opened(self) -> AsyncEnvClient[ActT, ObsT, StateT]:
        face = self.aio()
        try:
            await self._connect_async()
        except BaseException:  # as in `_enter`
            await self._let_go_async()
            raise
        return face

    def _enter(self) -> None:
        """Connect for a block of `with`. One that is not entered is not left either, so its server goes at once."""
        self._check_sync()
        try:
            self._connect_now()
        except BaseException:  # whatever it was, nobody need come to close this client
            self._let_go()
            raise

    def _connect_now(self) -> None:
        if self._connects_first:
            self._settled(self._connect_async())
        else:
            self._sync_line().connect()

    def _settled(self, value: Any) -> Any:
        """Give the value itself, of a coroutine what it returns."""
        if not inspect.iscoroutine(value):
            return value
        if self._loop_thread is None:
            self._loop_thread = LoopThread()
            weakref.finalize(self, self._loop_thread.close)
        return self._loop_thread.run(value)

    def _end_loop(self) -> None:
        if self._loop_thread is not None and not self._loop_thread.is_here:
            thread, self._loop_thread = self._loop_thread, None
            thread.close()

    def _check_sync(self) -> None:
        if self._awaited() is not None:
            raise UsageError("this client is asynchronous since it was awaited; close it first, or make another")

    def _awaited(self) -> AsyncEnvClient[ActT, ObsT, StateT] | None:
        """The async face, if the client has become asynchronous and the loop it did so on still exists."""
        if self._aline is None:
            return None
        if self._aline.is_stranded:
            if self._aline.is_used:
                self._fate.disconnect("the event loop that held it has ended")
            self._aline = None
            return None
        return AsyncEnvClient(self)

    def _sync_line(self) -> Line:
        if self._line is None:
            self._line = Line(self._endpoint, self._fate)
        return self._line

    def _async_line(self) -> AsyncLine:
        self.aio()
        assert self._aline is not None  # aio() has made it
        return self._aline

    def _let_go(self) -> None:
        """Take away the server, if it is ours."""
        if self._on_close is not None:
            self._on_close()

    async def _let_go_async(self) -> None:
        if self._on_close is not None:
            await asyncio.to_thread(self._let_go)

    def _sibling(self) -> Self:
        sibling = copy.copy(self)
        sibling._begin()
        sibling._on_close, sibling._family = None, self._siblings
        self._siblings.append(sibling)
        return sibling

    def _forked(self, session: Session | AsyncSession) -> Self:
        sibling = self._sibling()
        if isinstance(session, Session):
            sibling._line = Line(self._endpoint, sibling._fate, session)
        else:
            sibling._aline = AsyncLine(self._endpoint, sibling._fate, session)
        return sibling

    def _can_fork(self, n: int) -> bool:
        if n < 0:
            raise ConfigurationError(f"fork({n}): ask for a number of sessions")
        return n > 0

    def _leave_family(self) -> None:
        """Be closed no more with the client that this one comes from."""
        with suppress(ValueError):
            self._family.remove(self)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
