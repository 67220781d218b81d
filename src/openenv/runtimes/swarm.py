"""An image, served by several replicas of a service of Docker's swarm.

Every replica is published on a port of its own, and has a URL of its own: what spreads connections over replicas would
spread those of one HTTP session too. So a session stays where it began, over WebSocket and over HTTP.

The swarm publishes on every address of a node, never on the loopback one alone, and knows no `no-new-privileges`.
Decides nothing about the swarm itself: whether an engine joins one is up to its owner.
"""

import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openenv import engine
from openenv.errors import ConfigurationError, EngineFailed, NotInstalled, NotReady, StartFailed
from openenv.runtimes import watchdog
from openenv.runtimes.container_command import (
    RUN_LABEL,
    RunCommand,
    container_name,
    service_command,
    service_removal_command,
)
from openenv.runtimes.container_options import DEFAULT_CPUS, DEFAULT_MEMORY, DEFAULT_PIDS, ContainerOptions
from openenv.runtimes.contract import Runtime, wait_until_healthy
from openenv.runtimes.owner import Owner

__all__ = ["SwarmRuntime", "describe_tasks", "published_ports"]

_ENGINE_S = 60.0
_GONE_S = 30.0
_LOOK_S = 0.1
_KEPT_LINES = 1000
_ORPHAN_RETRY_S = 15.0
_ENDED = ("complete", "failed", "orphaned", "rejected", "remove", "shutdown")


class SwarmRuntime(Runtime):
    """Runs replicas of an image as a service of the swarm that this machine's engine manages.

    `url` is the first replica's, `urls` are all of them; a client drives the replica whose URL it is given.

    Args:
        image: What `openenv build` or `docker build` has made; every node needs it, or a registry that has it.
        replicas: How many.
        container_port: Where the server listens inside.
        env_vars: Environment variables of the server. Their values are in no argument vector.
        memory: Of each replica, as "512m", "2g" or bytes; None for no limit.
        cpus: Of each replica; None for no limit.
        pids: Of each replica; None for no limit.
        volumes: Path on the node, or name of a volume, to "/path" or "/path:ro" inside.
        name: Of the service; made up from the image's by default.
        start_timeout_s: Seconds from the launch until every replica must be healthy.
        stop_timeout_s: Whole seconds that a replica has to end by itself, before it is killed.

    Raises:
        ConfigurationError: An option has a value that does not fit.
    """

    _DIED_LOOK_S = 0.5

    def __init__(
        self,
        image: str,
        *,
        replicas: int = 2,
        container_port: int = 8000,
        env_vars: Mapping[str, str] | None = None,
        memory: str | int | None = DEFAULT_MEMORY,
        cpus: float | None = DEFAULT_CPUS,
        pids: int | None = DEFAULT_PIDS,
        volumes: Mapping[str | Path, str] | None = None,
        name: str | None = None,
        start_timeout_s: float = 60.0,
        stop_timeout_s: int = 10,
    ) -> None:
        super().__init__(start_timeout_s=start_timeout_s)
        if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 1:
            raise ConfigurationError(f"replicas is {replicas!r}; it must be a number of 1 or more")
        self._replicas = replicas
        self._options = ContainerOptions(
            image=image,
            name=name,
            container_port=container_port,
            env_vars=dict(env_vars or {}),
            memory=memory,
            cpus=cpus,
            pids=pids,
            volumes=dict(volumes or {}),
            stop_timeout_s=stop_timeout_s,
        )
        self._run = ""
        self._name = name or ""
        self._service: str | None = None
        self._urls: tuple[str, ...] = ()
        self._kept = ""

    @property
    def urls(self) -> tuple[str, ...]:
        """Where each replica is.

        Raises:
            UsageError: It is not running.
        """
        return (self.url, *self._urls[1:])

    def logs(self, lines: int = 100) -> str:
        """Give the last lines of what the replicas have printed, also after they were stopped."""
        if self._service is None:
            return "\n".join(self._kept.splitlines()[-lines:])
        printed: list[str] = []
        command = ["service", "logs", "--raw", "--tail", str(lines), self._service]
        engine.stream(command, printed.append, timeout_s=_ENGINE_S)
        return "\n".join(printed[-lines:])

    def died(self) -> str | None:
        """Say how a replica came to its end; None while all of them run."""
        if self._service is None:
            return "it was stopped"
        tasks = self._tasks()
        return describe_tasks(tasks) if tasks else "its service was removed"

    def _launch(self) -> str:
        node = _require_manager()
        self._run = secrets.token_hex(16)
        self._name = self._options.name or container_name(self._options.image, self._run)
        watchdog.guard(self._run, service_removal_command(self._run), retry_s=_ORPHAN_RETRY_S)
        command = service_command(
            self._options, name=self._name, replicas=self._replicas, run=self._run, owner=Owner.me()
        )
        self._service = self._create(command)
        deadline = time.monotonic() + self._start_timeout_s
        self._urls = self._wait_for_urls(node, deadline)
        for url in self._urls[1:]:
            left_s = max(deadline - time.monotonic(), _LOOK_S)
            wait_until_healthy(url, died=self.died, timeout_s=left_s, died_look_s=self._DIED_LOOK_S)
        return self._urls[0]

    def _create(self, command: RunCommand) -> str:
        try:
            return engine.docker(command.argv, stdin=command.stdin, env=command.env).split()[0]
        except EngineFailed as error:
            raise StartFailed(f"the swarm made no service of {self._options.image}", logs=error.logs) from error

    def _wait_for_urls(self, node: str, deadline: float) -> tuple[str, ...]:
        """Wait until every replica has a port; the swarm chooses them when it has started the containers."""
        while True:
            tasks = self._tasks()
            if (how := describe_tasks(tasks)) is not None:
                raise StartFailed(f"the service {self._name} did not start: {how}")
            ports = published_ports(tasks)
            if len(ports) == self._replicas:
                return tuple(f"http://{_address(where, node)}:{port}" for where, port in ports)
            if time.monotonic() >= deadline:
                raise NotReady(
                    f"{len(ports)} of {self._replicas} replicas of {self._name} had started within "
                    f"{self._start_timeout_s:g} s; allow more by start_timeout_s"
                )
            time.sleep(_LOOK_S)

    def _tasks(self) -> list[dict[str, Any]]:
        try:
            ids = engine.docker(["service", "ps", "--quiet", "--no-trunc", str(self._service)]).split()
            return list(json.loads(engine.docker(["inspect", "--type", "task", *ids]))) if ids else []
        except EngineFailed:
            return []  # the service is gone

    def _remove(self) -> None:
        # Reading takes a thread, and at exit none can be started any more.
        if self._service is not None and threading.main_thread().is_alive():
            self._kept = self._last_words(_KEPT_LINES)
        if self._run:
            services = engine.docker(["service", "ls", "--quiet", "--filter", f"label={RUN_LABEL}={self._run}"]).split()
            if services:
                engine.docker(["service", "rm", *services])
            self._wait_until_gone()
            watchdog.release(self._run)
        self._service, self._run = None, ""

    def _wait_until_gone(self) -> None:
        """Wait for this node's containers, which the swarm stops after it has said that the service is removed."""
        find = ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={RUN_LABEL}={self._run}"]
        deadline = time.monotonic() + self._options.stop_timeout_s + _GONE_S
        while left := engine.docker(find).split():
            if time.monotonic() >= deadline:
                engine.docker(["rm", "--force", "--volumes", *left], timeout_s=_ENGINE_S)
            else:
                time.sleep(_LOOK_S)

    def __str__(self) -> str:
        return f"the service {self._name} of {self._options.image}"


def published_ports(tasks: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Read node and port of each replica that has one, in the order of the replicas."""
    found = []
    for task in sorted(tasks, key=lambda task: int(task["Slot"])):
        ports = (task["Status"].get("PortStatus") or {}).get("Ports") or []
        if ports:
            found.append((str(task["NodeID"]), int(ports[0]["PublishedPort"])))
    return found


def describe_tasks(tasks: Sequence[Mapping[str, Any]]) -> str | None:
    """Say how the first replica that ended came to it; None while all of them run, or are on their way."""
    for task in sorted(tasks, key=lambda task: int(task["Slot"])):
        status = task["Status"]
        if status["State"] in _ENDED:
            code = (status.get("ContainerStatus") or {}).get("ExitCode", 0)
            how = status.get("Err") or f"it exited with code {code}"
            return f"replica {task['Slot']}: {how}"
    return None


def _require_manager() -> str:
    """Give the id of this node.

    Raises:
        NotInstalled: This engine manages no swarm.
    """
    told = json.loads(engine.docker(["info", "--format", "{{json .Swarm}}"]))
    if told["LocalNodeState"] != "active":
        raise NotInstalled(
            "this Docker engine is in no swarm",
            hint="`docker swarm init` makes one of it; the docker runtime needs none",
        )
    if not told["ControlAvailable"]:
        raise NotInstalled(
            "this Docker engine is a worker of its swarm, which cannot start services",
            hint="run this on a manager, or point DOCKER_HOST at one",
        )
    return str(told["NodeID"])


def _address(node: str, here: str) -> str:
    if node == here:
        return "127.0.0.1"
    return engine.docker(["node", "inspect", "--format", "{{.Status.Addr}}", node])
