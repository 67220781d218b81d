"""How trainers call clients and environments: each sequence as that trainer makes it, on a real server.

What people call, and in which flavour, is in tests/client/test_call_patterns.py; the Docker mode of TRL, which needs an
image, is in tests/runtimes/test_docker_mode.py.
"""

import asyncio
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import uvicorn
import websockets.asyncio.client
import websockets.sync.client

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_types import CallToolAction, ListToolsAction
from openenv.core.env_server.types import Action, Observation, State
from openenv.core.generic_client import GenericEnvClient
from openenv.core.mcp_client import MCPToolClient
from openenv.runtimes.contract import is_healthy
from tests.ecosystem.tools import ToolsEnvironment, tools_app
from tests.support.command import ROOT
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.providers import ServedContainers
from tests.support.serving import serving


class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
    """The client of them all, with hooks as they are written for OpenEnv."""

    def _step_payload(self, action: EchoAction) -> dict[str, Any]:
        return {"message": action.message}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[EchoObservation]:
        data = payload.get("observation", {})
        observation = EchoObservation(**{**data, "done": payload.get("done", False), "reward": payload.get("reward")})
        return StepResult(observation=observation, reward=payload.get("reward"), done=payload.get("done", False))

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(episode_id=payload.get("episode_id"), step_count=payload.get("step_count", 0))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation, env_name="echo")) as url:
        yield url


@pytest.fixture(scope="module")
def tools_url() -> Iterator[str]:
    with serving(tools_app()) as url:
        yield url


def say(message: str) -> EchoAction:
    return EchoAction(message=message)


# --- TRL


@pytest.mark.parametrize("make", ["from_docker_image", "from_hub"])
def test_trl_until_0_29_makes_a_client_without_await_and_reads_its_base_url(make: str) -> None:
    image = {"from_docker_image": "echo-env:latest", "from_hub": "openenv/echo-env"}[make]
    client = getattr(EchoEnv, make)(image, ServedContainers())
    assert is_healthy(client.base_url)
    for prompt in ("a", "bb"):  # its rollout_func
        client.reset()
        result = client.step(say(prompt))
        assert (result.observation.message_length, result.reward, result.done) == (len(prompt), result.reward, False)
    client.close()


class Rollout:
    """An environment of `environment_factory`: made without arguments, its public methods are tools, never closed."""

    url: str

    def __init__(self) -> None:
        self.client = EchoEnv(base_url=self.url, connect_timeout_s=30, message_timeout_s=120)
        self.reward = 0.0

    def reset(self, **row: Any) -> str:
        result = self.client.reset(episode_id=row["task"])
        self.reward = 0.0
        return result.observation.echoed_message

    def say(self, message: str) -> str:
        """Say something."""
        result = self.client.step(EchoAction(message=message))
        self.reward = result.reward or 0.0
        return result.observation.echoed_message


@pytest.fixture
def factory(url: str) -> Iterator[Callable[[], Rollout]]:
    made: list[Rollout] = []

    class Here(Rollout):
        def __init__(self) -> None:
            self.url = url
            super().__init__()
            made.append(self)

    yield Here
    for environment in made:
        environment.client.close()


def tool_call(environment: Rollout, message: str) -> str:
    """What the model is shown: a tool's result, or its error."""
    try:
        return environment.say(message)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_trl_resets_and_steps_pooled_environments_one_after_another(factory: Callable[[], Rollout]) -> None:
    pool = [factory() for _ in range(4)]
    for batch in range(2):
        answers = [environment.reset(task=f"{batch}/{number}") for number, environment in enumerate(pool)]
        assert answers == ["ready"] * 4
        assert [tool_call(environment, "x" * number) for number, environment in enumerate(pool)] == [
            "",
            *("x", "xx", "xxx"),
        ]
        assert tool_call(pool[0], "raise").startswith("EnvironmentFailed: ")
        assert tool_call(pool[0], "Hi") == "Hi"
        assert [environment.reward for environment in pool] == [0.2, 0.1, 0.2, 0.3]
        assert [environment.client.state().episode_id for environment in pool] == [f"{batch}/{n}" for n in range(4)]


def test_trl_async_grpo_calls_sync_methods_on_its_running_loop(factory: Callable[[], Rollout]) -> None:
    async def rollout(environment: Rollout, number: int) -> str:
        assert environment.reset(task=str(number)) == "ready"
        await asyncio.sleep(0)  # the model generates
        return environment.say(str(number))

    async def train() -> list[str]:
        pool = [factory() for _ in range(4)]
        return await asyncio.gather(*(rollout(environment, number) for number, environment in enumerate(pool)))

    assert asyncio.run(train()) == ["0", "1", "2", "3"]


def test_trl_carla_makes_another_client_when_a_reset_fails() -> None:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        client = EchoEnv(base_url=url, connect_timeout_s=30, message_timeout_s=120)
        assert client.reset().observation.echoed_message == "ready"
        port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionError):
        client.reset()
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation), port=port) as url:
        again = EchoEnv(base_url=url, connect_timeout_s=30, message_timeout_s=120)
        assert again.reset().observation.echoed_message == "ready"
        again.close()
    client.close()


@pytest.mark.parametrize("explicit", [False, True])
def test_trl_browsergym_widens_the_limit_of_the_socket_it_finds(url: str, explicit: bool) -> None:
    client: Any = EchoEnv(base_url=url).sync() if explicit else EchoEnv(base_url=url)
    client.connect()
    socket = client._ws
    if socket is not None and socket.protocol is not None:
        raise AssertionError("such scripts go on to reach into the protocol")
    client.reset(task_name="click-test")
    assert client.step(say("x" * 2_000_000)).observation.message_length == 2_000_000
    client.close()


def test_trl_multi_env_opens_and_closes_clients_in_reset(url: str) -> None:
    client: EchoEnv | None = None
    for task in ("one", "two", "three"):
        if client is not None:
            client.close()
        client = EchoEnv(base_url=url)
        client.reset(episode_id=task)
        assert client.step(say(task)).observation.echoed_message == task
    assert client is not None
    client.close()


# --- Others that are synchronous


def test_unsloth_launches_uvicorn_and_polls_health_while_it_steps() -> None:
    code = (
        "import socket, uvicorn; from openenv import create_app; from tests.support.echo import EchoAction as A, "
        "EchoObservation as O, ThreadedEcho as E; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1], flush=True); "
        "uvicorn.Server(uvicorn.Config(create_app(E, A, O), log_level='error')).run(sockets=[s])"
    )
    command = [sys.executable, "-c", code]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ) as process:
        try:
            assert process.stdout is not None
            url = f"http://127.0.0.1:{int(process.stdout.readline())}"

            def is_up(timeout_s: float) -> bool:
                try:
                    with urllib.request.urlopen(f"{url}/health", timeout=timeout_s) as answer:
                        return b"healthy" in answer.read()
                except OSError:
                    return False

            while not is_up(10):
                pass
            client = EchoEnv(base_url=url)
            client.reset()
            stepping = threading.Thread(target=client.step, args=[say("sleep 0.3")])
            stepping.start()
            polled = []
            while stepping.is_alive():
                polled.append(is_up(0.1))
            stepping.join()
            assert sum(polled) > len(polled) / 2  # a loaded machine may be late once
            client.close()
        finally:
            process.terminate()


def test_oumi_steps_once_for_each_completion_and_never_closes(url: str) -> None:
    for _ in range(3):
        client = EchoEnv(base_url=url)
        client.reset()
        assert [client.step(say("x" * length)).reward for length in range(4)] == [0.0, 0.1, 0.2, 0.3]


def test_skyrl_starts_a_container_for_each_trajectory() -> None:
    class Trajectory:
        def __init__(self, name: str) -> None:
            self.env = EchoEnv.from_docker_image(name + ":latest", provider=providers[-1])
            self.initial = self.env.reset()

        def step(self, text: str) -> dict[str, Any]:
            return vars(self.env.step(say(text)).observation)

    providers: list[ServedContainers] = []
    for _ in range(2):
        providers.append(ServedContainers())
        trajectory = Trajectory("echo-env")
        assert vars(trajectory.initial)["done"] is False
        assert trajectory.step("Hi")["echoed_message"] == "Hi"
        trajectory.env.close()
        assert [call[0] for call in providers[-1].calls] == ["start", "wait", "stop"]


def test_torchforge_calls_a_sync_client_inside_async_code(url: str) -> None:
    async def play_game(name: str) -> float:
        env = EchoEnv(base_url=url)
        total = 0.0
        try:
            env.reset(episode_id=name)
            for word in ("a", "bb"):
                await asyncio.sleep(0)
                total += env.step(say(word)).reward or 0.0
        finally:
            env.close()
        return total

    async def play() -> list[float]:
        return await asyncio.gather(*(play_game(str(number)) for number in range(3)))

    assert asyncio.run(play()) == pytest.approx([0.3] * 3)


def test_art_shares_one_client_between_threads(url: str) -> None:
    async def rollout(client: EchoEnv, number: int) -> None:
        await asyncio.to_thread(client.reset)
        result = await asyncio.to_thread(client.step, say(str(number)))
        assert result.observation.echoed_message == str(number)

    async def train() -> None:
        client = EchoEnv(base_url=url)
        await asyncio.gather(*(rollout(client, number) for number in range(8)))
        client.close()

    asyncio.run(train())


def test_torchrl_wraps_whatever_has_reset_and_step(url: str) -> None:
    class Wrapper:
        def __init__(self, client: Any) -> None:
            self.client = client

        def rollout(self) -> list[tuple[float, bool]]:
            results = [self.client.reset(seed=0), *(self.client.step(say("x" * length)) for length in (1, 2))]
            assert all(hasattr(result, name) for result in results for name in ("observation", "reward", "done"))
            return [(result.reward, result.done) for result in results]

    with EchoEnv(base_url=url).sync() as env:
        assert Wrapper(env).rollout() == [(0.0, False), (0.1, False), (0.2, False)]


def test_twinkle_drives_an_async_client_from_a_loop_of_its_own(url: str) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> EchoEnv:
        env = EchoEnv(base_url=url)
        await env.connect()
        return env

    def wait(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

    env = wait(begin())
    wait(env.reset(seed=1))
    assert wait(env.step(say("Hi"))).reward == 0.2
    wait(env.close())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


# --- Asynchronous


@pytest.mark.parametrize("image", [True, False])
def test_a_script_awaits_an_image_or_else_a_url(url: str, image: bool) -> None:
    async def main() -> float | None:
        if image:
            env = await EchoEnv.from_docker_image("echo:latest", provider=provider)
        else:
            env = await EchoEnv(base_url=url).connect()
        try:
            await env.reset()
            return (await env.step(say("Hi"))).reward
        finally:
            with suppress(Exception):
                await env.close()

    provider = ServedContainers()
    assert asyncio.run(main()) == 0.2
    assert [call[0] for call in provider.calls] == (["start", "wait", "stop"] if image else [])


def test_verifiers_probes_over_http_and_plays_asynchronously(url: str) -> None:
    async def play() -> float:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            assert (await http.get("/health")).json()["status"] == "healthy"
            assert (await http.get("/schema")).json()["action"]["title"] == "EchoAction"
        env = GenericEnvClient(base_url=url)
        await env.connect()
        total = (await env.reset(seed=3)).reward or 0.0
        total += (await env.step({"message": "Hi"})).reward or 0.0
        await env.close()
        return total

    assert asyncio.run(play()) == 0.2


def test_verifiers_calls_tools_by_steps(tools_url: str) -> None:
    async def play() -> None:
        env = MCPToolClient(base_url=tools_url)
        await env.connect()
        await env.reset(seed=1)
        tools = await env.list_tools()  # type: ignore[misc]  # asynchronous since it was awaited
        assert [(tool.name, tool.input_schema["type"]) for tool in tools] == [("add", "object"), ("fail", "object")]
        result = await env.step(CallToolAction(tool_name="add", arguments={"a": 2, "b": 3}))
        called: Any = result.observation
        assert (called.error, result.done) == (None, False)
        await env.close()

    asyncio.run(play())


def test_verifiers_v1_lists_tools_before_it_resets(tools_url: str) -> None:
    async def play() -> None:
        async with GenericEnvClient(base_url=tools_url) as client:
            async with httpx.AsyncClient(trust_env=False) as http:
                schema = (await http.get(f"{client._base_url}/schema")).json()
            assert schema["action"]["title"] == "CallToolAction"
            listed = (await client.step({"type": "list_tools"})).observation["tools"]
            assert {tool["name"]: sorted(tool["input_schema"]["properties"]) for tool in listed}["add"] == ["a", "b"]
            await client.reset(seed=1, difficulty="hard")
            action = {"type": "call_tool", "tool_name": "add", "arguments": {"a": 2, "b": 3}}
            result = await client.step(action)
            assert result.observation["result"]["data"] == 5
            assert (result.reward or 0.0, result.done) == (0.0, False)

    asyncio.run(play())


# --- Environments in process, and servers of their own


def test_nemo_gym_has_the_environment_itself() -> None:
    env: Any = ToolsEnvironment()
    env.reset(seed=1, episode_id="first")
    assert [tool.name for tool in env.step(ListToolsAction()).tools] == ["add", "fail"]
    observation = env.step(CallToolAction(tool_name="add", arguments={"a": 2, "b": 3}))
    assert (observation.done, observation.reward, observation.model_dump()["tool_name"]) == (False, None, "add")
    assert "asked to" in env.step(CallToolAction(tool_name="fail", arguments={})).error.message
    env.close()
    echo = EchoEnvironment()
    echo.reset(seed=1)
    assert (echo.step(say("Hi")).reward, echo.step(say("x")).model_dump()["echoed_message"]) == (0.2, "x")
    echo.close()


def test_agilerl_serves_its_own_environment_in_a_thread() -> None:
    class Turn(Action):
        text: str

    class Reply(Observation):
        text: str = ""
        truncated: bool = False

    class Guess(Environment[Turn, Reply, State]):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Reply:
            self.turns = 0
            return Reply(text="guess")

        def step(self, action: Turn, timeout_s: float | None = None, **options: Any) -> Reply:
            self.turns += 1
            return Reply(text=action.text, reward=1.0, done=self.turns == 2, truncated=self.turns == 2)

        @property
        def state(self) -> State:
            return State(step_count=self.turns)

    server = uvicorn.Server(uvicorn.Config(create_app(lambda: Guess(), Turn, Reply), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with GenericEnvClient(base_url=f"http://127.0.0.1:{port}") as env:
        assert env.reset().observation["text"] == "guess"
        assert not env.step({"text": "a"}).done
        last = env.step({"text": "b"})
        assert (last.done, last.observation["truncated"], last.observation["text"]) == (True, True, "b")
    server.should_exit = True
    thread.join()


def test_azure_speaks_the_wire_by_itself_in_both_flavours(url: str) -> None:
    frames = [
        '{"type": "reset", "data": {"seed": 1, "episode_id": "first", "extra": true}}',
        '{"type": "step", "data": {"message": "Hi"}}',
        '{"type": "state"}',
    ]
    socket = url.replace("http", "ws") + "/ws"

    def check(answers: list[str | bytes]) -> None:
        assert '"echoed_message":"ready"' in str(answers[0])
        assert '"reward":0.2,"done":false' in str(answers[1])
        assert answers[2] == '{"type":"state","data":{"episode_id":"first","step_count":1}}'

    async def play() -> list[str | bytes]:
        async with websockets.asyncio.client.connect(socket) as connection:
            answers = []
            for frame in frames:
                await connection.send(frame)
                answers.append(await connection.recv())
            return answers

    with websockets.sync.client.connect(socket) as connection:
        answers = []
        for frame in frames:
            connection.send(frame)
            answers.append(connection.recv())
    check(answers)
    check(asyncio.run(play()))
