"""Our clients drive a server of OpenEnv's published package, which serves the environment in tests/data/peer.py."""

import asyncio
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from openenv import EnvPool, GenericEnvClient
from openenv.client import ToolFailed
from openenv.client.mcp import MCPToolClient
from openenv.env.mcp import CallToolAction, CallToolObservation
from openenv.errors import (
    AtCapacity,
    BadAction,
    ConnectFailed,
    EnvironmentFailed,
    OpenEnvError,
    ReplyTimeout,
    SessionLost,
    UnsupportedByServer,
)
from tests.support.echo import EchoAction, EchoEnv
from tests.support.peer import Peer, peer

__all__ = ["peer"]

pytestmark = pytest.mark.timeout(90, func_only=False)  # importing their package takes seconds


def say(message: str) -> EchoAction:
    return EchoAction(message=message)


def started(peer: Peer, **options: Any) -> tuple[str, int]:
    """Have a server started, and give its URL and process."""
    port, process = peer("serve", **options)
    return f"http://127.0.0.1:{port}", process


@pytest.fixture(scope="module")
def url(peer: Peer) -> str:
    return started(peer, max_concurrent_envs=32)[0]


def check(reset: Any, step: Any, state: Any) -> None:
    assert reset.observation.echoed_message == "ready"
    assert reset.metadata == reset.observation.metadata == {"seed": 7, "level": "hard"}
    assert (step.observation.echoed_message, step.observation.message_length) == ("Hi", 2)
    assert (step.reward, step.done, step.truncated) == (0.2, False, False)
    assert step.metadata == {"step": 1}
    assert (state.episode_id, state.step_count) == ("first", 1)


def test_a_sync_episode(url: str) -> None:
    with EchoEnv(url) as env:
        check(env.reset(seed=7, episode_id="first", level="hard"), env.step(say("Hi")), env.state())
        env.reset()
        assert env.state().step_count == 0
    with EchoEnv(url).sync() as explicit:
        check(explicit.reset(seed=7, episode_id="first", level="hard"), explicit.step(say("Hi")), explicit.state())


def test_an_async_episode(url: str) -> None:
    async def play() -> None:
        async with EchoEnv(url) as env:
            reset = await env.reset(seed=7, episode_id="first", level="hard")
            check(reset, await env.step(say("Hi")), await env.state())
            other = await env.new_session()
            await other.reset(episode_id="other")
            assert ((await env.state()).episode_id, (await other.state()).episode_id) == ("first", "other")

    asyncio.run(play())


def test_the_generic_client(url: str) -> None:
    with GenericEnvClient(url) as env:
        assert env.reset().observation["echoed_message"] == "ready"
        result = env.step({"message": "Hi"})
        assert (result.observation["message_length"], result.reward) == (2, 0.2)
        assert env.state()["step_count"] == 1


def test_many_callers_of_one_client_get_their_own_answers(url: str) -> None:
    async def play() -> list[str]:
        async with EchoEnv(url) as env:
            await env.reset()
            results = await asyncio.gather(*(env.step(say(str(number))) for number in range(20)))
            return [result.observation.echoed_message for result in results]

    with EchoEnv(url) as env, ThreadPoolExecutor(8) as threads:
        env.reset()
        answers = threads.map(lambda number: env.step(say(str(number))).observation.echoed_message, range(20))
        assert list(answers) == [str(number) for number in range(20)]
    assert asyncio.run(play()) == [str(number) for number in range(20)]


def test_a_vector_has_a_connection_for_each_environment(url: str) -> None:
    with EchoEnv.vector(url, 4) as envs:
        envs.reset(seeds=1)
        results = envs.step([say("x" * number) for number in range(4)])
        assert [result.observation.message_length for result in results] == [0, 1, 2, 3]


def test_a_pool(url: str) -> None:
    with EchoEnv.pool(url, size=2) as pool:
        assert isinstance(pool, EnvPool)

        def rollout(number: int) -> str:
            with pool.session() as env:
                env.reset()
                message: str = env.step(say(str(number))).observation.echoed_message
                return message

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(rollout, range(8))) == [str(number) for number in range(8)]


def test_tools_are_listed_and_called(peer: Peer) -> None:
    async def play(url: str) -> None:
        async with MCPToolClient(url) as env:
            await env.reset()
            assert [tool.name for tool in await env.list_tools()] == ["add", "fail"]
            assert await env.call_tool("add", a=2, b=3) == 5

    url, _ = started(peer, name="tools")
    with MCPToolClient(url) as env:
        env.reset()
        assert {tool.name: sorted(tool.input_schema["properties"]) for tool in env.list_tools()} == {
            "add": ["a", "b"], "fail": []
        }  # fmt: skip
        assert env.call_tool("add", a=2, b=3) == 5
        with pytest.raises(ToolFailed, match="asked to"):
            env.call_tool("fail")
        assert env.has_tool("add")
        observation = env.step(CallToolAction(tool_name="add", arguments={"a": 2, "b": 3})).observation
        assert isinstance(observation, CallToolObservation)
        assert observation.error is None
    asyncio.run(play(url))


# --- What goes wrong


def test_what_their_server_refuses_leaves_the_session_usable(url: str) -> None:
    with GenericEnvClient(url) as env:
        env.reset(episode_id="first")
        with pytest.raises(BadAction):
            env.step({"nonsense": 1})
        with pytest.raises(EnvironmentFailed, match="asked to"):
            env.step({"message": "raise"})
        with pytest.raises(UnsupportedByServer, match="takes an action and nothing else"):
            env.step({"message": "x"}, colour="blue")
        with pytest.raises(UnsupportedByServer, match="dialect 1"):
            env.snapshot()
        env.step({"message": "x"})
        assert (env.state()["episode_id"], env.state()["step_count"]) == ("first", 1)


def test_their_server_has_no_room(peer: Peer) -> None:
    url, _ = started(peer, max_concurrent_envs=1)
    with EchoEnv(url) as env:
        env.reset()
        with pytest.raises(AtCapacity, match="1/1 sessions"), EchoEnv(url) as other:
            other.reset()
        assert env.step(say("x")).reward == 0.1
    assert begun_when_there_is_room(url) == "ready"


def begun_when_there_is_room(url: str) -> str:
    """Their server lets go of a session a moment after its connection has ended."""
    while True:
        with EchoEnv(url) as env, suppress(AtCapacity):
            return env.reset().observation.echoed_message


def test_a_time_out_breaks_the_session_and_says_so(url: str) -> None:
    def run(env: Any) -> None:
        env.reset(episode_id="first")
        with pytest.raises(ReplyTimeout):
            env.step(say("sleep 0.5"), timeout_s=0.1)
        with pytest.raises(SessionLost, match="call reset"):
            env.step(say("x"))
        env.reset(episode_id="anew")
        assert env.step(say("x")).observation.echoed_message == "x"
        assert (env.state().episode_id, env.state().step_count) == ("anew", 1)

    async def play() -> None:
        async with EchoEnv(url) as env:
            await env.reset(episode_id="first")
            with pytest.raises(ReplyTimeout):
                await env.step(say("sleep 0.5"), timeout_s=0.1)
            with pytest.raises(SessionLost, match="call reset"):
                await env.step(say("x"))
            await env.reset(episode_id="anew")
            assert (await env.state()).step_count == 0

    with EchoEnv(url) as env:
        run(env)
    asyncio.run(play())


def test_a_server_that_is_killed_during_a_step_is_a_lost_session(peer: Peer) -> None:
    url, process = started(peer)
    raised: list[BaseException] = []

    def step() -> None:
        try:
            env.step(say("wait"))
        except OpenEnvError as error:
            raised.append(error)

    env = EchoEnv(url)
    env.reset()
    thread = threading.Thread(target=step)
    thread.start()
    assert peer.entered() == process
    os.kill(process, signal.SIGKILL)
    thread.join(10)
    assert [type(error) for error in raised] == [SessionLost]
    assert isinstance(raised[0], ConnectionError)
    with pytest.raises(SessionLost):
        env.step(say("x"))
    with pytest.raises(ConnectFailed):
        env.reset()
    env.close()
