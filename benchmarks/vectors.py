"""Steps a second of vectors: 256 environments on one socket, against the same ones in process and against peers.

    python -m benchmarks.vectors [--peer PYTHON] [--rlmesh PYTHON] [--json FILE]

PYTHON are interpreters of environments that have OpenEnv 0.10.0 and RLMesh 0.1.0 installed; without them those lines
are left out. Ratios within one run are what counts.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.servers import SERVERS, UPSTREAM
from openenv import Action, EnvClient, Observation, State

_ENVS = 256
_SECONDS = 2.0
_CARTPOLE = """
from openenv.gym import create_app_from_gym
from openenv.server import run

app = create_app_from_gym("CartPole-v1", max_concurrent_envs=512, blocking=False)
run(app, port=0, log_level="error", on_bound=lambda url: print(url, flush=True))
"""
_RLMESH = """
import sys, threading, time
import gymnasium, numpy, rlmesh, rlmesh.numpy

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
env.reset(seed=1)
actions = [numpy.random.default_rng(n).integers(0, 2, {count}) for n in range(10)]
best, end = 0.0, time.perf_counter() + {seconds}
while time.perf_counter() < end:
    start = time.perf_counter()
    for action in actions:
        env.step(action)
    best = max(best, 10 * {count} / (time.perf_counter() - start))
print(best)
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


def rate(step: Callable[[], object], count: int = _ENVS) -> float:
    """Steps a second: the best of many short runs, since other work shares the machine."""
    step()
    best, end = 0.0, time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(5):
            step()
        best = max(best, 5 * count / (time.perf_counter() - start))
    return best


@contextlib.contextmanager
def serving(source: str, python: str = sys.executable) -> Iterator[str]:
    with subprocess.Popen([python, "-c", source], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def upstream_rate(url: str, connections: int) -> float:
    """One step in flight on each of some connections, which is all that dialect 1 allows; replies are parsed."""
    from websockets.asyncio.client import connect

    frame = json.dumps({"type": "step", "data": {"message": "hello 100"}})
    async with contextlib.AsyncExitStack() as stack:
        address = url.replace("http", "ws") + "/ws"
        sockets = [await stack.enter_async_context(connect(address, compression=None)) for _ in range(connections)]

        async def exchange(socket: Any, request: str, times: int) -> None:
            for _ in range(times):
                await socket.send(request)
                json.loads(await socket.recv())

        await asyncio.gather(*(exchange(socket, json.dumps({"type": "reset", "data": {}}), 1) for socket in sockets))
        best, end = 0.0, time.perf_counter() + 2 * _SECONDS
        while time.perf_counter() < end:
            start = time.perf_counter()
            await asyncio.gather(*(exchange(socket, frame, 20) for socket in sockets))
            best = max(best, 20 * connections / (time.perf_counter() - start))
        return best


def measure_echo(peer: str | None) -> dict[str, float]:
    actions = [EchoAction(message=f"hello {index}") for index in range(_ENVS)]
    inside = [Echo() for _ in range(_ENVS)]
    found = {"echo, in process": rate(lambda: [env.step(action) for env, action in zip(inside, actions, strict=True)])}
    with serving(SERVERS["openenv serve, BLOCKING = False"]) as url, EchoEnv.vector(url, _ENVS) as envs:
        envs.reset()
        found["echo, EnvVector"] = rate(lambda: envs.step(actions))
    if peer is not None:
        with serving(UPSTREAM, peer) as url:
            found["echo, OpenEnv 0.10.0 on 16 connections"] = asyncio.run(upstream_rate(url, 16))
    return found


def measure_cartpole(rlmesh: str | None) -> dict[str, float]:
    import gymnasium

    from openenv.gym import make_vec

    found = {}
    actions = np.random.default_rng(0).integers(0, 2, _ENVS)
    local = gymnasium.make_vec("CartPole-v1", num_envs=_ENVS, vectorization_mode="sync")
    local.reset(seed=1)
    found["CartPole, SyncVectorEnv in process"] = rate(lambda: local.step(actions))
    with serving(_CARTPOLE) as url:
        remote = make_vec(url, _ENVS)
        remote.reset(seed=1)
        found["CartPole, make_vec"] = rate(lambda: remote.step(actions))
        remote.close()
    for kind in ("lanes", "vector") if rlmesh is not None else ():
        assert rlmesh is not None
        found[f"CartPole, RLMesh 0.1.0, {kind}"] = _rlmesh_rate(rlmesh, kind)
    return found


def _rlmesh_rate(python: str, kind: str) -> float:
    address = f"tcp://127.0.0.1:{_free_port()}"
    server = [python, "-W", "ignore", "-c", _RLMESH.format(count=_ENVS), kind, address]
    with subprocess.Popen(server, stderr=subprocess.DEVNULL) as process:
        try:
            client = [python, "-c", _RLMESH_CLIENT.format(count=_ENVS, seconds=_SECONDS), address]
            return float(subprocess.run(client, stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout)
        finally:
            process.kill()


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer")
    parser.add_argument("--rlmesh")
    parser.add_argument("--json")
    given = parser.parse_args(arguments)
    found = {**measure_echo(given.peer), **measure_cartpole(given.rlmesh)}
    for name, steps in found.items():
        base = found["echo, in process" if name.startswith("echo") else "CartPole, SyncVectorEnv in process"]
        sys.stdout.write(f"{name:45} {steps:10.0f} steps/s {steps / base:6.2f}\n")
    if given.json:
        with open(given.json, "w") as file:
            json.dump(found, file, indent=2)


if __name__ == "__main__":
    main()
