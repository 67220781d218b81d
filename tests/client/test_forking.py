"""Snapshots and forks through the client, in both flavours, against a real server and a network that breaks."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from openenv.errors import (
    AtCapacity,
    BadSnapshot,
    ConfigurationError,
    EnvironmentFailed,
    NotSupported,
    SessionClosed,
    SessionLost,
    UnsupportedByServer,
)
from openenv.server import ServerConfig, create_app
from openenv.server.sessions import SessionTable
from tests.client.relay import relayed
from tests.client.scripted import polite, scripted
from tests.support.dice import Dice, DiceEnv, Roll, Rolled, ThreadedDice
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving

Ask = Callable[..., Any]
"""Calls a method of a client, whichever its flavour, by its name."""
KEY = "a key that only tests would use"


@contextmanager
def _sync(url: str, kind: type[Any] = DiceEnv, **settings: Any) -> Iterator[tuple[Any, Ask]]:
    with kind(url, **settings) as client:
        yield client, lambda of, name, *args, **options: getattr(of, name)(*args, **options)


@contextmanager
def _async(url: str, kind: type[Any] = DiceEnv, **settings: Any) -> Iterator[tuple[Any, Ask]]:
    async def call(of: Any, name: str, *args: Any, **options: Any) -> Any:
        return await getattr(of, name)(*args, **options)

    with asyncio.Runner() as runner:
        runner.get_loop()
        client = kind(url, **settings).aio()
        yield client, lambda of, name, *args, **options: runner.run(call(of, name, *args, **options))
        runner.run(call(client, "close"))


both = pytest.mark.parametrize("flavour", [_sync, _async], ids=["sync", "async"])
Flavour = Callable[..., AbstractContextManager[tuple[Any, Ask]]]


def app_of(environment: Any = Dice, **settings: Any) -> FastAPI:
    defaults: dict[str, Any] = {"max_sessions": 16, "queue_s": 0, "snapshot_key": KEY}
    config = ServerConfig(**(defaults | settings))
    return create_app(environment, Roll, Rolled, config=config)


@pytest.fixture(scope="module")
def dice() -> Iterator[str]:
    with serving(app_of()) as url:
        yield url


def future(ask: Ask, of: Any, length: int = 4) -> list[int]:
    return [ask(of, "step", Roll()).observation.value for _ in range(length)]


@both
def test_forks_go_on_alike_and_apart(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        ask(env, "reset", seed=3)
        future(ask, env)
        one, two = ask(env, "fork", 2)
        assert type(one) is type(env)
        assert future(ask, one) == future(ask, env) == future(ask, two)
        ask(one, "reset", seed=4)
        assert ask(two, "state").step_count == 8
        (deeper,) = ask(two, "fork", 1)
        assert future(ask, deeper) == future(ask, two) == future(ask, env)


@both
def test_a_snapshot_brings_back_a_state(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        ask(env, "reset", seed=3)
        saved = ask(env, "snapshot")
        assert isinstance(saved, bytes)
        told = future(ask, env)
        assert not ask(env, "restore", saved)
        assert future(ask, env) == told


@both
def test_a_snapshot_brings_back_an_episode_that_was_lost(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        ask(env, "reset", seed=3)
        saved = ask(env, "snapshot")
        told = future(ask, env)
        ask(env, "disconnect")
        with pytest.raises(SessionLost):
            ask(env, "step", Roll())
        for name, *arguments in (("snapshot",), ("fork", 2)):
            with pytest.raises(SessionLost):
                ask(env, name, *arguments)
        ask(env, "restore", saved)
        assert future(ask, env) == told


@both
def test_a_client_that_asked_nothing_yet_can_be_forked_and_restored(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        (fork,) = ask(env, "fork", 1)
        assert future(ask, fork) == future(ask, env)


@both
def test_forks_are_closed_with_their_parent_or_by_themselves(flavour: Flavour) -> None:
    app = app_of()
    table: SessionTable = app.state.openenv
    with serving(app) as url:
        with flavour(url) as (env, ask):
            forks = ask(env, "fork", 5)
            (grandchild,) = ask(forks[0], "fork", 1)
            ask(forks[1], "close")
            ask(forks[0], "close")
            assert table.active == 4  # the server has answered
            for closed in (forks[0], forks[1], grandchild):
                with pytest.raises(SessionClosed):
                    ask(closed, "step", Roll())
            future(ask, forks[2])
            client: Any = getattr(env, "_client", env)
            assert len(client._siblings) == 3
        with pytest.raises(SessionClosed):
            forks[2].step(Roll()) if flavour is _sync else asyncio.run(forks[2].step(Roll()))


@both
def test_a_parent_s_loss_of_its_own_session_spares_its_forks(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        (fork,) = ask(env, "fork", 1)
        ask(env, "disconnect")
        future(ask, fork)
        ask(env, "reset")
        future(ask, env)


@both
def test_no_forks_and_fewer_than_none(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        assert ask(env, "fork", 0) == []
        with pytest.raises(ConfigurationError, match=r"fork\(-1\)"):
            ask(env, "fork", -1)


@both
def test_a_fork_beyond_the_limit_begins_nothing_and_spares_its_source(flavour: Flavour) -> None:
    app = app_of(max_sessions=4)
    table: SessionTable = app.state.openenv
    with serving(app) as url, flavour(url) as (env, ask):
        ask(env, "reset", seed=1)
        with pytest.raises(AtCapacity):
            ask(env, "fork", 4)
        assert len(ask(env, "fork", 3)) == 3  # after whatever had begun was closed again
        assert table.active == 4
        future(ask, env)


@both
@pytest.mark.parametrize("mood", ["locked", "raise"])
def test_what_cannot_be_saved_says_so_and_goes_on(dice: str, flavour: Flavour, mood: str) -> None:
    with flavour(dice) as (env, ask):
        ask(env, "step", Roll(mood=mood))
        expected = NotSupported if mood == "locked" else EnvironmentFailed
        for name, *arguments in (("snapshot",), ("fork", 2)):
            with pytest.raises(expected):
                ask(env, name, *arguments)
        future(ask, env)


@both
def test_a_class_without_snapshots_says_so_and_goes_on(flavour: Flavour) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation)
    with serving(app) as url, flavour(url, EchoEnv) as (env, ask):
        with pytest.raises(UnsupportedByServer, match="SNAPSHOT_BY_PICKLE"):  # the same as of an older server
            ask(env, "fork", 2)
        ask(env, "step", EchoAction(message="Hi"))


@both
def test_foreign_bytes_are_refused_and_a_restore_by_half_is_a_loss(dice: str, flavour: Flavour) -> None:
    with flavour(dice) as (env, ask):
        with pytest.raises(BadSnapshot):
            ask(env, "restore", b"bytes")
        future(ask, env)
        ask(env, "step", Roll(mood="break"))
        saved = ask(env, "snapshot")
        with pytest.raises(EnvironmentFailed, match="half way"):
            ask(env, "restore", saved)
        with pytest.raises(SessionLost):
            ask(env, "step", Roll())
        ask(env, "reset")
        future(ask, env)


@both
def test_a_server_of_dialect_1_is_not_asked(flavour: Flavour) -> None:
    with scripted(polite) as url, flavour(url) as (env, ask):
        for name, *arguments in (("snapshot",), ("restore", b""), ("fork", 2)):
            with pytest.raises(UnsupportedByServer, match="dialect 1"):
                ask(env, name, *arguments)


@both
@pytest.mark.parametrize("after", [1, 40, 200, 400, 900])
def test_a_network_that_breaks_makes_no_fork_twice(flavour: Flavour, after: int) -> None:
    app = app_of(ThreadedDice, max_sessions=64)
    table: SessionTable = app.state.openenv
    with serving(app) as url, relayed(url) as relay, flavour(relay.url) as (env, ask):
        ask(env, "reset", seed=2)
        forks = []
        for _ in range(4):
            relay.cut_after(after)
            forks += ask(env, "fork", 3)
            future(ask, env, 1)
        assert table.active == 13
        assert [ask(fork, "state").step_count for fork in forks] == [index // 3 for index in range(12)]
        assert relay.connections > 1


@both
def test_a_fork_that_is_given_up_leaves_nothing(flavour: Flavour) -> None:
    ThreadedDice.gate.clear()
    ThreadedDice.entered.clear()
    app = app_of(ThreadedDice)
    table: SessionTable = app.state.openenv
    with serving(app) as url, flavour(url, message_timeout_s=0.3) as (env, ask):
        ask(env, "step", Roll(mood="wait"))
        with pytest.raises(TimeoutError):
            ask(env, "fork", 2)
        assert ThreadedDice.entered.wait(5)
        ThreadedDice.gate.set()
        future(ask, env)
        ask(env, "step", Roll(mood=""))
        ask(env, "fork", 1)
        for _ in range(200):
            if table.active == 2:
                break
            ask(env, "state")
        assert table.active == 2


def test_forks_may_be_used_from_several_tasks_at_once(dice: str) -> None:
    async def play() -> list[list[int]]:
        async with DiceEnv(dice) as env:
            await env.reset(seed=5)
            forks = await env.fork(6)
            return await asyncio.gather(*(trajectory(fork) for fork in forks))

    async def trajectory(env: Any) -> list[int]:
        return [(await env.step(Roll())).observation.value for _ in range(20)]

    first, *others = asyncio.run(play())
    assert all(other == first for other in others)
