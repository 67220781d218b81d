"""What goes wrong between a checkout and the servers: dead, dying, restarted, slow, full and confused ones."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openenv import create_app
from openenv.errors import (
    EnvironmentFailed,
    FactoryFailed,
    PoolExhausted,
    Refused,
    ReplyTimeout,
    StepTimedOut,
    TransportError,
)
from openenv.pool import Standing
from tests.client.served import served
from tests.pool.stage import Pool, dead_url, echoing, pool_of, say
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


def play_sync(pool: Pool, timeout_s: float | None = 10) -> str:
    with pool.session(timeout_s) as env:
        env.reset()
        env.step(say("x"))
        return env.base_url


def play_async(pool: Pool, timeout_s: float | None = 10) -> str:
    async def main() -> str:
        async with pool.session(timeout_s) as env:
            await env.reset()
            await env.step(say("x"))
            return env.base_url

    return asyncio.run(main())


both = pytest.mark.parametrize("play", [play_sync, play_async], ids=["sync", "async"])
Play = Callable[..., str]


@both
def test_one_of_three_servers_dead_at_the_start_is_passed_over(play: Play) -> None:
    dead = dead_url()
    with echoing() as one, echoing() as two, pool_of(dead, one, two) as pool:
        assert {play(pool) for _ in range(4)} <= {one, two}
        server = pool.stats().servers[0]
        assert (server.standing, server.out, server.idle) == (Standing.OUT, 0, 0)
        assert server.failures >= 1
        assert "cannot connect" in server.last_error


@both
def test_with_all_dead_a_checkout_ends_at_its_limit_and_tells_of_each(play: Play) -> None:
    one, two = dead_url(), dead_url()
    with pool_of(one, two) as pool, pytest.raises(PoolExhausted) as raised:
        play(pool, 0.2)
    assert str(raised.value).count("out, 0 out, 0 idle; last error: cannot connect to") == 2


@both
def test_with_all_dead_a_checkout_without_a_limit_ends_with_the_outage(play: Play) -> None:
    with pool_of(dead_url(), outage_timeout_s=0.2) as pool, pytest.raises(PoolExhausted, match="cannot connect"):
        play(pool, None)


@both
def test_a_server_that_comes_back_on_its_port_is_used_again(play: Play) -> None:
    with served() as (url, process), pool_of(url) as pool:
        play(pool)
        process.kill()
        process.wait()
        with pytest.raises(PoolExhausted):
            play(pool, 0.1)
        with served(int(url.rpartition(":")[2])):
            assert play(pool) == url
            assert pool.stats().servers[0].standing is Standing.UP


@both
def test_a_server_restarted_while_its_session_was_idle_gets_a_new_one(play: Play) -> None:
    with served() as (url, process), pool_of(url) as pool:
        play(pool)
        process.kill()
        process.wait()
        with served(int(url.rpartition(":")[2])):
            assert play(pool) == url
            assert pool.stats().servers[0].failures == 0


@both
def test_a_server_killed_while_idle_is_replaced_by_the_others(play: Play) -> None:
    with served() as (url, process), echoing() as other, pool_of(url, other) as pool:
        assert play(pool) == url
        process.kill()
        process.wait()
        assert [play(pool) for _ in range(3)] == [other] * 3


def test_a_server_killed_during_a_rollout_is_a_loss_in_that_rollout_alone() -> None:
    with served() as (url, process), echoing() as other, pool_of(url, other, size=2, message_timeout_s=0.5) as pool:
        with pool.session() as env:
            env.reset()
            assert env.base_url == url
            process.kill()
            process.wait()
            with pytest.raises(TransportError):
                env.step(say("x"))
            with pytest.raises(TransportError):  # and never a new episode in silence
                env.step(say("x"))
        assert (pool.stats().out, pool.stats().idle) == (0, 0)
        assert pool.stats().servers[0].failures == 1
        assert [play_sync(pool) for _ in range(3)] == [other] * 3


def test_a_server_killed_during_an_async_rollout_is_a_loss_too() -> None:
    async def main(pool: Pool, kill: Callable[[], object]) -> None:
        async with pool.session() as env:
            await env.reset()
            kill()
            with pytest.raises(TransportError):
                await env.step(say("x"))
        assert (pool.stats().out, pool.stats().idle) == (0, 0)
        async with pool.session() as env:
            await env.reset()

    with served() as (url, process), echoing() as other, pool_of(url, other, size=2, message_timeout_s=0.5) as pool:
        asyncio.run(main(pool, process.kill))


def test_a_session_that_was_lost_is_thrown_away_even_if_it_was_reset_since() -> None:
    with served() as (url, process), pool_of(url) as pool:
        with pool.session() as env:
            env.reset()
            with pytest.raises(StepTimedOut):
                env.step(say("sleep 0.5"), timeout_s=0.05)
            env.reset()
            assert env.step(say("x")).observation.echoed_message == "x"
        assert pool.stats().idle == 0
        assert process.poll() is None


def test_a_fault_of_the_environment_leaves_the_session_in_the_pool() -> None:
    with echoing() as url, pool_of(url) as pool:
        with pool.session() as env:
            env.reset()
            with pytest.raises(EnvironmentFailed):
                env.step(say("raise"))
        assert pool.stats().idle == 1


def test_cancelling_a_rollout_throws_its_session_away() -> None:
    async def rollout(pool: Pool, begun: asyncio.Event) -> None:
        async with pool.session() as env:
            await env.reset()
            begun.set()
            await env.step(say("sleep 0.5"))

    async def main(url: str) -> None:
        async with pool_of(url, size=1) as pool:
            begun = asyncio.Event()
            playing = asyncio.create_task(rollout(pool, begun))
            await begun.wait()
            playing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await playing
            assert (pool.stats().out, pool.stats().idle) == (0, 0)
            async with pool.session() as env:
                assert (await env.reset()).observation.echoed_message == "ready"

    with echoing() as url:
        asyncio.run(main(url))


@both
def test_a_full_server_is_filled_no_further_and_others_take_over(play: Play) -> None:
    with echoing(max_sessions=1, queue_s=0) as small, echoing() as large, pool_of(small, large, size=4) as pool:
        held = [pool.session() for _ in range(4)]
        for checkout in held:
            checkout.__enter__()
        assert [(server.out, server.bears) for server in pool.stats().servers] == [(1, 1), (3, None)]
        for checkout in held:
            checkout.__exit__(None, None, None)
        assert play(pool) in (small, large)


@both
def test_a_server_that_others_have_filled_is_a_full_one(play: Play) -> None:
    with echoing(max_sessions=1, queue_s=0) as url, EchoEnv(url) as other, pool_of(url) as pool:
        other.reset()
        with pytest.raises(PoolExhausted, match=r"bears 0; last error: .*capacity"):
            play(pool, 0.1)


@both
def test_a_server_that_lets_newcomers_queue_is_left_at_the_limit_of_opening(play: Play) -> None:
    with echoing(max_sessions=1) as small, echoing() as large, EchoEnv(small) as other:
        other.reset()
        with pool_of(small, large, open_timeout_s=0.2) as pool:
            assert play(pool) == large
            assert "no reply to getstate within" in pool.stats().servers[0].last_error


@both
def test_a_server_that_hangs_is_left_at_the_limit_of_opening(play: Play) -> None:
    with served() as (url, process), echoing() as other:
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with pool_of(url, other, open_timeout_s=0.2) as pool:
                assert play(pool) == other
        finally:
            os.kill(process.pid, signal.SIGCONT)


def test_a_slow_opening_holds_up_nobody_else() -> None:
    """While one checkout waits for a server that hangs, others are served."""
    with served() as (url, process), echoing() as other:
        os.kill(process.pid, signal.SIGSTOP)
        try:
            with pool_of(url, other, size=3, open_timeout_s=1) as pool, ThreadPoolExecutor(1) as threads:
                slow = threads.submit(play_sync, pool)
                while pool.stats().servers[0].out == 0:
                    threading.Event().wait(0.005)
                assert play_sync(pool) == other
                assert not slow.done()
        finally:
            os.kill(process.pid, signal.SIGCONT)


@both
def test_a_token_that_no_server_takes_is_told_at_once(play: Play) -> None:
    with echoing(token="secret") as url:
        with pool_of(url, outage_timeout_s=9) as pool, pytest.raises(Refused):
            play(pool, None)
        with pool_of(url, headers={"Authorization": "Bearer secret"}) as pool:
            assert play(pool) == url


@both
def test_an_environment_that_cannot_be_built_is_told_at_once(play: Play) -> None:
    class Broken(EchoEnvironment):
        def __init__(self) -> None:
            raise ValueError("no engine")

    with serving(create_app(Broken, EchoAction, EchoObservation)) as url:
        with pool_of(url, outage_timeout_s=9) as pool, pytest.raises(FactoryFailed, match="no engine"):
            play(pool, None)
        with echoing() as sound, pool_of(url, sound) as pool:
            assert play(pool) == sound


@both
def test_an_environment_without_a_state_before_reset_is_let_in(play: Play) -> None:
    class Stateless(EchoEnvironment):
        @property
        def state(self) -> Any:
            raise ValueError("call reset first")

    with serving(create_app(Stateless, EchoAction, EchoObservation)) as url, pool_of(url) as pool:
        assert play(pool) == url


@both
def test_an_exception_of_a_client_factory_is_raised_and_its_place_is_free_again(play: Play) -> None:
    def make(url: str) -> EchoEnv:
        raise ZeroDivisionError

    with Pool(["http://127.0.0.1:1"], client=make) as pool:
        with pytest.raises(ZeroDivisionError):
            play(pool)
        assert pool.stats().out == 0


def test_a_call_that_another_thread_still_makes_is_waited_for_and_its_session_closed() -> None:
    with echoing() as url, pool_of(url, message_timeout_s=5) as pool, ThreadPoolExecutor(1) as threads:
        with pool.session() as env:
            env.reset()
            stepping = threads.submit(env.step, say("sleep 0.2"))
            while env._lease._calls == 0:
                threading.Event().wait(0.005)
        assert stepping.result().observation.echoed_message == "sleep 0.2"
        assert (pool.stats().out, pool.stats().idle) == (0, 0)


def test_a_reply_that_never_came_is_nobody_elses() -> None:
    with echoing() as url, pool_of(url, size=1, message_timeout_s=0.1) as pool:
        with pool.session() as env:
            env.reset()
            with pytest.raises(ReplyTimeout):
                env.step(say("sleep 0.3"))
        assert pool.stats().idle == 0
        with pool.session() as env:
            env.reset()
            assert env.step(say("mine")).observation.echoed_message == "mine"
