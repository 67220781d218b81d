"""What the user sees: the only place that prints. Data goes to standard output, everything else to standard error.

Decides how an answer, a note, an error and a hint look; what they say comes in. Lines are never wrapped and never read
as markup, so that what is printed can be copied. Colour is left to rich, which follows NO_COLOR and whether a terminal
listens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from openenv.errors import OpenEnvError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["answer", "bar", "error", "hint", "note", "progress"]


def answer(text: str) -> None:
    """Print what was asked for."""
    _print(text)


def note(text: str) -> None:
    """Tell the user something beside the answer."""
    _print(text, to_stderr=True)


def hint(text: str) -> None:
    """Say what to do, on a line of its own."""
    _print(text, to_stderr=True, label="hint", style="bold cyan")


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Show lines as they come; in a terminal with a last line that says what goes on, and for how long."""
    console = _console(to_stderr=True)
    if not console.is_terminal:
        yield note
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # as below

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        shown.add_task(title, total=None)
        yield lambda line: console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show how far a piece of work of `total` parts is; told of each part when it is done, it says which."""
    console = _console(to_stderr=True)
    if not console.is_terminal:
        yield lambda part: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # as below

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(title, total=total)
        yield lambda part: shown.update(task, advance=1, description=f"{title}: {part}")


def error(failed: OpenEnvError) -> None:
    """Say what went wrong, and what to do about it if the error knows."""
    _print(str(failed), to_stderr=True, label="error", style="bold red")
    if advice := getattr(failed, "hint", None):
        hint(advice)


def _print(text: str, *, to_stderr: bool = False, label: str = "", style: str = "") -> None:
    console = _console(to_stderr=to_stderr)
    if label:
        console.print(f"{label}:", style=style, end=" ", markup=False, highlight=False)
    console.print(text, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _console(*, to_stderr: bool) -> "Console":
    from rich.console import Console  # costs as much as all the rest of a quick command

    return Console(stderr=to_stderr)
