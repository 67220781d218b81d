"""The arguments that start a container, and the ways its environment variables take.

Pure: options in, argument vectors out. Values of environment variables are in none of them, since every user of the
machine can read an argument vector. They go in by the standard input of the `docker` command, as a file of variables;
those that such a file cannot hold go by its environment.
"""

import csv
import io
from dataclasses import dataclass

from openenv.runtimes.container_options import ContainerOptions, Volume
from openenv.runtimes.owner import Owner

__all__ = [
    "ISOLATED_NETWORK",
    "OWNER_LABEL",
    "PORT_LABEL",
    "RUN_LABEL",
    "RunCommand",
    "container_name",
    "isolated_network_command",
    "removal_command",
    "run_command",
    "service_command",
    "service_removal_command",
]

RUN_LABEL = "openenv.run"
OWNER_LABEL = "openenv.owner"
PORT_LABEL = "openenv.port"
ISOLATED_NETWORK = "openenv-isolated"

_REMOVE_SERVICE = 'ids=$(docker service ls --quiet --filter "label=$0") && [ -n "$ids" ] && docker service rm $ids'
_REMOVE = 'ids=$(docker ps --all --quiet --no-trunc --filter "label=$0") && [ -n "$ids" ] && docker rm -f -v $ids'


@dataclass(frozen=True)
class RunCommand:
    """A `docker` command and the two ways of its secrets.

    Attributes:
        argv: What follows `docker`.
        stdin: The file of variables that it reads.
        env: Variables that it takes from its own environment.
    """

    argv: list[str]
    stdin: bytes
    env: dict[str, str]


def run_command(options: ContainerOptions, *, name: str, run: str, owner: Owner) -> RunCommand:
    """Build the command that starts a container in the background.

    Args:
        options: What it is given.
        name: What it is called.
        run: What tells it from every other container.
        owner: Whose it is.
    """
    argv = [
        *["run", "--detach", "--pull", "never", "--name", name],
        *["--init", "--security-opt", "no-new-privileges", "--cap-drop", "ALL"],
        *["--label", f"{RUN_LABEL}={run}", "--label", f"{OWNER_LABEL}={owner}"],
        *["--label", f"{PORT_LABEL}={options.container_port}"],
        *_limits(options),
        *_network(options),
    ]
    return _with_variables(options, argv)


def service_command(options: ContainerOptions, *, name: str, replicas: int, run: str, owner: Owner) -> RunCommand:
    """Build the command that starts replicas of a container in a swarm, each published on a port of its own node.

    No replica is started again after it has ended: it would be at another port, and without its sessions. The image's
    own health check is left out, since the swarm would count a replica as started only after it.
    """
    labels = {RUN_LABEL: run, OWNER_LABEL: str(owner), PORT_LABEL: str(options.container_port)}
    argv = [
        *["service", "create", "--detach", "--quiet", "--name", name, "--replicas", str(replicas)],
        *["--no-resolve-image", "--no-healthcheck", "--restart-condition", "none"],
        *["--init", "--cap-drop", "ALL", "--stop-grace-period", f"{options.stop_timeout_s}s"],
        *["--publish", f"mode=host,target={options.container_port},protocol=tcp"],
    ]
    for label, value in labels.items():
        argv += ["--label", f"{label}={value}", "--container-label", f"{label}={value}"]
    if (memory := options.memory_bytes) is not None:
        argv += ["--limit-memory", str(memory)]
    if options.cpus is not None:
        argv += ["--limit-cpu", f"{options.cpus:.10g}"]
    if options.pids is not None:
        argv += ["--limit-pids", str(options.pids)]
    return _with_variables(options, argv)


def isolated_network_command() -> list[str]:
    """Build the command that makes the network of containers without a network.

    Nothing is forwarded out of an internal network, and between its containers nothing either; only this host itself
    reaches into it. One is shared, since an engine has addresses for some thirty networks.
    """
    return [
        *["network", "create", "--internal", "--label", f"{RUN_LABEL}=network"],
        *["--opt", "com.docker.network.bridge.enable_icc=false", ISOLATED_NETWORK],
    ]


def removal_command(run: str) -> list[str]:
    """Build the command by which a container goes when its owner was killed. Fails while there is none."""
    return ["sh", "-c", _REMOVE, f"{RUN_LABEL}={run}"]


def service_removal_command(run: str) -> list[str]:
    """Build the command by which a service goes when its owner was killed. Fails while there is none."""
    return ["sh", "-c", _REMOVE_SERVICE, f"{RUN_LABEL}={run}"]


def container_name(image: str, run: str) -> str:
    """Name a container after its image: openenv-my_env-env-1f2e3d4c."""
    repository = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return f"openenv-{repository}-{run[:8]}"


def _with_variables(options: ContainerOptions, argv: list[str]) -> RunCommand:
    """Add what both kinds of commands say alike: volumes, variables, and the image at the end."""
    by_file, by_environment = options.env_by_file, options.env_by_environment
    for volume in options.mounts:
        argv += ["--mount", _mount(volume)]
    argv += ["--env-file", "/dev/stdin"] if by_file else []
    for variable in by_environment:
        argv += ["--env", variable]
    lines = "".join(f"{variable}={value}\n" for variable, value in by_file.items())
    return RunCommand([*argv, options.image], lines.encode(), by_environment)


def _limits(options: ContainerOptions) -> list[str]:
    argv = []
    if (memory := options.memory_bytes) is not None:
        argv += ["--memory", str(memory), "--memory-swap", str(memory)]  # the same: no swap on top
    if options.cpus is not None:
        argv += ["--cpus", f"{options.cpus:.10g}"]
    if options.pids is not None:
        argv += ["--pids-limit", str(options.pids)]
    if options.gpus is not None:
        argv += ["--gpus", _csv([str(options.gpus)])]
    return argv


def _network(options: ContainerOptions) -> list[str]:
    if options.network == "none":
        # The engine would answer questions for names on the network's behalf, which are a way out too.
        return ["--network", ISOLATED_NETWORK, "--dns", "127.0.0.1"]
    host_port = "" if options.port is None else options.port
    return ["--network", "bridge", "--publish", f"127.0.0.1:{host_port}:{options.container_port}"]


def _mount(volume: Volume) -> str:
    kind = "bind" if volume.is_path else "volume"
    fields = [f"type={kind}", f"source={volume.source}", f"target={volume.target}"]
    return _csv([*fields, "readonly"] if volume.is_read_only else fields)


def _csv(fields: list[str]) -> str:
    """Write fields as `docker` reads them, quoted where they hold a comma."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
