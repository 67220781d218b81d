"""`openenv bench`: what is measured and how the figures are shown. The measuring is that of `testing`."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openenv.cli import output
from openenv.errors import ConfigurationError

if TYPE_CHECKING:
    from openenv.testing.bench import Benchmark, Row, Shape

__all__ = ["bench", "table"]

_HEADS = ("sessions", "steps/s", "step p50", "p99", "open p50", "memory each", "")


def bench(
    target: Annotated[str, typer.Argument(metavar="URL|PATH", help="A server, or an environment's folder.")] = ".",
    connections: Annotated[
        str, typer.Option(metavar="N,N,...", help="Sessions at once, each on a socket of its own.")
    ] = "1,16,256",
    vectors: Annotated[
        str, typer.Option(metavar="N,N,...", help="Environments of a vector on one socket; empty for none.")
    ] = "256",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each row is measured.")] = 2.0,
    action: Annotated[
        str | None, typer.Option(metavar="JSON", help="What each step does.", show_default="made from the schema")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the steps a second as SVG.")] = None,
) -> None:
    """Measure how quick a server is: steps a second, the time of a step and of opening a session, memory.

    A folder is served for it, by this machine and with room for all sessions; what a session takes of memory is seen
    then only. A server's token is taken from OPENENV_TOKEN.
    """
    from openenv.testing.bench import bench as measure  # what drives a server is not needed to print help

    shapes = [*_shapes("--connections", connections, is_vector=False), *_shapes("--vectors", vectors, is_vector=True)]
    if not shapes:
        raise ConfigurationError("--connections and --vectors are both empty; say how many sessions, such as 1,16,256")
    actions = None if action is None else [_action(action)]
    with ExitStack() as stack:
        url, group = (target, None) if "://" in target else _serve(stack, Path(target), shapes)
        advance = stack.enter_context(output.bar(f"Measuring {url}", len(shapes)))
        measured = measure(
            url,
            shapes,
            seconds=seconds,
            actions=actions,
            token=os.environ.get("OPENENV_TOKEN") or None,
            process_group=group,
            on_row=lambda row: advance(str(row.shape)),
        )
    if plot is not None:
        plot.write_text(_drawn(measured), encoding="utf-8")
    output.answer(json.dumps(measured.to_json(), indent=2) if as_json else "\n".join(table(measured)))
    if all(row.problem is not None for row in measured.rows):
        raise typer.Exit(1)


def table(measured: "Benchmark") -> list[str]:
    """Show the figures in columns, and below them where they were measured."""
    rows = [_HEADS, *(_cells(row) for row in measured.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, len(_HEADS) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    about = measured.machine
    return [*lines, "", f"{about['cores']} cores of {about['processor']}, {about['system']}, Python {about['python']}"]


def _cells(row: "Row") -> tuple[str, ...]:
    if row.problem is not None:
        return (str(row.shape), *[""] * (len(_HEADS) - 2), row.problem)
    memory = "" if row.bytes_per_session is None else f"{row.bytes_per_session / 1024:,.0f} KiB"
    times = (row.step_p50_s, row.step_p99_s, row.open_p50_s)
    faults = ", ".join(f"{count} x {code}" for code, count in row.faults.items())
    return (str(row.shape), f"{row.steps_per_s:,.0f}", *(f"{1000 * s:,.2f} ms" for s in times), memory, faults)


def _drawn(measured: "Benchmark") -> str:
    from openenv.testing.chart import bars  # as above

    groups = {str(row.shape): {"steps/s": row.steps_per_s} for row in measured.rows if row.problem is None}
    return bars(measured.target, groups, unit="steps/s")


def _shapes(option: str, text: str, *, is_vector: bool) -> list["Shape"]:
    from openenv.testing.bench import Shape  # as above

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigurationError(f"{option} {text!r}: give whole numbers of 1 or more, such as 1,16,256")
    return [Shape(sessions=int(part), is_vector=is_vector) for part in parts]


def _action(text: str) -> dict[str, Any]:
    try:
        action = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--action {text!r} is no JSON: {error}") from error
    if not isinstance(action, dict):
        raise ConfigurationError(f'--action {text!r} must be a JSON object, such as \'{{"message": "hello"}}\'')
    return action


def _serve(stack: ExitStack, folder: Path, shapes: list["Shape"]) -> tuple[str, int | None]:
    """Serve a folder until the stack is closed: its URL, and the process group it runs in."""
    from openenv.runtimes.process import ProcessRuntime  # as above

    room = str(max(shape.sessions for shape in shapes) + 1)
    runtime = ProcessRuntime(folder.resolve(), env_vars={"OPENENV_MAX_SESSIONS": room})
    stack.callback(runtime.stop)
    return runtime.start(), runtime.process_group
