"""What our sync client adds to a step: against a bare blocking round trip of `websockets.sync` to the same server.

    python -m benchmarks.client [--seconds 2] [--peer PYTHON]

The bare one sends the same frame over and over and decodes nothing. `--peer` names a Python with OpenEnv 0.10.0, whose
sync client then steps its own server. Runs alternate, so that all see the same machine; of each, the best counts.
"""

import argparse
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack

from websockets.sync.client import connect

from benchmarks.servers import SERVE, SERVERS, UPSTREAM
from benchmarks.steps import apart, served
from openenv import Action, EnvClient, Observation, State

BARE = "bare round trip of `websockets.sync`, nothing decoded"
OURS = "our sync client"
PEER_CLIENT = "sync client of OpenEnv 0.10.0, its own server"

_MESSAGE = "Hello, World!"
_FRAME = '{"type":"step","data":{"message":"Hello, World!"}}'
_STEPS = 100
_PEER_CLIENT = """
import sys, time
from openenv.core import GenericEnvClient

with GenericEnvClient(base_url=sys.argv[1]).sync() as client:
    client.reset()
    best, end = float("inf"), time.perf_counter() + float(sys.argv[2])
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(100):
            client.step({"message": "Hello, World!"})
        best = min(best, (time.perf_counter() - start) / 100)
print(best)
"""


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed_message: str = ""
    message_length: int = 0


class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
    """The client of the echo server."""


def trip(step: Callable[[], object]) -> float:
    """Give the seconds of a step, over a hundred."""
    start = time.perf_counter()
    for _ in range(_STEPS):
        step()
    return (time.perf_counter() - start) / _STEPS


def measure(seconds: float, peer: str | None) -> dict[str, float]:
    """Measure each client for about so many seconds, and give the seconds of one step by its name."""
    action = EchoAction(message=_MESSAGE)
    with ExitStack() as stack:
        core = stack.enter_context(apart())
        url = stack.enter_context(served(SERVERS[SERVE], core))
        socket = stack.enter_context(connect(url.replace("http", "ws") + "/ws", compression=None, proxy=None))
        env = stack.enter_context(EchoEnv(url))
        env.reset()

        def bare() -> None:
            socket.send(_FRAME)
            socket.recv()

        best = {BARE: trip(bare), OURS: trip(lambda: env.step(action))}
        end = time.perf_counter() + 2 * seconds
        while time.perf_counter() < end:
            best = {BARE: min(best[BARE], trip(bare)), OURS: min(best[OURS], trip(lambda: env.step(action)))}
        if peer is not None:
            theirs = stack.enter_context(served(UPSTREAM, core, peer))
            command = [peer, "-c", _PEER_CLIENT, theirs, str(seconds)]
            run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60 + seconds)
            best[PEER_CLIENT] = float(run.stdout.split()[-1])
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--peer", metavar="PYTHON", help="measure OpenEnv 0.10.0 too, installed for this Python")
    args = parser.parse_args()
    taken = measure(args.seconds, args.peer)
    for name, took_s in taken.items():
        print(f"{name:54} {1e6 * took_s:6.0f} us  ({took_s / taken[BARE]:.2f})")


if __name__ == "__main__":
    main()
