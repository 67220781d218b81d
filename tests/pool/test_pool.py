"""A pool as rollout code uses it, on real servers; `test_faults` has what goes wrong with them."""

import asyncio
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openenv import EnvClient
from openenv.errors import ConfigurationError, NotReset, PoolClosed, PoolExhausted, SessionClosed, UsageError
from openenv.pool import AsyncPooledEnv, PooledEnv, Standing
from openenv.types import State
from tests.pool.stage import Killable, Pool, dead_url, echoing, pool_of, say
from tests.support.echo import EchoAction, EchoEnv, EchoObservation, ThreadedEcho


@pytest.fixture
def url() -> Iterator[str]:
    with echoing() as url:
        yield url


@pytest.fixture(name="pool")
def pool_on_a_server(url: str) -> Iterator[Pool]:
    with pool_of(url, size=4) as pool:
        yield pool


def play(env: PooledEnv[EchoAction, EchoObservation, State]) -> list[str]:
    env.reset()
    return [env.step(say(word)).observation.echoed_message for word in ("a", "b")]


def test_a_session_is_checked_out_for_a_block(pool: Pool) -> None:
    with pool.session() as env:
        assert play(env) == ["a", "b"]
        assert env.state().step_count == 2
        assert (pool.stats().out, pool.stats().idle) == (1, 0)
    assert (pool.stats().out, pool.stats().idle) == (0, 1)


def test_the_async_face_runs_on_the_callers_loop(url: str) -> None:
    async def main() -> None:
        async with pool_of(url, size=2) as pool:
            for _ in range(2):
                async with pool.session() as env:
                    assert isinstance(env, AsyncPooledEnv)
                    with pytest.raises(NotReset):
                        await env.state()
                    await env.reset()
                    assert (await env.step(say("a"))).observation.echoed_message == "a"
                    assert (await env.state()).step_count == 1
                assert (pool.stats().out, pool.stats().idle) == (0, 1)

    asyncio.run(main())


def test_a_session_is_used_again_without_a_new_connection(url: str) -> None:
    made: list[str] = []

    def make(url: str) -> EchoEnv:
        made.append(url)
        return EchoEnv(url)

    with pool_of(url) as pool:
        pool.close()
    with Pool([url], client=make) as pool:
        for _ in range(5):
            with pool.session() as env:
                play(env)
    assert len(made) == 1


def test_nothing_goes_before_a_reset(pool: Pool) -> None:
    with pool.session() as env:
        play(env)
    with pool.session() as env:
        with pytest.raises(NotReset, match=r"step\(\) on a session fresh from the pool"):
            env.step(say("a"))
        with pytest.raises(NotReset, match=r"state\(\)"):
            env.state()
        assert play(env) == ["a", "b"]


def test_an_exception_in_the_block_does_not_reach_the_next_user(pool: Pool) -> None:
    def fail() -> None:
        with pool.session() as env:
            env.reset()
            env.step(say("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert pool.stats().idle == 1
    with pool.session() as env:
        with pytest.raises(NotReset):
            env.step(say("b"))
        env.reset()
        assert env.state().step_count == 0


def test_nothing_goes_after_the_block(pool: Pool) -> None:
    with pool.session() as env:
        env.reset()
    with pytest.raises(SessionClosed, match="went back to its pool"):
        env.step(say("a"))
    with pool.session() as env:
        env.reset()
        env.close()
        with pytest.raises(SessionClosed, match="given back by close"):
            env.step(say("a"))
    assert pool.stats().idle == 1


def test_a_checkout_is_for_one_block(pool: Pool) -> None:
    checkout = pool.session()
    with checkout:
        pass
    with pytest.raises(UsageError, match="entered before"), checkout:
        pass


def test_methods_of_the_clients_class_are_there_and_checked_as_well(url: str) -> None:
    class Talker(EnvClient[EchoAction, EchoObservation, State]):
        volume = 11

        def say_twice(self, word: str) -> Any:
            return [self.step(say(word)).reward, self.step(say(word)).reward]

    with Pool([url], client=Talker) as pool, pool.session() as env:
        assert env.volume == 11
        assert env.base_url == url
        with pytest.raises(NotReset):
            env.say_twice("x")
        env.reset()
        assert env.say_twice("x") == [0.1, 0.1]
        with pytest.raises(AttributeError):
            _ = env.no_such_thing
        with pytest.raises(UsageError, match="connects and closes it"):
            env.new_session()


def test_two_hundred_threads_share_sixteen_sessions(url: str) -> None:
    seen: set[int] = set()
    lock = threading.Lock()

    def rollout(env: PooledEnv[EchoAction, EchoObservation, State], task: int) -> tuple[int, list[str]]:
        with lock:
            seen.add(pool.stats().out)
        env.reset()
        return task, [env.step(say(f"{task}-{n}")).observation.echoed_message for n in range(3)]

    with pool_of(url, size=16) as pool:
        played = pool.map(rollout, range(400), workers=200)
        assert pool.stats().out == 0
        assert pool.stats().idle == 16
    assert played == [(task, [f"{task}-{n}" for n in range(3)]) for task in range(400)]
    assert max(seen) <= 16


def test_two_hundred_tasks_share_sixteen_sessions(url: str) -> None:
    async def rollout(pool: Pool, task: int) -> str:
        async with pool.session() as env:
            await env.reset()
            return (await env.step(say(str(task)))).observation.echoed_message

    async def main() -> list[str]:
        async with pool_of(url, size=16) as pool:
            played = await asyncio.gather(*(rollout(pool, task) for task in range(200)))
            assert pool.stats().idle == 16
            return list(played)

    assert asyncio.run(main()) == [str(task) for task in range(200)]


def test_map_raises_what_a_rollout_raised_and_begins_no_other(pool: Pool) -> None:
    begun: list[int] = []

    def rollout(env: PooledEnv[EchoAction, EchoObservation, State], task: int) -> None:
        begun.append(task)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.map(rollout, range(1000), workers=1)
    assert len(begun) < 1000


def test_sync_and_async_users_share_the_places(url: str) -> None:
    async def main(pool: Pool) -> None:
        async with pool.session() as env:
            await env.reset()

    with pool_of(url, size=1) as pool:
        for _ in range(2):
            with pool.session() as env:
                play(env)
            asyncio.run(main(pool))  # whose loop takes its idle session with it when it ends
            assert pool.stats().idle == 0


def test_a_session_of_another_living_loop_gives_way(url: str) -> None:
    async def main() -> None:
        async with pool_of(url, size=1) as pool:
            async with pool.session() as env:
                await env.reset()
            await asyncio.to_thread(sync_user, pool)
            async with pool.session() as env:
                await env.reset()

    def sync_user(pool: Pool) -> None:
        with pool.session() as env:
            play(env)

    asyncio.run(main())


def test_servers_are_filled_evenly_and_an_idle_session_is_preferred_among_equals() -> None:
    with echoing() as one, echoing() as two, pool_of(one, two, size=4) as pool:
        held = [pool.session() for _ in range(4)]
        for checkout in held:
            checkout.__enter__()
        assert [server.out for server in pool.stats().servers] == [2, 2]
        for checkout in held:
            checkout.__exit__(None, None, None)
        assert [server.idle for server in pool.stats().servers] == [2, 2]


def test_an_exhausted_pool_says_who_has_what(url: str) -> None:
    with pool_of(url, size=1) as pool, pool.session():
        with pytest.raises(PoolExhausted, match=r"within 0\.0\d+ s: 1 of 1 are out") as raised, pool.session(0.05):
            pass
        assert (raised.value.out, raised.value.idle, raised.value.waiting, raised.value.size) == (1, 0, 0, 1)
        assert isinstance(raised.value, TimeoutError)
        assert f"- {url}: up, 1 out, 0 idle" in str(raised.value)


def test_checkouts_are_served_in_the_order_they_came(url: str) -> None:
    order: list[int] = []

    def wait(number: int) -> None:
        with pool.session():
            order.append(number)

    with pool_of(url, size=1) as pool, ThreadPoolExecutor(5) as threads:
        with pool.session():
            for number in range(5):
                threads.submit(wait, number)
                until(lambda wanted=number + 1: pool.stats().waiting == wanted)
        threads.shutdown()
        assert order == [0, 1, 2, 3, 4]


def test_a_checkout_that_is_cancelled_leaves_the_queue(url: str) -> None:
    async def main() -> None:
        async with pool_of(url, size=1) as pool:
            async with pool.session():
                waiting = asyncio.create_task(pool.session().__aenter__())
                await asyncio.to_thread(until, lambda: pool.stats().waiting == 1)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                assert pool.stats().waiting == 0
            async with pool.session(5) as env:
                await env.reset()

    asyncio.run(main())


def test_close_refuses_those_who_wait_and_those_who_come(url: str) -> None:
    pool = pool_of(url, size=1)
    refused = threading.Event()

    def wait() -> None:
        with pytest.raises(PoolClosed, match="the pool was closed"), pool.session():
            pass
        refused.set()

    with ThreadPoolExecutor(1) as threads, pool.session() as env:
        env.reset()
        waiting = threads.submit(wait)
        until(lambda: pool.stats().waiting == 1)
        pool.close()
        waiting.result()
        with pytest.raises(PoolClosed):
            env.step(say("a"))
    assert refused.is_set()
    assert pool.stats().out == pool.stats().idle == 0
    pool.close()
    with pytest.raises(PoolClosed), pool.session():
        pass


def test_close_lets_a_call_under_way_end(url: str) -> None:
    ThreadedEcho.gate.clear()
    ThreadedEcho.entered.clear()
    pool = pool_of(url)

    def rollout() -> str:
        with pool.session() as env:
            env.reset()
            return env.step(say("wait")).observation.echoed_message

    with ThreadPoolExecutor(1) as threads:
        playing = threads.submit(rollout)
        assert ThreadedEcho.entered.wait(10)
        pool.close()
        ThreadedEcho.gate.set()
        assert playing.result() == "wait"


def test_close_within_an_event_loop_that_has_sessions_is_refused(url: str) -> None:
    async def main() -> None:
        pool = pool_of(url)
        async with pool.session() as env:
            await env.reset()
        with pytest.raises(UsageError, match=r"await pool\.aclose"):
            pool.close()
        await pool.aclose()
        await pool.aclose()

    asyncio.run(main())


def test_aclose_refuses_those_who_wait_and_what_is_out(url: str) -> None:
    async def main() -> None:
        pool = pool_of(url, size=1)
        async with pool.session() as env:
            await env.reset()
            waiting = asyncio.create_task(pool.session().__aenter__())
            await asyncio.to_thread(until, lambda: pool.stats().waiting == 1)
            await pool.aclose()
            with pytest.raises(PoolClosed):
                await waiting
            with pytest.raises(PoolClosed):
                await env.step(say("a"))
        assert pool.stats().out == pool.stats().idle == 0

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # it is refused because it is a bad idea
def test_a_forked_process_is_refused_and_harms_nothing(pool: Pool) -> None:
    with pool.session() as env:
        env.reset()
    pid = os.fork()
    if pid == 0:
        try:
            with pool.session():
                os._exit(1)
        except UsageError as error:
            pool.close()
            asyncio.run(pool.aclose())
            os._exit(0 if "another process" in str(error) else 2)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with pool.session() as env:
        assert play(env) == ["a", "b"]


def test_a_pool_cannot_be_pickled(pool: Pool) -> None:
    with pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(pool)


@pytest.mark.parametrize(
    ("servers", "options", "complaint"),
    [
        ([], {}, "servers is empty"),
        (["http://"], {}, "is no address"),
        ([7], {}, "7 is no server"),
        (["http://a", "http://a"], {}, "one of them twice"),
        (["http://a"], {"size": 0}, "size=0: must be above 0"),
        (["http://a"], {"open_timeout_s": -1}, "open_timeout_s=-1"),
    ],
)
def test_what_makes_no_pool_is_refused(servers: Any, options: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        pool_of(*servers, **options)


def test_a_runtime_that_runs_already_is_refused() -> None:
    with Killable() as runtime, pytest.raises(ConfigurationError, match="is running already"):
        pool_of(runtime)


def test_nothing_is_connected_to_before_a_session_is_asked_for() -> None:
    with pool_of(dead_url()) as pool:
        assert pool.stats().servers[0].standing is Standing.UP


def test_a_client_class_has_pools(url: str) -> None:
    with EchoEnv.pool(url, size=2) as pool, pool.session() as env:
        assert play(env) == ["a", "b"]


def until(is_so: Any) -> None:
    """Wait for something that another thread does."""
    look = threading.Event()
    while not is_so():
        look.wait(0.005)
