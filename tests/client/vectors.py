"""What tests of vectors share: an environment with episodes, servers of both dialects, and both flavours as one."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from openenv import create_app
from openenv.client.vector import EnvVector
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.older import dialect1_only
from tests.support.serving import serving


class Countdown(EchoEnvironment):
    """Echoes `SEED/COUNT`, and ends after `length` steps. `raise` raises, `wait` waits for `gate`."""

    BLOCKING = True
    gate = threading.Event()
    entered = threading.Event()

    def __init__(self) -> None:
        super().__init__()
        self._seed: int | None = None
        self._left = 0

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, length: int = 1000, **options: Any
    ) -> EchoObservation:
        super().reset()
        self._seed, self._left = seed, length
        return EchoObservation(echoed_message=f"{seed}/0", reward=0.0)

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        if action.message == "raise":
            raise ValueError("asked to")
        if action.message == "wait":
            self.entered.set()
            self.gate.wait(10)
        self._state.step_count += 1
        self._left -= 1
        said = f"{self._seed}/{self._state.step_count}"
        return EchoObservation(echoed_message=said, reward=1.0, done=self._left <= 0)


def says(*messages: str) -> list[EchoAction]:
    return [EchoAction(message=message) for message in messages]


class Vector:
    """Calls like an `EnvVector`'s, whichever flavour answers them."""

    def __init__(self, call: Callable[..., Any], vector: Any) -> None:
        self._call = call
        self.itself = vector

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: self._call(name, *args, **options)


@contextmanager
def sync_vector(vector: EnvVector[Any, Any, Any]) -> Iterator[Vector]:
    yield Vector(lambda name, *args, **options: getattr(vector, name)(*args, **options), vector)
    vector.close()


@contextmanager
def async_vector(vector: EnvVector[Any, Any, Any]) -> Iterator[Vector]:
    with asyncio.Runner() as runner:
        runner.get_loop()

        async def twin_of() -> Any:
            return vector.aio()

        twin = runner.run(twin_of())

        async def call(name: str, *args: Any, **options: Any) -> Any:
            return await getattr(twin, name)(*args, **options)

        yield Vector(lambda name, *args, **options: runner.run(call(name, *args, **options)), twin)
        runner.run(twin.close())


both_flavours = pytest.mark.parametrize("flavour", [sync_vector, async_vector], ids=["sync", "async"])
both_dialects = pytest.mark.parametrize("dialect", [2, 1])


class Stage:
    """Servers and vectors that end with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def serve(self, dialect: int = 2, *, room: int = 64, environment: Any = Countdown, **options: Any) -> str:
        app: Any = create_app(environment, EchoAction, EchoObservation, max_concurrent_envs=room, **options)
        return self._stack.enter_context(serving(app if dialect == 2 else dialect1_only(app)))

    def vector(self, flavour: Any, urls: Any, num_envs: int, **options: Any) -> Vector:
        made: Vector = self._stack.enter_context(flavour(EchoEnv.vector(urls, num_envs, **options)))
        return made


@contextmanager
def staged() -> Iterator[Stage]:
    Countdown.gate.clear()
    Countdown.entered.clear()
    with ExitStack() as stack:
        yield Stage(stack)
        Countdown.gate.set()
