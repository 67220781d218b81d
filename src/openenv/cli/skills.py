"""`openenv skills`: a file that teaches coding assistants this tool, and where each of them looks for it.

The file is written once, into `.agents/skills`; the folders of single assistants link to it.
"""

import os
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from openenv.cli import output
from openenv.errors import ConfigurationError, ScaffoldError

__all__ = ["add", "app", "preview", "skill"]

_NAME = "openenv-cli"
_FILE = "SKILL.md"
_SHARED = ".agents/skills"
_AGENTS = {
    "claude": ".claude/skills",
    "codex": ".codex/skills",
    "cursor": ".cursor/skills",
    "opencode": ".opencode/skills",
}
_GLOBAL = {**_AGENTS, "opencode": ".config/opencode/skills"}

app = typer.Typer(no_args_is_help=True)


def skill() -> str:
    """Give the text of the skill."""
    text = files("openenv.cli").joinpath(_FILE).read_text(encoding="utf-8")
    # Directions to the test that runs its snippets are not for its readers.
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("<!-- test:"))


@app.command()
def preview() -> None:
    """Print the skill file."""
    output.answer(skill().rstrip("\n"))


@app.command()
def add(
    claude: Annotated[bool, typer.Option("--claude", help="Link it for Claude Code, too.")] = False,
    codex: Annotated[bool, typer.Option("--codex", help="... for Codex.")] = False,
    cursor: Annotated[bool, typer.Option("--cursor", help="... for Cursor.")] = False,
    opencode: Annotated[bool, typer.Option("--opencode", help="... for OpenCode.")] = False,
    everywhere: Annotated[
        bool, typer.Option("--global", "-g", help="In your home folder, in place of this one.")
    ] = False,
    dest: Annotated[
        Path | None, typer.Option(metavar="DIR", help="In that folder of skills, and nowhere else.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write the skill file where coding assistants find it."""
    chosen = [
        name
        for name, wanted in (("claude", claude), ("codex", codex), ("cursor", cursor), ("opencode", opencode))
        if wanted
    ]
    if dest is not None and (chosen or everywhere):
        raise ConfigurationError("--dest says where it goes already: leave out --global and the assistants")
    root = Path.home() if everywhere else Path.cwd()
    places = _GLOBAL if everywhere else _AGENTS
    home = (dest if dest is not None else root / _SHARED) / _NAME
    links = {name: root / places[name] / _NAME for name in chosen}
    text = skill()
    if not force:
        _refuse_to_overwrite((home, *links.values()), text)
    try:
        _write(home, text)
        for link in links.values():
            _link(link, home, text)
    except OSError as error:
        raise ScaffoldError(f"the skill cannot be written: {error}", exit_code=1) from error
    output.answer("\n".join(str(place / _FILE) for place in (home, *links.values())))


def _refuse_to_overwrite(places: Iterable[Path], text: str) -> None:
    for place in places:
        if _read(place) not in (None, text):
            raise ScaffoldError(f"{place} is there already, and says something else", hint="--force overwrites it")


def _read(folder: Path) -> str | None:
    try:
        return (folder / _FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _write(folder: Path, text: str) -> None:
    if folder.is_symlink():
        folder.unlink()  # what it points to is somebody else's
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _FILE).write_text(text, encoding="utf-8")


def _link(link: Path, home: Path, text: str) -> None:
    """Link to the skill; where that is not possible, write it once more."""
    if link.is_symlink():
        link.unlink()
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(os.path.relpath(home, link.parent.resolve()), target_is_directory=True)
    except OSError:  # a real folder is there, or the system has no links
        _write(link, text)
