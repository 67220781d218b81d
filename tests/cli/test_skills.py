"""`openenv skills`: what it writes and where, and that every word about the command line in it is true."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner, Result

from openenv import errors
from openenv.cli.__main__ import app
from openenv.cli.skills import skill
from tests.guards.snippets import run_page
from tests.guards.sources import PACKAGE

SOURCE = PACKAGE / "cli" / "SKILL.md"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and a project in it that is the current one."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def add(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["skills", "add", *arguments])


def test_preview_prints_it_without_the_directions_to_its_test() -> None:
    ran = CliRunner().invoke(app, ["skills", "preview"])
    assert ran.exit_code == 0
    assert ran.stdout == skill()
    assert ran.stdout.startswith("---\nname: openenv-cli\ndescription: ")
    assert "<!--" not in ran.stdout
    assert "<!-- test:" in SOURCE.read_text()


def test_add_writes_it_once_and_links_to_it(home: Path) -> None:
    ran = add("--claude", "--codex", "--cursor", "--opencode")
    assert ran.exit_code == 0, ran.stderr
    project = home / "project"
    assert (project / ".agents/skills/openenv-cli/SKILL.md").read_text() == skill()
    assert str(project / ".agents/skills/openenv-cli/SKILL.md") in ran.stdout
    for name in ("claude", "codex", "cursor", "opencode"):
        link = project / f".{name}/skills/openenv-cli"
        assert str(link.readlink()) == "../../.agents/skills/openenv-cli"
        assert (link / "SKILL.md").read_text() == skill()
    assert add("--claude", "--codex").exit_code == 0  # it is there as it should be


def test_add_globally(home: Path) -> None:
    assert add("-g", "--claude", "--opencode").exit_code == 0
    assert (home / ".agents/skills/openenv-cli/SKILL.md").read_text() == skill()
    assert (home / ".claude/skills/openenv-cli").is_symlink()
    assert (home / ".config/opencode/skills/openenv-cli/SKILL.md").read_text() == skill()
    assert list((home / "project").iterdir()) == []


def test_dest_is_the_only_place(home: Path) -> None:
    assert add("--dest", "mine").exit_code == 0
    assert (home / "project/mine/openenv-cli/SKILL.md").read_text() == skill()
    for more in ("--claude", "--global"):
        ran = add("--dest", "mine", more)
        assert ran.exit_code == 2
        assert "--dest says where it goes already" in ran.stderr


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_there_is_overwritten_by_force_only(home: Path, kind: str) -> None:
    theirs = home / "theirs"
    theirs.mkdir()
    (theirs / "SKILL.md").write_text("theirs")
    place = home / "project" / (".claude" if kind == "folder" else ".agents") / "skills/openenv-cli"
    place.parent.mkdir(parents=True)
    if kind == "link":
        place.symlink_to(theirs)
    else:
        place.mkdir()
        (place / "SKILL.md").write_text("mine")
    ran = add("--claude")
    assert ran.exit_code == 2
    assert f"{place} is there already, and says something else" in ran.stderr
    assert "hint: --force overwrites it" in ran.stderr
    assert (place / "SKILL.md").read_text() in ("mine", "theirs")
    assert add("--claude", "--force").exit_code == 0
    assert (place / "SKILL.md").read_text() == skill()
    assert (theirs / "SKILL.md").read_text() == "theirs"


def test_a_folder_that_cannot_be_written_is_told(home: Path) -> None:
    (home / "project/.agents").write_text("a file")
    ran = add()
    assert ran.exit_code == 1
    assert "the skill cannot be written" in ran.stderr


def commands() -> list[str]:
    """List the command lines in the text: in code spans, and in fences."""
    spans = re.findall(r"`(openenv [^`]+)`", skill())
    return [
        line
        for line in (*spans, *re.findall(r"^openenv .*$", skill(), re.MULTILINE))
        if line != "openenv COMMAND --help"
    ]


def test_every_command_and_option_in_it_exists() -> None:
    root = typer.main.get_command(app)
    used = set()
    for line in commands():
        _, name, *rest = shlex.split(line)
        used.add(name)
        command = root.commands[name]  # type: ignore[attr-defined]
        context = command.make_context(name, rest, resilient_parsing=False)
        context.close()
    assert used >= {"init", "serve", "validate", "bench", "build", "push", "fork", "ps", "prune", "stop"}
    for option in re.findall(r"`(--[\w-]+)", skill()):
        assert any(option in parameter.opts for each in root.commands.values() for parameter in each.params), option  # type: ignore[attr-defined]


def test_every_error_in_it_exists() -> None:
    (table,) = re.findall(r"\| what is said .*?\n\n|\| what is said .*\Z", skill(), re.DOTALL)
    named = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    classes = {name for cell in named for name in re.findall(r"`([A-Z]\w+)`", cell)}
    assert classes >= {"BadAction", "AtCapacity", "SessionLost"}
    assert classes <= set(errors.__all__)
    assert "so it is no environment" in (PACKAGE / "hub/manifest.py").read_text()


@pytest.mark.timeout(120)
def test_every_snippet_in_it_runs(tmp_path: Path) -> None:
    run_page("SKILL.md", SOURCE.read_text(), tmp_path, 100)
