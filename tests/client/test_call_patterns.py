"""Every way in which people call the client, each on a real server. Read it as a table; tests/ecosystem has trainers.

The rule behind all of them: a client is synchronous until it is awaited.
"""

import asyncio
import inspect
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openenv import AsyncEnvClient, EnvClient, GenericAction, GenericEnvClient, create_app
from openenv.client import SyncEnvClient
from openenv.client.base import ClientBase
from openenv.errors import SessionClosed, SessionLost, UsageError
from openenv.types import State, StepResult
from tests.client.scripted import Json, answer, scripted
from tests.support.echo import EchoAction, EchoEnv, EchoObservation, ThreadedEcho
from tests.support.serving import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        yield url


def say(message: str) -> EchoAction:
    return EchoAction(message=message)


def rollout(env: EchoEnv | SyncEnvClient[EchoAction, EchoObservation, State]) -> None:
    """Play an episode synchronously, and check every value."""
    started = env.reset(seed=1, episode_id="first")
    assert isinstance(started, StepResult)
    assert started.observation.echoed_message == "ready"
    stepped = env.step(say("Hi"))
    assert isinstance(stepped, StepResult)
    assert (stepped.observation.echoed_message, stepped.reward, stepped.done) == ("Hi", 0.2, False)
    assert isinstance(env.state(), State)
    assert (env.state().episode_id, env.state().step_count) == ("first", 1)


async def async_rollout(env: Any) -> None:
    """Play an episode with `await`, on whatever it is given."""
    assert (await env.reset(episode_id="first")).observation.echoed_message == "ready"
    assert (await env.step(say("Hi"))).reward == 0.2
    assert (await env.state()).episode_id == "first"


# --- Synchronous


def test_plain(url: str) -> None:
    env = EchoEnv(base_url=url)
    rollout(env)
    env.close()


def test_with(url: str) -> None:
    with EchoEnv(base_url=url) as env:
        rollout(env)


def test_sync_without_with(url: str) -> None:
    env = EchoEnv(base_url=url).sync()
    rollout(env)
    env.close()


def test_sync_with_with(url: str) -> None:
    with EchoEnv(base_url=url).sync() as env:
        rollout(env)


def test_connect_first(url: str) -> None:
    env = EchoEnv(base_url=url)
    env.connect()
    rollout(env)
    env.close()


def test_one_client_for_many_episodes_without_close(url: str) -> None:
    env = EchoEnv(base_url=url)
    for number in range(5):
        env.reset(episode_id=f"episode {number}")
        assert [env.step(say("x")).metadata for _ in range(3)] == [{"step": 1}, {"step": 2}, {"step": 3}]
        assert env.state().episode_id == f"episode {number}"
    env.close()


def test_close_then_a_new_client(url: str) -> None:
    for _ in range(3):
        env = EchoEnv(base_url=url)
        rollout(env)
        env.close()


def test_close_then_connect_again(url: str) -> None:
    env = EchoEnv(base_url=url)
    for _ in range(2):
        with env:
            rollout(env)
        with pytest.raises(SessionClosed):
            env.reset()


def test_new_session(url: str) -> None:
    with EchoEnv(base_url=url) as env:
        other = env.new_session()
        assert type(other) is EchoEnv
        env.reset(episode_id="mine")
        other.reset(episode_id="other")
        assert (env.state().episode_id, other.state().episode_id) == ("mine", "other")
    with pytest.raises(SessionClosed):
        other.state()


# --- Synchronous calls where an event loop runs: real values, and nothing put off


@pytest.mark.parametrize("use_with", [False, True])
def test_sync_calls_inside_a_running_loop(url: str, use_with: bool) -> None:
    async def play() -> None:
        if use_with:
            with EchoEnv(base_url=url) as env:
                rollout(env)
        else:
            env = EchoEnv(base_url=url)
            rollout(env)
            env.close()

    asyncio.run(play())


def test_reset_that_nobody_awaits_is_carried_out(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url).connect()
        env.reset(episode_id="begun")
        env.reset(episode_id="begun anew")
        result = env.step(say("x"))
        assert isinstance(result, StepResult)
        assert (vars(result)["reward"], result.metadata) == (0.1, {"step": 1})
        assert env.state().episode_id == "begun anew"
        env.close()

    asyncio.run(play())


def test_close_and_connect_again_inside_a_running_loop(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url)
        for _ in range(2):
            env.connect()
            rollout(env)
            env.close()
        for _ in range(2):
            with env:
                rollout(env)

    asyncio.run(play())


def test_awaiting_what_a_plain_client_returned(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url)
        await async_rollout(env)
        await env.disconnect()
        await env.reset()
        await env.close()
        with pytest.raises(SessionClosed):
            env.step(say("x"))

    asyncio.run(play())


def test_run_until_complete(url: str) -> None:
    loop = asyncio.new_event_loop()
    env = EchoEnv(base_url=url)
    loop.run_until_complete(env.connect())
    assert loop.run_until_complete(env.reset()).observation.echoed_message == "ready"
    assert loop.run_until_complete(env.step(say("Hi"))).reward == 0.2
    loop.run_until_complete(env.close())
    loop.close()


# --- Asynchronous


def test_async_with(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(base_url=url) as env:
            assert isinstance(env, AsyncEnvClient)
            await async_rollout(env)

    asyncio.run(play())


def test_await_connect_then_await_the_client(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url)
        await env.connect()
        await async_rollout(env)
        await env.close()

    asyncio.run(play())


def test_await_connect_in_one_line(url: str) -> None:
    async def play() -> None:
        env = await EchoEnv(base_url=url).connect()
        await async_rollout(env)
        await env.close()

    asyncio.run(play())


def test_await_the_client_itself(url: str) -> None:
    async def play() -> None:
        env = await EchoEnv(base_url=url)
        await async_rollout(env)
        await env.close()

    asyncio.run(play())


def test_async_with_on_a_connected_client(url: str) -> None:
    async def play() -> None:
        manager = EchoEnv(base_url=url)
        await manager.connect()
        await manager.reset(episode_id="before")
        async with manager as env:
            assert (await env.state()).episode_id == "before"
            await async_rollout(env)
        async with await EchoEnv(base_url=url).connect() as env:
            await async_rollout(env)

    asyncio.run(play())


def test_aio(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url).aio()
        await async_rollout(env)
        assert env.aio() is env
        await env.close()

    asyncio.run(play())


def test_async_new_session(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(base_url=url) as env:
            other = await env.new_session()
            await env.reset(episode_id="mine")
            await other.reset(episode_id="other")
            assert (await env.state()).episode_id == "mine"
            assert (await other.state()).episode_id == "other"
        with pytest.raises(SessionClosed):
            await other.state()

    asyncio.run(play())


def test_one_client_in_two_event_loops(url: str) -> None:
    env = EchoEnv(base_url=url)

    async def play() -> None:
        await env.connect()
        await async_rollout(env)
        await env.close()

    asyncio.run(play())
    asyncio.run(play())
    env.connect()
    rollout(env)
    env.close()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_event_loop_that_ended_takes_the_episode_with_it(url: str) -> None:
    env = EchoEnv(base_url=url)

    async def begin() -> None:
        await env.connect()
        await env.reset()

    asyncio.run(begin())
    with pytest.raises(SessionLost, match="the event loop that held it has ended"):
        env.step(say("x"))
    rollout(env)
    env.close()


# --- Mixed


def test_an_episode_does_not_change_its_flavour(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url)
        env.reset()
        with pytest.raises(UsageError, match="open synchronously"):
            await env.connect()
        env.close()
        async with env:
            with pytest.raises(UsageError, match="asynchronous since it was awaited"):
                env.sync()

    asyncio.run(play())


# --- Many callers of one client


def test_many_threads(url: str) -> None:
    env = EchoEnv(base_url=url)
    env.reset()

    def steps(name: int) -> list[str]:
        return [env.step(say(f"{name}:{n}")).observation.echoed_message for n in range(20)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(steps, range(8)))
    assert answers == [[f"{name}:{n}" for n in range(20)] for name in range(8)]
    assert env.state().step_count == 160
    env.close()


def test_gather(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(base_url=url) as env:
            await env.reset()
            results = await asyncio.gather(*(env.step(say(str(n))) for n in range(50)))
            assert [result.observation.echoed_message for result in results] == [str(n) for n in range(50)]
            assert [result.metadata for result in results] == [{"step": n + 1} for n in range(50)]

    asyncio.run(play())


def test_gather_that_connects_by_itself(url: str) -> None:
    async def play() -> None:
        env = EchoEnv(base_url=url).aio()
        _, *results = await asyncio.gather(env.reset(), *(env.step(say(str(n))) for n in range(10)))
        assert [result.metadata for result in results] == [{"step": n + 1} for n in range(10)]
        await env.close()

    asyncio.run(play())


def test_cancelled_member_of_a_gather_gives_its_reply_to_nobody(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(base_url=url) as env:
            await env.reset()
            waiting = [asyncio.create_task(env.step(say(str(n)))) for n in range(10)]
            await asyncio.sleep(0)
            for task in random.Random(7).sample(waiting[1:], 4):  # those wait for their turn, and were not sent yet
                task.cancel()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            for number, result in enumerate(results):
                if isinstance(result, StepResult):
                    assert result.observation.echoed_message == str(number)
            assert sum(isinstance(result, StepResult) for result in results) == 6

    asyncio.run(play())


def test_close_from_another_thread(url: str) -> None:
    env = EchoEnv(base_url=url)
    env.reset()
    closing = threading.Thread(target=env.close)
    closing.start()
    closing.join()
    with pytest.raises(SessionClosed):
        env.step(say("x"))


# --- Construction


def test_base_url(url: str) -> None:
    env = EchoEnv(base_url=f"{url}/")
    assert env.base_url == env._base_url == f"{url}/"
    assert env.aio().base_url == f"{url}/"


def test_constructor_has_the_names_order_and_defaults_of_openenv() -> None:
    parameters = list(inspect.signature(ClientBase.__init__).parameters.values())[1:]
    assert {each.name: each.default for each in parameters} == {
        "base_url": None,
        "connect_timeout_s": 10.0,
        "message_timeout_s": 60.0,
        "max_message_size_mb": 100.0,
        "websocket_ping_interval_s": 20.0,
        "websocket_ping_timeout_s": 20.0,
        "provider": None,
        "mode": None,
        "headers": None,
    }


def test_subclass_that_takes_and_passes_on_arguments(url: str) -> None:
    class PatientEnv(EnvClient[EchoAction, EchoObservation, State]):
        def __init__(
            self, base_url: str, message_timeout_s: float = 180.0, provider: None = None, mode: str | None = None
        ) -> None:
            super().__init__(base_url=base_url, message_timeout_s=message_timeout_s, provider=provider, mode=mode)
            self.episodes = 0

    with PatientEnv(url, mode="simulation") as env:
        env.episodes += 1
        assert env.reset().reward == 0.0


def test_headers(url: str) -> None:
    with EchoEnv(base_url=url, headers={"Authorization": "Bearer any"}) as env:
        rollout(env)


# --- Subclasses


class HandWrittenEnv(EnvClient[EchoAction, EchoObservation, State]):
    """The three hooks, as OpenEnv's template has its users write them."""

    def _step_payload(self, action: EchoAction) -> dict[str, Any]:
        return {"message": action.message}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[EchoObservation]:
        data = payload.get("observation", {})
        observation = EchoObservation(
            echoed_message=data.get("echoed_message", ""),
            message_length=data.get("message_length", 0),
            done=payload.get("done", False),
            reward=payload.get("reward"),
            metadata=data.get("metadata", {}),
        )
        return StepResult(observation=observation, reward=payload.get("reward"), done=payload.get("done", False))

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(episode_id=payload.get("episode_id"), step_count=payload.get("step_count", 0))


def test_hand_written_hooks(url: str) -> None:
    with HandWrittenEnv(base_url=url) as env:
        env.reset(episode_id="first")
        result = env.step(say("Hi"))
        assert result.observation.metadata == {"step": 1}
        assert result.observation.reward == result.reward == 0.2
        assert env.state().episode_id == "first"

    async def play() -> None:
        async with HandWrittenEnv(base_url=url) as env:
            await async_rollout(env)

    asyncio.run(play())


def test_hooks_alone_are_enough(url: str) -> None:
    class Untyped(EnvClient):  # type: ignore[type-arg]
        _step_payload = HandWrittenEnv._step_payload
        _parse_result = HandWrittenEnv._parse_result
        _parse_state = HandWrittenEnv._parse_state

    with Untyped(base_url=url) as env:
        env.reset()
        assert env.step(say("Hi")).reward == 0.2


def test_what_the_hooks_get() -> None:
    seen: list[Json] = []

    class Watching(HandWrittenEnv):
        def _parse_result(self, payload: dict[str, Any]) -> StepResult[EchoObservation]:
            seen.append(payload)
            return super()._parse_result(payload)

    def script(peer: Any) -> None:
        with_extra = {"observation": {}, "reward": 1, "done": True, "metadata": {"k": 1}, "truncated": True, "own": 2}
        for request in peer.requests():
            peer.say(answer(request) if request["type"] == "reset" else {"type": "observation", "data": with_extra})

    with scripted(script) as url, Watching(base_url=url) as env:
        env.reset()
        env.step(say("x"))
    assert set(seen[0]) == {"observation", "reward", "done"}
    assert seen[1] == {
        "observation": {}, "reward": 1, "done": True, "metadata": {"k": 1}, "truncated": True, "own": 2,
    }  # fmt: skip


def test_own_methods_are_reached_through_the_async_face(url: str) -> None:
    class Chatty(EchoEnv):
        async def greet(self) -> str:
            return (await self.step(say("hello"))).observation.echoed_message

        def shout(self, text: str) -> EchoAction:
            return say(text.upper())

    async def play() -> None:
        async with Chatty(base_url=url) as env:
            await env.reset()
            assert await env.greet() == "hello"
            assert (await env.step(env.shout("hi"))).observation.echoed_message == "HI"
            with pytest.raises(AttributeError, match="whisper"):
                env.whisper("hi")

    asyncio.run(play())


# --- Without the environment's classes


@pytest.mark.parametrize("action", [{"message": "Hi"}, GenericAction(message="Hi"), say("Hi")])
def test_generic_client(url: str, action: Any) -> None:
    with GenericEnvClient(base_url=url) as env:
        assert env.reset(seed=1).observation["echoed_message"] == "ready"
        result = env.step(action)
        assert result.observation["message_length"] == 2
        assert (result.reward or 0.0, result.done) == (0.2, False)
        assert env.state()["step_count"] == 1


def test_generic_client_asynchronously(url: str) -> None:
    async def play() -> None:
        async with GenericEnvClient(base_url=url) as env:
            await env.reset()
            assert (await env.step({"message": "Hi"})).reward == 0.2
            assert (await env.state())["step_count"] == 1
        plain = GenericEnvClient(base_url=url)
        await plain.reset()
        assert (await plain.state())["step_count"] == 0  # type: ignore[misc]  # a dict, awaitable all the same
        await plain.close()

    asyncio.run(play())


def test_step_before_reset_reaches_the_environment() -> None:
    steps: list[Json] = []

    def script(peer: Any) -> None:
        for request in peer.requests():
            steps.append(request)
            peer.say(answer(request))

    with scripted(script) as url, GenericEnvClient(base_url=url) as env:
        env.step({"type": "list_tools"})
    assert steps == [{"type": "step", "data": {"type": "list_tools"}}]


def test_typed_client_takes_a_mapping_too(url: str) -> None:
    with EchoEnv(base_url=url) as env:
        env.reset()
        assert env.step({"message": "Hi"}).reward == 0.2  # type: ignore[arg-type]
