"""How quick an OpenEnv server is: rows of figures, each of one number of sessions, measured one after another.

Figures of one run on one machine compare with each other; those of different machines do not.
"""

import asyncio
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openenv.errors import ConfigurationError, OpenEnvError
from openenv.testing.actions import actions_for
from openenv.testing.load import Load, Measured, percentile, step_over_sockets, step_vector
from openenv.testing.schema import SchemaNotUnderstood
from openenv.testing.wire import Address

__all__ = ["Benchmark", "Row", "Shape", "bench", "machine", "resident_bytes"]

_ACTIONS = 16
_SEED = 0
_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One row to be measured: so many sessions, each on a socket of its own or all as one vector on one socket."""

    sessions: int
    is_vector: bool = False

    def __str__(self) -> str:
        return f"{self.sessions} {'in a vector' if self.is_vector else 'sockets' if self.sessions > 1 else 'socket'}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one shape. Times are seconds; a step of a vector is the step of all its environments together.

    Attributes:
        shape: What was measured.
        steps_per_s: Steps of single environments a second, of all sessions together.
        step_p50_s: What half of the steps took at most.
        step_p99_s: What all but a hundredth took at most.
        open_p50_s: What half of the sessions took at most from the connection to the first observation.
        bytes_per_session: Memory that the server took for each further session; None where it cannot be seen.
        faults: Error codes that steps were answered with, and how often.
        problem: Why there are no figures; None when there are.
    """

    shape: Shape
    steps_per_s: float = 0.0
    step_p50_s: float = 0.0
    step_p99_s: float = 0.0
    open_p50_s: float = 0.0
    bytes_per_session: float | None = None
    faults: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """All rows of a server, and the machine that they were measured on."""

    target: str
    machine: Mapping[str, Any]
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON object."""
        return asdict(self)


def bench(
    url: str,
    shapes: Sequence[Shape],
    *,
    seconds: float = 2.0,
    actions: Sequence[Mapping[str, Any]] | None = None,
    token: str | None = None,
    process_group: int | None = None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> Benchmark:
    """Measure a server.

    Args:
        url: Where it is.
        shapes: The rows wanted.
        seconds: How long each row is measured, after a quarter of it to warm up.
        actions: What each session does, over and over; by default some are made up from `/schema`.
        token: The server's bearer token.
        process_group: The server's, if it is on this machine and its memory is to be looked at.
        on_row: Told of each row as it is known.

    Raises:
        ConfigurationError: No action can be made up, or `url` is no address.
        ConnectFailed, Refused: The server is not there, or lets nobody in.
    """
    address = Address(url, _TIMEOUT_S, token)
    made = _made_up(address) if actions is None else list(actions)
    load = Load(socket=address.socket, headers=address.headers, actions=made, seconds=seconds)
    rows = []
    for shape in shapes:
        rows.append(_row(shape, load, process_group))
        on_row(rows[-1])
    return Benchmark(target=address.shown, machine=machine(), rows=tuple(rows))


def machine() -> dict[str, Any]:
    """Describe the machine, as far as figures depend on it."""
    names = [line.partition(":")[2].strip() for line in _read("/proc/cpuinfo").splitlines() if "model name" in line]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def resident_bytes(process_group: int) -> int | None:
    """Add up the memory of a process group's processes; None where the system does not tell."""
    found = [
        int(fields[23]) * os.sysconf("SC_PAGE_SIZE")
        for path in Path("/proc").glob("[0-9]*/stat")
        # What precedes the last bracket is the process's number and its name, which may hold anything.
        if len(fields := ["", "", *_read(path).rpartition(")")[2].split()]) > 23 and fields[4] == str(process_group)
    ]
    return sum(found) if found else None


def _row(shape: Shape, load: Load, process_group: int | None) -> Row:
    before = None if process_group is None else resident_bytes(process_group)
    held: list[int] = []

    def look() -> None:
        if process_group is not None and (now := resident_bytes(process_group)) is not None:
            held.append(now)

    try:
        if shape.is_vector:
            measured = step_vector(load, shape.sessions, look)
        else:
            measured = asyncio.run(step_over_sockets(load, shape.sessions, look))
    except OpenEnvError as error:
        return Row(shape=shape, problem=str(error))
    grown = (held[0] - before) / shape.sessions if held and before is not None else None
    return _figures(shape, measured, grown)


def _figures(shape: Shape, measured: Measured, bytes_per_session: float | None) -> Row:
    return Row(
        shape=shape,
        steps_per_s=measured.steps_per_s,
        step_p50_s=percentile(measured.step_s, 0.5),
        step_p99_s=percentile(measured.step_s, 0.99),
        open_p50_s=percentile(measured.open_s, 0.5),
        bytes_per_session=bytes_per_session,
        faults=dict(measured.faults),
    )


def _made_up(address: Address) -> list[Mapping[str, Any]]:
    schema = address.get_object("/schema").get("action")
    try:
        if not isinstance(schema, dict):
            raise SchemaNotUnderstood("/schema describes no action")
        return list(actions_for(schema, seed=_SEED, count=_ACTIONS))
    except SchemaNotUnderstood as error:
        example = json.dumps({"message": "hello"})
        raise ConfigurationError(f"{error}; say what to do, such as --action '{example}'") from error


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:  # another system, or a process that has just ended
        return ""
