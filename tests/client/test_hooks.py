"""Subclasses that override the client's methods, or the coroutines behind them, in either flavour."""

import asyncio
from collections.abc import Iterator
from typing import Any, Self

import pytest

from openenv import AsyncEnvClient, create_app
from openenv.client import EnvClient
from openenv.types import State, StepResult
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        yield url


class Hooked(EchoEnv):
    """Overrides the coroutines, and awaits something of its own in each."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.calls: list[str] = []

    async def _connect_async(self) -> Self:
        await self._note("connect")
        return await super()._connect_async()

    async def _reset_async(self, **options: Any) -> StepResult[EchoObservation]:
        await self._note("reset")
        return await super()._reset_async(**{"episode_id": "hooked", **options})

    async def _step_async(self, action: EchoAction, **options: Any) -> StepResult[EchoObservation]:
        await self._note("step")
        return await super()._step_async(EchoAction(message=action.message.upper()), **options)

    async def _state_async(self) -> State:
        await self._note("state")
        return await super()._state_async()

    async def _disconnect_async(self) -> None:
        await self._note("disconnect")
        await super()._disconnect_async()

    async def _close_async(self) -> None:
        await self._note("close")
        await super()._close_async()

    async def _note(self, name: str) -> None:
        await asyncio.sleep(0)
        self.calls.append(name)


CALLS = ["connect", "connect", "reset", "connect", "step", "connect", "state", "disconnect", "close"]
"""What `_connect_async` does not need to do, it does not do."""


def play(env: Any) -> None:
    with env:
        assert env.reset().observation.echoed_message == "ready"
        assert env.step(EchoAction(message="hi")).observation.echoed_message == "HI"
        assert env.state().episode_id == "hooked"
        env.disconnect()


async def async_play(env: Any) -> None:
    async with env as face:
        assert (await face.reset()).observation.echoed_message == "ready"
        assert (await face.step(EchoAction(message="hi"))).observation.echoed_message == "HI"
        assert (await face.state()).episode_id == "hooked"
        await face.disconnect()


def test_hooks_are_gone_through_synchronously(url: str) -> None:
    env = Hooked(url)
    play(env)
    assert env.calls == CALLS
    explicit = Hooked(url)
    play(explicit.sync())
    assert explicit.calls == CALLS


def test_hooks_are_gone_through_where_an_event_loop_runs(url: str) -> None:
    async def in_a_loop() -> None:
        env = Hooked(url)
        play(env)
        assert env.calls == CALLS

    asyncio.run(in_a_loop())


def test_hooks_are_gone_through_asynchronously(url: str) -> None:
    env = Hooked(url)
    asyncio.run(async_play(env))
    assert env.calls == CALLS

    async def awaited() -> list[str]:
        env = Hooked(url)
        face = await env.connect()
        assert isinstance(face, AsyncEnvClient)
        await env.step(EchoAction(message="x"))  # on the client itself, which is asynchronous now
        await env.close()
        return env.calls

    assert asyncio.run(awaited()) == ["connect", "connect", "step", "close"]


def test_a_hook_that_calls_a_public_method_does_not_wait_for_itself(url: str) -> None:
    class Restarting(EchoEnv):
        async def _step_async(self, action: EchoAction, **options: Any) -> StepResult[EchoObservation]:
            await self.reset(episode_id="again")
            return await super()._step_async(action, **options)

        async def _reset_async(self, **options: Any) -> StepResult[EchoObservation]:
            return await super()._reset_async(**options)

    with Restarting(url) as env:
        env.step(EchoAction(message="x"))
        assert env.state().episode_id == "again"


def test_what_a_hook_raises_reaches_the_caller(url: str) -> None:
    class Failing(EchoEnv):
        async def _reset_async(self, **options: Any) -> StepResult[EchoObservation]:
            await asyncio.sleep(0)
            raise LookupError("the hook says no")

    async def asynchronously() -> None:
        async with Failing(url) as env:
            with pytest.raises(LookupError, match="the hook says no"):
                await env.reset()

    with Failing(url) as env, pytest.raises(LookupError, match="the hook says no"):
        env.reset()
    asyncio.run(asynchronously())


def test_a_client_with_hooks_that_is_dropped_leaves_no_thread(url: str) -> None:
    Hooked(url).reset()  # what is left behind is looked for after each test


class SyncMethods(EchoEnv):
    def connect(self) -> Self:
        self.log = ["connect"]
        return super().connect()

    def reset(self, **options: Any) -> StepResult[EchoObservation]:
        return super().reset(**{"episode_id": "hooked", **options})

    def step(self, action: EchoAction, **options: Any) -> StepResult[EchoObservation]:
        return super().step(EchoAction(message=action.message.upper()), **options)


class AsyncMethods(EchoEnv):
    async def connect(self) -> Self:  # type: ignore[override]
        self.log = ["connect"]
        await super().connect()
        return self

    async def reset(self, **options: Any) -> StepResult[EchoObservation]:  # type: ignore[override]
        return await super().reset(**{"episode_id": "hooked", **options})

    async def step(self, action: EchoAction, **options: Any) -> StepResult[EchoObservation]:  # type: ignore[override]
        return await super().step(EchoAction(message=action.message.upper()), **options)


@pytest.mark.parametrize("kind", [SyncMethods, AsyncMethods])
def test_overridden_methods_are_those_of_every_face(url: str, kind: type[EchoEnv]) -> None:
    play(kind(url).sync())
    asyncio.run(async_play(kind(url)))

    async def by_connect() -> Any:
        env = kind(url)
        await async_play(await env.connect())
        return env

    assert asyncio.run(by_connect()).log == ["connect"]


def test_sync_methods_are_those_of_a_plain_client(url: str) -> None:
    play(SyncMethods(url))


def test_a_client_that_overrides_neither_has_the_methods_themselves() -> None:
    assert EchoEnv.step is EnvClient.step
    assert EchoEnv._face is AsyncEnvClient
