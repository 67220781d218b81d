"""Steps a second of vectors: 256 environments on one socket, against the same ones in process and against peers.

    python -m benchmarks.vectors [--seconds 2] [--peer PYTHON] [--rlmesh PYTHON] [--json FILE]

PYTHON are interpreters of environments that have OpenEnv 0.10.0, and RLMesh 0.1.0 with Gymnasium, installed; without
them those lines are left out. OpenEnv's server is stepped over 16 connections, since it has no batches. Servers are
pinned to one core and what drives them to another; AsyncVectorEnv, in process, has all cores. Each figure is the best
of many short runs, since other work shares the machine.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.servers import SERVE, SERVERS, UPSTREAM
from benchmarks.steps import apart, served
from openenv import Action, EnvClient, Observation, State

ECHO_LOCAL = "echo, in process"
ECHO_VECTOR = "echo, EchoEnv.vector"
ECHO_PEER = "echo, OpenEnv 0.10.0"
CARTPOLE_SYNC = "CartPole, SyncVectorEnv"
CARTPOLE_ASYNC = "CartPole, AsyncVectorEnv"
CARTPOLE_REMOTE = "CartPole, make_vec, a session each"
CARTPOLE_VECTOR = "CartPole, make_vec, one vector"
CARTPOLE_OWN = "CartPole, make_vec, its own vector"
"""The vector that Gymnasium registers for it, which steps all of them by the same lines of NumPy."""
CARTPOLE_RLMESH = {"lanes": "CartPole, RLMesh, lanes", "vector": "CartPole, RLMesh, vector"}
"""RLMesh serves a list of environments, each a lane, or one vector environment."""

ENVS = 256
_SERVED = {
    CARTPOLE_REMOTE: "max_concurrent_envs=512",
    CARTPOLE_VECTOR: f"{{'vectorization_mode': 'sync'}}, num_envs={ENVS}",
    CARTPOLE_OWN: f"{{'vectorization_mode': 'vector_entry_point'}}, num_envs={ENVS}",
}
_CARTPOLE = """
from openenv.gym import create_app_from_gym
from openenv.server import run

app = create_app_from_gym("CartPole-v1", {arguments}, blocking=False)
run(app, port=0, log_level="error", on_bound=lambda url: print(url, flush=True))
"""
_RLMESH = """
import sys
import gymnasium, rlmesh

environments = [gymnasium.make("CartPole-v1") for _ in range({count})]
server = rlmesh.EnvServer(environments if sys.argv[1] == "lanes" else gymnasium.make_vec(
    "CartPole-v1", num_envs={count}, vectorization_mode="sync"), sys.argv[2])
server.serve()
"""
_RLMESH_CLIENT = """
import sys, time, warnings
import numpy, rlmesh.numpy

warnings.simplefilter("ignore")
for _ in range(100):
    try:
        env = rlmesh.numpy.RemoteVectorEnv(sys.argv[1])
        break
    except Exception:
        time.sleep(0.1)
"""
_LOCAL = """
import sys, time
import gymnasium, numpy

env = gymnasium.make_vec("CartPole-v1", num_envs={count}, vectorization_mode=sys.argv[1])
"""
_REMOTE = """
import sys, time
import numpy
from openenv.gym import make_vec

env = make_vec(sys.argv[1], {count})
"""
_DRIVE = """
env.reset(seed=1)
actions = [numpy.random.default_rng(n).integers(0, 2, {count}) for n in range(5)]
best, end = 0.0, time.perf_counter() + {seconds}
while time.perf_counter() < end:
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    best = max(best, 5 * {count} / (time.perf_counter() - start))
print(best)
env.close()
"""


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed_message: str = ""
    message_length: int = 0


class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
    """The client of the echo server."""


class Echo:
    """What the server has, in process."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self, action: EchoAction) -> EchoObservation:
        self.steps += 1
        text = action.message
        return EchoObservation(echoed_message=text, message_length=len(text), reward=len(text) / 10, done=False)


def rate(step: Callable[[], object], seconds: float) -> float:
    """Steps a second: the best of many short runs."""
    step()
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(5):
            step()
        best = max(best, 5 * ENVS / (time.perf_counter() - start))
    return best


async def upstream_rate(url: str, connections: int, seconds: float) -> float:
    """One step in flight on each of some connections, which is all that dialect 1 allows; replies are parsed."""
    from websockets.asyncio.client import connect

    frame = json.dumps({"type": "step", "data": {"message": "hello 100"}})
    async with contextlib.AsyncExitStack() as stack:
        address = url.replace("http", "ws") + "/ws"
        links = [await stack.enter_async_context(connect(address, compression=None)) for _ in range(connections)]

        async def exchange(link: Any, request: str, times: int) -> None:
            for _ in range(times):
                await link.send(request)
                json.loads(await link.recv())

        await asyncio.gather(*(exchange(link, json.dumps({"type": "reset", "data": {}}), 1) for link in links))
        best, end = 0.0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            await asyncio.gather(*(exchange(link, frame, 20) for link in links))
            best = max(best, 20 * connections / (time.perf_counter() - start))
        return best


def measure(seconds: float, peer: str | None, rlmesh: str | None) -> dict[str, float]:
    """Measure every vector for so many seconds, and give steps of single environments a second by its name."""
    found = {CARTPOLE_ASYNC: _driven(sys.executable, _LOCAL, "async", seconds)}
    with apart() as core:
        echo = measure_echo(seconds, peer, core)
        return {**echo, **measure_cartpole(seconds, rlmesh, core), **found}


def measure_echo(seconds: float, peer: str | None, core: int | None) -> dict[str, float]:
    actions = [EchoAction(message=f"hello {index}") for index in range(ENVS)]
    inside = [Echo() for _ in range(ENVS)]
    pairs = list(zip(inside, actions, strict=True))
    found = {ECHO_LOCAL: rate(lambda: [env.step(action) for env, action in pairs], seconds)}
    with served(SERVERS[SERVE], core) as url, EchoEnv.vector(url, ENVS) as envs:
        envs.reset()
        found[ECHO_VECTOR] = rate(lambda: envs.step(actions), seconds)
    if peer is not None:
        with served(UPSTREAM, core, peer) as url:
            found[ECHO_PEER] = asyncio.run(upstream_rate(url, 16, seconds))
    return found


def measure_cartpole(seconds: float, rlmesh: str | None, core: int | None) -> dict[str, float]:
    found = {CARTPOLE_SYNC: _driven(sys.executable, _LOCAL, "sync", seconds)}
    for name, arguments in _SERVED.items():
        with served(_CARTPOLE.format(arguments=arguments), core) as url:
            found[name] = _driven(sys.executable, _REMOTE, url, seconds)
    if rlmesh is not None:
        found.update({name: _rlmesh_rate(rlmesh, kind, seconds, core) for kind, name in CARTPOLE_RLMESH.items()})
    return found


def _rlmesh_rate(python: str, kind: str, seconds: float, core: int | None) -> float:
    address = f"tcp://127.0.0.1:{_free_port()}"
    server = [python, "-W", "ignore", "-c", _RLMESH.format(count=ENVS), kind, address]
    with subprocess.Popen(server, stderr=subprocess.DEVNULL) as process:
        try:
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            return _driven(python, _RLMESH_CLIENT, address, seconds)
        finally:
            process.kill()


def _driven(python: str, makes_env: str, argument: str, seconds: float) -> float:
    """Drive CartPole, as the program before it makes it, in a process of its own: every way by the same lines."""
    source = makes_env.format(count=ENVS) + _DRIVE.format(count=ENVS, seconds=seconds)
    command = [python, "-c", source, argument]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60 + seconds)
    return float(run.stdout.split()[0])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--peer", metavar="PYTHON")
    parser.add_argument("--rlmesh", metavar="PYTHON")
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args(arguments)
    found = measure(given.seconds, given.peer, given.rlmesh)
    for name, steps in found.items():
        base = found[ECHO_LOCAL if name.startswith("echo") else CARTPOLE_SYNC]
        print(f"{name:48} {steps:10,.0f} steps/s {steps / base:6.2f}")
    if given.json:
        with open(given.json, "w") as file:
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
