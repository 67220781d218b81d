"""From an image to the first observation, against `docker run` and a bare poll loop in the same run.

    python benchmarks/containers.py IMAGE [--rounds 10]

The floor starts the same container with the same limits by one `docker run`, asks the engine for its port, and asks
`/health` every millisecond; then the same client resets. What lies between the two is ours: guarding, checking,
polling. Rounds alternate, so that both see the same machine; what is compared is the median.
"""

import argparse
import http.client
import secrets
import statistics
import time
from collections.abc import Callable
from contextlib import closing

from openenv import GenericEnvClient
from openenv.engine import docker
from openenv.runtimes.container_command import run_command
from openenv.runtimes.container_options import ContainerOptions
from openenv.runtimes.docker import DockerRuntime
from openenv.runtimes.owner import Owner

_POLL_S = 0.001


def ours(image: str) -> float:
    """Time the runtime."""
    begun = time.perf_counter()
    with DockerRuntime(image) as runtime, GenericEnvClient(runtime.url) as client:
        client.reset()
        return time.perf_counter() - begun


def floor(image: str) -> float:
    """Time `docker run` and a bare poll loop."""
    name = f"openenv-floor-{secrets.token_hex(4)}"
    command = run_command(ContainerOptions(image=image), name=name, run=name, owner=Owner.me())
    begun = time.perf_counter()
    try:
        docker(command.argv)
        port = int(docker(["port", name, "8000/tcp"]).rpartition(":")[2])
        while not healthy(port):
            time.sleep(_POLL_S)
        with GenericEnvClient(f"http://127.0.0.1:{port}") as client:
            client.reset()
            return time.perf_counter() - begun
    finally:
        docker(["rm", "--force", "--volumes", name])


def healthy(port: int) -> bool:
    """Ask `/health` once."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("image", help="an environment's image, as `openenv build` makes it")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    ways: dict[str, Callable[[str], float]] = {"floor": floor, "ours": ours}
    for way in ways.values():
        way(arguments.image)  # warm-up
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            taken[name].append(way(arguments.image))
    for name, seconds in taken.items():
        middle, best, worst = statistics.median(seconds), min(seconds), max(seconds)
        print(f"{name:6} median {middle:.3f} s   best {best:.3f} s   worst {worst:.3f} s")
    print(f"ratio  {statistics.median(taken['ours']) / statistics.median(taken['floor']):.2f}")


if __name__ == "__main__":
    main()
