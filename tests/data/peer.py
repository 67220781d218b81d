"""Run by the Python of build/peers/openenv: drives our server with OpenEnv's client, and serves with its server.

Commands come as lines of JSON, `[name, arguments]`, and each is answered by one: `{"gave": value}`, or
`{"raised": [class names], "said": text}`. Importing the package takes seconds, so one process does all of a module.
"""

import asyncio
import contextlib
import importlib
import importlib.metadata
import json
import os
import signal
import socket
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from fastmcp import FastMCP
from openenv import GenericAction, GenericEnvClient
from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation, ListToolsAction
from openenv.core.env_server.types import Action, Observation, State
from openenv.core.mcp_client import MCPToolClient
from openenv.core.sync_client import SyncEnvClient


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed_message: str = ""
    message_length: int = 0


class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
    """Its hooks, as a scaffolded client of OpenEnv has them."""

    def _step_payload(self, action):
        return {"message": action.message}

    def _parse_result(self, payload):
        data = payload.get("observation", {})
        observation = EchoObservation(
            echoed_message=data.get("echoed_message", ""),
            message_length=data.get("message_length", 0),
            done=payload.get("done", False),
            reward=payload.get("reward"),
            metadata=data.get("metadata", {}),
        )
        return StepResult(observation=observation, reward=payload.get("reward"), done=payload.get("done", False))

    def _parse_state(self, payload):
        return State(episode_id=payload.get("episode_id"), step_count=payload.get("step_count", 0))


class EchoEnvironment(Environment):
    """`raise` raises, `sleep 0.5` sleeps; `wait` waits to be killed."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        self._state = State(episode_id=str(uuid.uuid4()), step_count=0)

    def reset(self, seed=None, episode_id=None, **options):
        self._state = State(episode_id=episode_id or str(uuid.uuid4()), step_count=0)
        return EchoObservation(echoed_message="ready", reward=0.0, metadata={"seed": seed, **options})

    def step(self, action):
        match action.message.split():
            case ["raise"]:
                raise ValueError("asked to")
            case ["sleep", seconds]:
                threading.Event().wait(float(seconds))
            case ["wait"]:
                print(json.dumps({"entered": os.getpid()}), file=sys.stderr, flush=True)
                threading.Event().wait(60)
        self._state.step_count += 1
        return EchoObservation(
            echoed_message=action.message,
            message_length=len(action.message),
            reward=len(action.message) * 0.1,
            metadata={"step": self._state.step_count},
        )

    @property
    def state(self):
        return self._state


class ToolsEnvironment(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        mcp = FastMCP("tools")

        @mcp.tool
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            return a + b

        @mcp.tool
        def fail() -> str:
            """Fail."""
            raise ValueError("asked to")

        super().__init__(mcp)

    def reset(self, seed=None, episode_id=None, **options):
        return Observation(done=False, reward=0.0)

    def _step_impl(self, action, timeout_s=None, **options):
        return Observation(done=False)

    @property
    def state(self):
        return State(episode_id="tools")


def told(result):
    observation = result.observation
    return {
        "echoed": observation["echoed_message"] if isinstance(observation, dict) else observation.echoed_message,
        "metadata": observation["metadata"] if isinstance(observation, dict) else observation.metadata,
        "reward": result.reward,
        "done": result.done,
    }


def say(message):
    return EchoAction(message=message)


def distributions():
    """Name what is installed here that is called openenv."""
    found = [each.name for each in importlib.metadata.distributions() if each.name.startswith("openenv")]
    return sorted(f"{name}=={importlib.metadata.version(name)}" for name in found)


# --- Its client, on our server


def plain(url):
    with EchoEnv(base_url=url) as env:
        started = told(env.reset(seed=7, episode_id="first", level="hard"))
        return [started, told(env.step(say("Hi"))), env.state().model_dump()]


def explicit(url):
    with EchoEnv(base_url=url).sync() as env:
        assert isinstance(env, SyncEnvClient)
        started = told(env.reset(seed=7, episode_id="first", level="hard"))
        return [started, told(env.step(say("Hi"))), env.state().model_dump()]


def without_with(url):
    env = EchoEnv(base_url=url)
    try:
        started = told(env.reset(seed=7, episode_id="first", level="hard"))
        return [started, told(env.step(say("Hi"))), env.state().model_dump()]
    finally:
        env.close()


def asynchronous(url):
    async def play():
        async with EchoEnv(base_url=url) as env:
            started = told(await env.reset(seed=7, episode_id="first", level="hard"))
            return [started, told(await env.step(say("Hi"))), (await env.state()).model_dump()]

    return asyncio.run(play())


def generic(url):
    with GenericEnvClient(base_url=url, headers={"X-Any": "thing"}) as env:
        started = told(env.reset(seed=7, episode_id="first", level="hard"))
        return [started, told(env.step(GenericAction(message="Hi"))), env.state()]


def sessions(url):
    async def play():
        async with EchoEnv(base_url=url) as env:
            other = await env.new_session()
            await env.reset(episode_id="mine")
            await other.reset(episode_id="other")
            await other.step(say("x"))
            return [(await each.state()).model_dump() for each in (env, other)]

    return asyncio.run(play())


def gathered(url, count):
    async def one(number):
        async with EchoEnv(base_url=url) as env:
            await env.reset()
            return [(await env.step(say(f"{number}:{step}"))).observation.echoed_message for step in range(5)]

    async def play():
        return await asyncio.gather(*(one(number) for number in range(count)))

    return asyncio.run(play())


def threaded(url, count):
    def one(number):
        with EchoEnv(base_url=url).sync() as env:
            env.reset()
            return [env.step(say(f"{number}:{step}")).observation.echoed_message for step in range(5)]

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def after_a_failure(url, action):
    """Give what a failed step says, and whether the same session then goes on."""
    with GenericEnvClient(base_url=url).sync() as env:
        env.reset(episode_id="first")
        try:
            env.step(action)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        env.step({"message": "x"})
        return [said, env.state()]


def too_many(url):
    with EchoEnv(base_url=url).sync() as env, contextlib.ExitStack() as stack:
        env.reset()
        return told(stack.enter_context(EchoEnv(base_url=url).sync()).reset())


def impatient(url):
    with EchoEnv(base_url=url, message_timeout_s=0.3).sync() as env:
        env.reset()
        env.step(say("sleep 1"))


def large(url, size):
    with EchoEnv(base_url=url).sync() as env:
        env.reset()
        result = env.step(say("x" * size))
        return [result.observation.message_length, len(result.observation.echoed_message)]


def reset_only(url):
    with EchoEnv(base_url=url).sync() as env:
        return told(env.reset())


def tools(url):
    """Everything that its MCP client does."""
    with MCPToolClient(base_url=url).sync() as env:
        listed = env.list_tools()
        answers = [env.call_tool("add", a=2, b=3), env.has_tool("add"), env.has_tool("subtract")]
        schema = env.get_tool("add").input_schema
        try:
            env.call_tool("fail")
        except Exception as error:
            answers.append(f"{type(error).__name__}: {error}")
        return {"names": sorted(tool.name for tool in listed), "answers": answers, "schema": schema}


def tools_by_step(url):
    with MCPToolClient(base_url=url).sync() as env:
        env.reset()
        listed = env.step(ListToolsAction()).observation
        called = env.step(CallToolAction(tool_name="add", arguments={"a": 2, "b": 3})).observation
        return [sorted(tool.name for tool in listed.tools), str(called.result)]


def tools_asynchronously(url):
    async def play():
        async with MCPToolClient(base_url=url) as env:
            await env.reset()
            return [[tool.name for tool in await env.list_tools()], await env.call_tool("add", a=2, b=3)]

    return asyncio.run(play())


def program(folder, name, function, url):
    """Run a program that was written for it, with an environment's own client."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return getattr(importlib.import_module(name), function)(url)


# --- Its server, for our client


ENVIRONMENTS = {
    "echo": (EchoEnvironment, EchoAction, EchoObservation),
    "tools": (ToolsEnvironment, CallToolAction, CallToolObservation),
}


def serve(name="echo", **options):
    """Serve in a process of its own, forked so that nothing is imported again; give the port and the process."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = os.fork()
        if process == 0:
            os.dup2(2, 1)
            app = create_app(*ENVIRONMENTS[name], env_name=name, **options)
            config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
            threading.Thread(target=end_with_parent, args=[os.getppid()], daemon=True).start()
            uvicorn.Server(config).run(sockets=[listener])
            os._exit(0)
        children.append(process)
        return [listener.getsockname()[1], process]


def end_with_parent(parent):
    while os.getppid() == parent:
        threading.Event().wait(0.2)
    os._exit(1)


children = []
COMMANDS = {
    each.__name__: each
    for each in (
        after_a_failure, asynchronous, distributions, explicit, gathered, generic, impatient, large, plain, program, reset_only, serve, sessions,
        threaded, too_many, tools, tools_asynchronously, tools_by_step, without_with,
    )
}  # fmt: skip


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    print(json.dumps({"gave": "ready"}), flush=True)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"gave": COMMANDS[name](**arguments)}
        except Exception as error:
            answer = {"raised": [each.__name__ for each in type(error).__mro__], "said": str(error)}
        print(json.dumps(answer), flush=True)
    for process in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main()
