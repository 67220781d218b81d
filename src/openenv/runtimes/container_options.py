"""What a container may be given: every option checked, and in the form that the engine takes.

Decides the defaults, which are tight: a container gets no capability and a bounded share of the machine. Options are
values here; `container_command` makes arguments of them.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openenv.errors import ConfigurationError

__all__ = ["DEFAULT_CPUS", "DEFAULT_MEMORY", "DEFAULT_PIDS", "NETWORKS", "PULLS", "ContainerOptions", "memory_text"]

DEFAULT_CPUS = float(min(2, os.cpu_count() or 1))
DEFAULT_MEMORY = "2g"
DEFAULT_PIDS = 512
NETWORKS = ("bridge", "none")
PULLS = ("missing", "always", "never")

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LEAST_MEMORY = 6 << 20
"""What Docker's engine asks for at least."""
_MOST_CPUS = 1_000_000
_IMAGE = re.compile(r"[A-Za-z0-9][\w.\-/:@]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LONGEST_ENV = 120_000
"""Bytes of NAME=VALUE; Linux starts no program with a longer one than 128 KiB."""
_LONGEST_LINE = 32_000
"""Of a file of variables; `docker` reads no line longer than 64 KiB."""
_CLIENTS_OWN = re.compile(r"DOCKER_.*|PATH|HOME|TMPDIR|LD_.*|SSL_.*|(HTTPS?|NO|ALL)_PROXY", re.IGNORECASE)
"""Variables that would change the `docker` command itself."""
_GPUS = re.compile(r"all|[1-9]\d*|device=[A-Za-z0-9_.:/-]+(,[A-Za-z0-9_.:/-]+)*")
_VOLUME_TARGET = re.compile(r"(/[^:]*)(?::(ro|rw))?")


@dataclass(frozen=True)
class Volume:
    """Something of the host that a container sees.

    Attributes:
        source: An absolute path, or the name of a volume of the engine.
        target: Where the container sees it.
    """

    source: str
    target: str
    is_read_only: bool

    @property
    def is_path(self) -> bool:
        """Whether it is a file or folder, rather than a volume of the engine."""
        return os.path.isabs(self.source)


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """How a container of an image is to run. Making one checks it.

    Raises:
        ConfigurationError: A value does not fit, with the value.
    """

    image: str
    name: str | None = None
    port: int | None = None
    container_port: int = 8000
    env_vars: Mapping[str, str] = field(default_factory=dict)
    memory: str | int | None = DEFAULT_MEMORY
    cpus: float | None = DEFAULT_CPUS
    pids: int | None = DEFAULT_PIDS
    network: str = "bridge"
    gpus: str | int | None = None
    volumes: Mapping[str | Path, str] = field(default_factory=dict)
    pull: str = "missing"
    stop_timeout_s: int = 10

    def __post_init__(self) -> None:
        _check(_is_text(self.image, _IMAGE), "image", self.image, "the name of an image, such as my_env-env:latest")
        named = self.name is None or _is_text(self.name, _NAME)
        _check(named, "name", self.name, "two or more letters, digits, _ . or -, the first a letter or digit")
        _check(self.port is None or _is_int(self.port, 1, 65535), "port", self.port, "a port from 1 to 65535, or None")
        _check(_is_int(self.container_port, 1, 65535), "container_port", self.container_port, "a port from 1 to 65535")
        if self.memory is not None:
            fits = self.memory_bytes is not None and self.memory_bytes >= _LEAST_MEMORY
            _check(fits, "memory", self.memory, "6 MB or more, such as '512m', '2g' or a number of bytes, or None")
        fits = self.cpus is None or (_is_number(self.cpus) and 0.01 <= self.cpus <= _MOST_CPUS)
        _check(fits, "cpus", self.cpus, "a number of 0.01 or more, or None")
        _check(self.pids is None or _is_int(self.pids, 1), "pids", self.pids, "a number of processes, or None")
        _check(self.network in NETWORKS, "network", self.network, f"one of {', '.join(NETWORKS)}")
        gpus = self.gpus is None or _is_int(self.gpus, 1) or _is_text(self.gpus, _GPUS)
        _check(gpus, "gpus", self.gpus, "'all', a number, or 'device=0,1', or None")
        _check(self.pull in PULLS, "pull", self.pull, f"one of {', '.join(PULLS)}")
        _check(_is_int(self.stop_timeout_s, 0), "stop_timeout_s", self.stop_timeout_s, "a whole number of seconds")
        if self.network == "none" and self.port is not None:
            raise ConfigurationError(
                f"port is {self.port} and network is 'none', where no port of this host is published; leave out one"
            )
        for name, value in self.env_vars.items():
            _check_env_var(name, value)
        _ = self.mounts

    @property
    def memory_bytes(self) -> int | None:
        """How much memory it may use; None for as much as there is."""
        if isinstance(self.memory, str):
            read = _MEMORY.fullmatch(self.memory.strip())
            return int(float(read[1]) * _UNITS[read[2].lower()]) if read else None
        return self.memory if _is_int(self.memory, 0) else None

    @property
    def env_by_file(self) -> dict[str, str]:
        """The environment variables that fit in a file of variables, a line each."""
        return {name: value for name, value in self.env_vars.items() if _fits_in_a_file(value)}

    @property
    def env_by_environment(self) -> dict[str, str]:
        """The environment variables that do not, and go through the environment of the `docker` command."""
        return {name: value for name, value in self.env_vars.items() if not _fits_in_a_file(value)}

    @property
    def mounts(self) -> list[Volume]:
        """What of the host it sees; relative paths are taken from the working directory."""
        return [_volume(source, target) for source, target in self.volumes.items()]


def _fits_in_a_file(value: str) -> bool:
    return value.isprintable() and len(value) <= _LONGEST_LINE


def memory_text(size: int) -> str:
    """Say a number of bytes as people do: 256 MB, 1.5 GB."""
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


def _volume(source: str | Path, target: str) -> Volume:
    said = {str(source): target}
    read = _VOLUME_TARGET.fullmatch(target) if isinstance(target, str) else None
    if read is None:
        raise ConfigurationError(
            f"volumes is {said!r}; each must end in '/path/in/container' or '/path/in/container:ro'"
        )
    where = str(source)
    if isinstance(source, Path) or os.sep in where or where.startswith((".", "~")):
        path = Path(source).expanduser().absolute()
        if not path.exists():
            raise ConfigurationError(f"volumes is {said!r}, but there is no {path}; make it first")
        where = str(path)
    elif not _NAME.fullmatch(where):
        raise ConfigurationError(f"volumes is {said!r}; each must begin with a path, or the name of a volume")
    return Volume(where, read[1], read[2] == "ro")


def _check_env_var(name: object, value: object) -> None:
    """Refuse what cannot be an environment variable. The value may be a secret, and is not said."""
    if not _is_text(name, _ENV_NAME):
        raise ConfigurationError(f"env_vars has the name {name!r}; names are letters, digits and _, the first no digit")
    if not isinstance(value, str):
        raise ConfigurationError(f"the value of {name} in env_vars is of type {type(value).__name__}; make it a string")
    if "\0" in value or len(f"{name}={value}".encode(errors="surrogateescape")) > _LONGEST_ENV:
        raise ConfigurationError(
            f"the value of {name} in env_vars has a NUL in it or is too long; put it into a volume"
        )
    if _CLIENTS_OWN.fullmatch(str(name)) and not _fits_in_a_file(value):
        raise ConfigurationError(
            f"the value of {name} in env_vars has several lines or is very long, and the docker command cannot hand "
            "that on under a name that it uses itself; set it inside the image"
        )


def _check(fits: bool, option: str, value: object, wanted: str) -> None:
    if not fits:
        raise ConfigurationError(f"{option} is {value!r}; it must be {wanted}")


def _is_int(value: object, least: int, most: int | None = None) -> bool:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return is_int and value >= least and (most is None or value <= most)  # type: ignore[operator]  # told above


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
