"""`openenv validate`: what is checked and how the findings are shown. The checks are those of `testing` and `hub`."""

import enum
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openenv.cli import output
from openenv.errors import ConfigurationError

if TYPE_CHECKING:
    from openenv.hub.report import Report, Result

__all__ = ["Level", "lines", "summary", "validate"]

_MARKS = {"pass": "pass", "fail": "FAIL", "not_checked": "????"}


class Level(enum.StrEnum):
    """How far the checks go."""

    STATIC = "static"
    RUNTIME = "runtime"


def validate(
    path: Annotated[Path | None, typer.Argument(metavar="PATH", help="The environment's folder.")] = None,
    url: Annotated[str | None, typer.Option(help="A server that runs, in place of a folder.")] = None,
    image: Annotated[str | None, typer.Option(help="An image of the Docker engine, in place of a folder.")] = None,
    level: Annotated[
        Level, typer.Option(help="static: none of its code runs. runtime: it is served and driven, too.")
    ] = Level.RUNTIME,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    actions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Actions to try, a JSON array of objects.", show_default="made from the schema"
        ),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How long a reply may take.")] = 30.0,
) -> None:
    """Check an environment: its folder, and what its server does; or an image; or a server that runs.

    Exits with 0 when all required checks passed, 1 when one failed or could not be made, 2 when there is nothing to
    check. A server's token is taken from OPENENV_TOKEN.
    """
    given = [str(target) for target in (path, url, image) if target is not None]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} are given; validate them one at a time")
    if level is Level.STATIC and (url or image) is not None:
        raise ConfigurationError("--level static is about a folder; images and servers are checked while they run")
    on_result = None if as_json else _show
    if level is Level.STATIC:
        from openenv.hub.checks import static_checks  # YAML is not needed to print help

        report = static_checks(path or Path(), on_result=on_result)
    else:
        from openenv.testing import compliance  # nor is all that drives a server

        token = os.environ.get("OPENENV_TOKEN") or None
        tried = _read_actions(actions)
        if url is not None:
            report = compliance.check_server(url, timeout_s=timeout, token=token, actions=tried, on_result=on_result)
        elif image is not None:
            with output.progress(f"Checking {image}") as on_line:
                report = compliance.check_image(
                    image, timeout_s=timeout, token=token, actions=tried, on_result=on_result, on_progress=on_line
                )
        else:
            report = compliance.check_folder(
                path or Path(), timeout_s=timeout, token=token, actions=tried, on_result=on_result
            )
    if as_json:
        output.answer(json.dumps(report.to_json(), indent=2))
    else:
        output.answer(f"\n{summary(report)}")
    if report.verdict != "pass":
        raise typer.Exit(1)


def lines(result: "Result") -> list[str]:
    """Show a result: one line when it passed, and what was seen and what to do when it did not."""
    mark = _MARKS[result.status.value] if result.is_required or result.status.value == "pass" else "note"
    head = f"{mark}  {result.id:<20}  {result.title}"
    if result.status.value == "pass":
        return [head]
    if result.outcome.remedy is None and len(result.outcome.evidence) == 1 and result.status.value == "not_checked":
        return [f"{head}: {result.outcome.evidence[0]}"]
    remedy = [f"      hint: {result.outcome.remedy}"] if result.outcome.remedy else []
    return [head, *(f"      {line}" for line in result.outcome.evidence), *remedy]


def summary(report: "Report") -> str:
    """Say what it comes to."""
    counts = {
        "passed": sum(result.status.value == "pass" for result in report.results),
        "failed": len(report.failures),
        "could not be made": len(report.unchecked),
    }
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{report.target}: {report.verdict} ({said})"


def _show(result: "Result") -> None:
    for line in lines(result):
        output.answer(line)


def _read_actions(path: Path | None) -> list[dict[str, Any]] | None:
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} holds no actions: {error}") from error
    if not isinstance(found, list) or not found or not all(isinstance(action, dict) for action in found):
        raise ConfigurationError(f'{path} must hold a JSON array of objects, such as [{{"message": "hello"}}]')
    return found
