"""One body for both flavours: an async client that is driven like a sync one."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from openenv import StepResult
from openenv.types import State
from tests.support.echo import EchoAction, EchoEnv, EchoObservation


class Driver:
    """Calls like a plain client's, whichever flavour answers them."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def connect(self) -> None:
        self._call("connect")

    def reset(self, **options: Any) -> StepResult[EchoObservation]:
        result: StepResult[EchoObservation] = self._call("reset", **options)
        return result

    def step(self, message: str, **options: Any) -> StepResult[EchoObservation]:
        result: StepResult[EchoObservation] = self._call("step", EchoAction(message=message), **options)
        return result

    def state(self) -> State:
        state: State = self._call("state")
        return state

    def disconnect(self) -> None:
        self._call("disconnect")

    def close(self) -> None:
        self._call("close")

    def echo(self, message: str) -> str:
        return self.step(message).observation.echoed_message


Flavour = Callable[..., AbstractContextManager[Driver]]


@contextmanager
def sync_flavour(url: str, **settings: Any) -> Iterator[Driver]:
    client = EchoEnv(url, **settings)
    yield Driver(lambda name, *args, **options: getattr(client, name)(*args, **options))
    client.close()


@contextmanager
def async_flavour(url: str, **settings: Any) -> Iterator[Driver]:
    with asyncio.Runner() as runner:
        runner.get_loop()
        twin = EchoEnv(url, **settings).aio()

        async def call(name: str, *args: Any, **options: Any) -> Any:
            return await getattr(twin, name)(*args, **options)

        yield Driver(lambda name, *args, **options: runner.run(call(name, *args, **options)))
        runner.run(twin.close())


both_flavours = pytest.mark.parametrize("flavour", [sync_flavour, async_flavour], ids=["sync", "async"])
