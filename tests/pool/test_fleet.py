"""Runtimes of a pool: started, mended, given up and stopped."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from openenv.errors import EngineFailed, PoolExhausted, SessionLost
from openenv.pool import Standing, mending
from openenv.runtimes import RuntimeState
from tests.pool.stage import Killable, Pool, echoing, pool_of, say


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_FIRST_PAUSE_S", 0.01)


def play(pool: Pool) -> str:
    with pool.session() as env:
        env.reset()
        env.step(say("x"))
        return env.base_url


def test_a_runtime_is_started_for_the_first_session_and_stopped_with_the_pool() -> None:
    runtime = Killable()
    with pool_of(runtime) as pool:
        assert runtime.starts == 0
        assert pool.stats().servers[0].server == "the killable runtime"
        assert play(pool) == runtime.url == pool.stats().servers[0].server
    assert runtime.state is RuntimeState.STOPPED


def test_async_checkouts_wait_for_a_runtime_too() -> None:
    async def main() -> None:
        async with pool_of(runtime) as pool, pool.session() as env:
            await env.reset()

    runtime = Killable()
    asyncio.run(main())
    assert runtime.state is RuntimeState.STOPPED


def test_urls_and_runtimes_can_be_mixed() -> None:
    with echoing() as url, pool_of(url, Killable(), size=2) as pool:
        assert play(pool) == url  # which is there before the other has started
        with pool.session(), pool.session():
            assert pool.stats().out == 2


def test_a_server_that_died_is_started_again() -> None:
    runtime = Killable()
    with pool_of(runtime) as pool:
        with pool.session() as env:
            env.reset()
            runtime.kill()
            with pytest.raises(SessionLost, match="is lost"):
                env.step(say("x"))
        assert play(pool) == runtime.url
        assert runtime.starts == 2


def test_a_server_that_died_while_idle_is_started_again() -> None:
    runtime = Killable()
    with pool_of(runtime) as pool:
        play(pool)
        runtime.kill()
        assert play(pool) == runtime.url
        assert runtime.starts == 2


def test_a_start_that_fails_is_tried_again() -> None:
    runtime = Killable(failing=2)
    with pool_of(runtime) as pool:
        play(pool)
    assert runtime.starts == 3


def test_a_runtime_that_cannot_start_is_given_up_with_its_last_words() -> None:
    runtime = Killable(failing=99)
    with pool_of(runtime) as pool:
        for _ in range(2):
            with pytest.raises(PoolExhausted, match="no session will ever come") as raised:
                play(pool)
        assert "given up after 4 starts: it will not start\n\nits last words" in str(raised.value)
        assert pool.stats().servers[0].standing is Standing.GONE
    assert runtime.starts == mending.ATTEMPTS


def test_a_runtime_that_cannot_start_leaves_the_others_their_work() -> None:
    with echoing() as url, pool_of(Killable(failing=99), url) as pool:
        assert play(pool) == url


def test_a_server_that_dies_in_every_rollout_is_given_up() -> None:
    runtime = Killable()
    with pool_of(runtime) as pool:
        for _ in range(mending.ATTEMPTS):
            with pool.session() as env:
                env.reset()
                runtime.kill()
                with pytest.raises(SessionLost):
                    env.step(say("x"))
        with pytest.raises(PoolExhausted, match=r"given up after 4 starts: its server died: it exited with code -9"):
            play(pool)


def test_close_ends_a_start_that_is_under_way() -> None:
    runtime = Killable(failing=99)
    pool = pool_of(runtime)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(play, pool)
        while runtime.starts == 0:
            threading.Event().wait(0.005)
        pool.close()
        with pytest.raises(Exception, match=r"the pool was closed|will ever come"):
            waiting.result()
    assert runtime.state is not RuntimeState.RUNNING


def test_a_runtime_that_cannot_be_stopped_is_told_after_the_others_are() -> None:
    class Sticky(Killable):
        stuck = True

        def _remove(self) -> None:
            super()._remove()
            if self.stuck:
                raise EngineFailed("it sticks")

    sticky, sound = Sticky(), Killable()
    pool = pool_of(sticky, sound, size=2)
    with pool.session(), pool.session():
        while pool.stats().servers[0].standing is not pool.stats().servers[1].standing:
            threading.Event().wait(0.005)
    with pytest.raises(EngineFailed, match="it sticks"):
        pool.close()
    assert sound.state is RuntimeState.STOPPED
    sticky.stuck = False
    pool.close()
    assert sticky.state is RuntimeState.STOPPED
