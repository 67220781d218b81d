"""`openenv ps`: the containers of ours on the engine, as a table."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from openenv.cli import output

if TYPE_CHECKING:
    from openenv.runtimes.containers import Container

__all__ = ["age", "ps", "rows", "table"]

_HEAD = ("NAME", "IMAGE", "STATUS", "URL", "OWNER", "AGE")
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def ps() -> None:
    """List the containers that were started from here or by any other process, and whose they are."""
    from openenv.runtimes import containers  # not needed to print help

    output.answer(table([_HEAD, *rows(containers.list_containers(), now=datetime.now(UTC))]))


def rows(listed: "Sequence[Container]", *, now: datetime) -> list[tuple[str, ...]]:
    """Say what there is to know about each container."""
    return [
        (one.name, one.image, one.status, one.url or "-", _owner(one), age((now - one.created).total_seconds()))
        for one in listed
    ]


def table(lines: Sequence[Sequence[str]]) -> str:
    """Set rows into columns as wide as they need."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def age(seconds: float) -> str:
    """Say a span of time by its largest unit: 5 s, 12 min, 3 h, 2 d."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def _owner(container: "Container") -> str:
    if container.owner is None:
        return "unknown"
    alive = container.owner.is_alive()
    if alive is None:
        return "elsewhere"
    return f"pid {container.owner.pid}" if alive else "gone"
