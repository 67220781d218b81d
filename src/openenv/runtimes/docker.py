"""An image, served in a container of the Docker engine.

Decides the order of things around a container: it is guarded before it is made, and let go once the engine says that it
is gone. What it is given is decided by `container_options`, how that is said by `container_command`.
"""

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openenv import engine
from openenv.errors import EngineFailed, StartFailed
from openenv.runtimes import containers, watchdog
from openenv.runtimes.container_command import (
    ISOLATED_NETWORK,
    RUN_LABEL,
    container_name,
    isolated_network_command,
    removal_command,
    run_command,
)
from openenv.runtimes.container_options import (
    DEFAULT_CPUS,
    DEFAULT_MEMORY,
    DEFAULT_PIDS,
    ContainerOptions,
    memory_text,
)
from openenv.runtimes.contract import Runtime
from openenv.runtimes.owner import Owner

__all__ = ["DockerRuntime", "describe_end", "missing_image"]

_PULL_S = 1800.0
_ENGINE_S = 60.0
_KEPT_LINES = 1000
_IN_FLIGHT_S = 5.0
_LOOK_S = 0.1
_ORPHAN_RETRY_S = 15.0
"""A `docker run` that was on its way when its caller was killed makes its container within this time."""
_SIGNALS = {134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


class DockerRuntime(Runtime):
    """Runs an image in a container, published on this machine's loopback address alone.

    Args:
        image: What `openenv build` or `docker build` has made.
        port: Port on 127.0.0.1; any that is free by default.
        container_port: Where the server listens inside.
        env_vars: Environment variables of the server. Their values are in no argument vector.
        memory: As "512m", "2g" or bytes, without swap on top; None for no limit.
        cpus: How many processors' worth of time; None for no limit.
        pids: How many processes and threads; None for no limit.
        network: "bridge", or "none" for no way out: only this host reaches it, at an address of its own. Linux only.
        gpus: "all", how many, or "device=0,1"; needs NVIDIA's container toolkit.
        volumes: Host path, or name of a volume, to "/path" or "/path:ro" inside.
        pull: When to ask a registry for the image: "missing", "always" or "never".
        name: Of the container; made up from the image's by default.
        on_progress: Called with each line that a pull prints.
        start_timeout_s: Seconds from the launch until it must be healthy.
        stop_timeout_s: Whole seconds that the server has to end by itself, before it is killed.

    Raises:
        ConfigurationError: An option has a value that does not fit.
    """

    _DIED_LOOK_S = 0.5

    def __init__(
        self,
        image: str,
        *,
        port: int | None = None,
        container_port: int = 8000,
        env_vars: Mapping[str, str] | None = None,
        memory: str | int | None = DEFAULT_MEMORY,
        cpus: float | None = DEFAULT_CPUS,
        pids: int | None = DEFAULT_PIDS,
        network: str = "bridge",
        gpus: str | int | None = None,
        volumes: Mapping[str | Path, str] | None = None,
        pull: str = "missing",
        name: str | None = None,
        on_progress: Callable[[str], None] | None = None,
        start_timeout_s: float = 60.0,
        stop_timeout_s: int = 10,
    ) -> None:
        super().__init__(start_timeout_s=start_timeout_s)
        self._options = ContainerOptions(
            image=image,
            name=name,
            port=port,
            container_port=container_port,
            env_vars=dict(env_vars or {}),
            memory=memory,
            cpus=cpus,
            pids=pids,
            network=network,
            gpus=gpus,
            volumes=dict(volumes or {}),
            pull=pull,
            stop_timeout_s=stop_timeout_s,
        )
        self._on_progress = on_progress
        self._run = ""
        self._id: str | None = None
        self._name = name or ""
        self._kept = ""
        self._is_in_flight = False

    @property
    def name(self) -> str:
        """What the container is called; empty before the first start if it is to be made up."""
        return self._name

    def logs(self, lines: int = 100) -> str:
        """Give the last lines of what the server has printed, also after it was stopped."""
        if self._id is None:
            return "\n".join(self._kept.splitlines()[-lines:])
        printed: list[str] = []
        engine.stream(["logs", "--tail", str(lines), self._id], printed.append, timeout_s=_ENGINE_S)
        return "\n".join(printed)

    def died(self) -> str | None:
        """Say how the container came to its end; None while it runs."""
        if self._id is None:
            return "it was stopped"
        told = containers.inspect([self._id])
        return describe_end(told[0]["State"], self._options.memory_bytes) if told else "its container was removed"

    def _launch(self) -> str:
        options = self._options
        self._run = secrets.token_hex(16)
        self._name = options.name or container_name(options.image, self._run)
        if options.pull == "always":
            self._pull()
        watchdog.guard(self._run, removal_command(self._run), retry_s=_ORPHAN_RETRY_S)
        try:
            self._id = self._start_container()
        except EngineFailed as error:
            self._prepare_again(error)
            self._id = self._start_container()
        if options.port is not None:
            return f"http://127.0.0.1:{options.port}"
        return self._address(self._id)

    def _start_container(self) -> str:
        if self._options.network == "none":
            _make_isolated_network()
        command = run_command(self._options, name=self._name, run=self._run, owner=Owner.me())
        self._is_in_flight = True  # until the engine has answered; an interrupted command may still be carried out
        try:
            container = engine.docker(command.argv, stdin=command.stdin, env=command.env).splitlines()[-1]
        except EngineFailed as error:
            self._is_in_flight = error.exit_code is None
            raise
        self._is_in_flight = False
        return container

    def _prepare_again(self, error: EngineFailed) -> None:
        """Bring what the first attempt lacked, or say what was wrong with it."""
        options = self._options
        if not _has_image(options.image) and options.pull == "missing":
            self._pull()
        elif options.network == "none" and not _has_isolated_network():
            self._remove_half_made()  # `openenv prune` took the network away just before it was used
        else:
            raise self._explained(error) from error

    def _pull(self) -> None:
        try:
            engine.stream(["pull", self._options.image], self._on_progress or _ignore, timeout_s=_PULL_S)
        except EngineFailed as error:
            raise StartFailed(missing_image(self._options.image, "it could not be pulled"), logs=error.logs) from error

    def _address(self, container: str) -> str:
        """Ask where it is; the engine has chosen. One that has ended already has no address any more."""
        told = containers.inspect([container])
        url = containers.url_of(told[0]) if told else None
        if url is None:
            how = self.died() or "it has no address"
            raise StartFailed(f"the container {self._name} of {self._options.image} did not start: {how}")
        return url

    def _explained(self, error: EngineFailed) -> StartFailed:
        """Find out why the engine started no container, by looking rather than by reading its sentence."""
        options = self._options
        if not _has_image(options.image):
            return StartFailed(missing_image(options.image, f"pull is {options.pull!r}"))
        if options.name and (others := containers.inspect([options.name])) and self._is_another(others[0]):
            return StartFailed(f"there is a container {options.name} already; take another name, or remove that one")
        if options.port is not None and _is_taken(options.port):
            return StartFailed(
                f"port {options.port} of 127.0.0.1 is taken; give another one, or none for any that is free",
                logs=error.logs,
            )
        return StartFailed(f"the engine did not start a container of {options.image}", logs=error.logs)

    def _is_another(self, told: Mapping[str, Any]) -> bool:
        return (told["Config"]["Labels"] or {}).get(RUN_LABEL) != self._run

    def _remove(self) -> None:
        if self._id is not None:
            # Reading takes a thread, and at exit none can be started any more.
            if threading.main_thread().is_alive():
                self._kept = self._last_words(_KEPT_LINES)
            self._stop_container(self._id)
            self._id = None
        elif self._run:
            self._remove_half_made()
        if self._run:
            watchdog.release(self._run)
            self._run = ""

    def _stop_container(self, container: str) -> None:
        grace_s = self._options.stop_timeout_s
        with contextlib.suppress(EngineFailed):  # it is gone, or will not: the next command tells
            engine.docker(["stop", "-t", str(grace_s), container], timeout_s=grace_s + _ENGINE_S)
        containers.force([container])

    def _remove_half_made(self) -> None:
        """Remove what a failed or interrupted `docker run` has left, found by its label."""
        find = ["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={RUN_LABEL}={self._run}"]
        deadline = time.monotonic() + (_IN_FLIGHT_S if self._is_in_flight else 0)
        while not (found := engine.docker(find).split()) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        if found:
            containers.force(found)

    def __str__(self) -> str:
        return f"the container {self._name} of {self._options.image}"


def describe_end(state: Mapping[str, Any], memory_limit: int | None) -> str | None:
    """Say how a container came to its end, from what `docker inspect` says of its state; None while it lives."""
    if state["Status"] in ("created", "running", "restarting", "paused"):
        return None
    if state["OOMKilled"]:
        limit = f"limit {memory_text(memory_limit)}" if memory_limit is not None else "it had no limit of its own"
        return f"it was killed: out of memory, {limit}"
    code = state["ExitCode"]
    how = f"it exited with code {code}" + (f" ({_SIGNALS[code]})" if code in _SIGNALS else "")
    return f"{how}: {state['Error']}" if state["Error"] else how


def missing_image(image: str, why: str) -> str:
    """Say that there is no such image, and what makes it."""
    return (
        f"there is no image {image} on this engine, and {why}; build it in the environment's folder with "
        f"`openenv build` or `docker build -t {image} -f server/Dockerfile .`"
    )


def _has_image(image: str) -> bool:
    try:
        engine.docker(["image", "inspect", "--format", "{{.Id}}", image])
    except EngineFailed:
        return False
    return True


def _make_isolated_network() -> None:
    if _has_isolated_network():
        return
    try:
        engine.docker(isolated_network_command())
    except EngineFailed as error:
        if not _has_isolated_network():  # else another thread was faster
            raise StartFailed(f"the network {ISOLATED_NETWORK} could not be made", logs=error.logs) from error


def _has_isolated_network() -> bool:
    return bool(engine.docker(["network", "ls", "--quiet", "--filter", f"name=^{ISOLATED_NETWORK}$"]))


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _ignore(line: str) -> None:
    del line
