"""`EnvClient`: synchronous until it is awaited.

The one rule: calls on a plain client block and return the value itself, with or without a running event loop.
`async with`, `await client.connect()` and `.aio()` make it asynchronous, and from then on its methods are coroutines.
Awaiting a value that is there already gives the value.
"""

import asyncio
import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from openenv.client.aio import AsyncEnvClient
from openenv.client.base import ActT, ClientBase, ObsT, StateT
from openenv.client.conversation import Fate, check_restored, payload_of, snapshot_of, state_of
from openenv.client.line import Line, Session
from openenv.client.line_aio import AsyncLine, AsyncSession
from openenv.client.vector import EnvVector
from openenv.client.vector_roster import Autoreset
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


class EnvClient(ClientBase[ActT, ObsT, StateT]):
    """Drives one environment on a server.

    Subclass it with the environment's types, and it is complete::

        class EchoEnv(EnvClient[EchoAction, EchoObservation, State]): ...

    Any thread may use it; calls are carried out one after another. A session that is lost, because the server went away
    or a call ran past its `timeout_s`, is an error at the next `step`, and `reset` begins a new one.

    See `ClientBase` for the arguments.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fate = Fate()
        self._line: Line | None = None
        self._aline: AsyncLine | None = None
        self._siblings: list[Self] = []
        self._family: list[Any] = []  # the siblings of the client that this one comes from
        self._on_close: Callable[[], object] | None = None

    @classmethod
    def from_docker_image(cls, image: str, **options: Any) -> Self:
        """Start a container of `image`, wait until it is healthy, and connect to it; `close()` removes it.

        Args:
            image: Such as `my_env-env:latest`.
            options: Those of the client, such as `message_timeout_s`, and those of the container: see
                `openenv.runtimes.docker.DockerRuntime`.

        Raises:
            NotInstalled: There is no Docker engine.
            StartFailed, NotReady: The container died, or was not healthy in time; with its last log lines.
        """
        made: Self = _launcher().from_docker_image(cls, image, **options)
        return made

    @classmethod
    def from_env(cls, repo_id: str, *, use_docker: bool = True, **options: Any) -> Self:
        """Run a Hugging Face Space on this machine and connect to it; `close()` takes it away.

        Args:
            repo_id: `owner/name` of the Space.
            use_docker: Run the Space's image; else its repository, by uv.
            options: As of `from_docker_image`, and `tag` of the image; for uv those of
                `openenv.runtimes.uv.UvRuntime`.

        Raises:
            RuntimeFailed: It did not start.
        """
        made: Self = _launcher().from_env(cls, repo_id, use_docker=use_docker, **options)
        return made

    @classmethod
    def pool(cls, servers: Any, **options: Any) -> Any:
        """Make an `openenv.pool.EnvPool` of sessions of this class: `EchoEnv.pool(urls, size=16)`.

        Args:
            servers: URLs and runtimes, or one of them.
            options: Those of `EnvPool`, and those of the client.
        """
        return import_module("openenv.pool").EnvPool(servers, client=cls, **options)  # of a higher rank, as below

    @classmethod
    def vector(
        cls,
        servers: str | Sequence[str],
        num_envs: int,
        *,
        autoreset: Autoreset = "next_step",
        arrays: bool | None = None,
        **options: Any,
    ) -> EnvVector[ActT, ObsT, StateT]:
        """Make a vector of environments, which are stepped together: `EchoEnv.vector(url, 256)`.

        Args:
            servers: Where they are; over several, environments are spread evenly.
            num_envs: How many environments.
            autoreset: What follows an episode that has ended. `next_step`: the next step resets and ignores its action.
                `same_step`: the reset is done at once; the result has the new observation, and the old one in `final`.
                `off`: nothing.
            arrays: Whether NumPy's arrays travel as they are, to servers that can; by default, if the action or the
                observation class has fields for them.
            options: Those of the client.

        Raises:
            ConfigurationError: An argument has a value it cannot have.
        """
        urls = [servers] if isinstance(servers, str) else servers
        return EnvVector([cls(url, **options) for url in urls], num_envs, autoreset=autoreset, arrays=arrays)

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
        return DONE

    def new_session(self) -> Self:
        """Open another session on the same server; closed with this one."""
        if twin := self._awaited():
            return twin.new_session()  # type: ignore[return-value]  # as above
        return self._sibling().connect()

    def sync(self) -> Self:
        """Say that this client is synchronous, which it is anyhow until it is awaited."""
        if self._awaited() is not None:
            raise UsageError("this client is asynchronous since it was awaited; close it first, or make another")
        return self

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
        return AsyncEnvClient(self)

    def __enter__(self) -> Self:
        self.sync()._sync_line().connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> AsyncEnvClient[ActT, ObsT, StateT]:
        return await self.aio().connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close_async()

    def __await__(self) -> Generator[Any, None, AsyncEnvClient[ActT, ObsT, StateT]]:
        return self.aio().connect().__await__()

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

    async def _close_async(self) -> None:
        line, self._aline = self._aline, None
        if line is not None:
            await line.close()
        self._sync_line().close()
        while self._siblings:
            await self._siblings.pop()._close_async()
        self._leave_family()
        if self._on_close is not None:
            await asyncio.to_thread(self._let_go)

    def _let_go(self) -> None:
        """Take away the server, if it is ours."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def _sibling(self) -> Self:
        sibling = copy.copy(self)
        sibling._fate, sibling._line, sibling._aline, sibling._siblings = Fate(), None, None, []
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


def _launcher() -> Any:
    """The module that joins clients to runtimes. It is of a higher rank: asked for by name, and only when needed."""
    return import_module("openenv.launch")


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
