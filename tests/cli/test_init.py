"""`openenv init`: what it says, and how it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from openenv.cli.init import next_steps, tree
from openenv.dependency.wheel import Dependency, Wheel
from openenv.scaffold import Created, Names


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, with a uv that locks nothing and says it did."""
    _uv(tmp_path / "bin", 'test "$1" = lock && touch uv.lock; exit 0')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def _uv(folder: Path, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def _created(dependency: Dependency, *files: str) -> Created:
    return Created(Names.parse("my_env"), dependency, Path("/somewhere/my_env"), files, None)


def test_tree_shows_folders_once_with_what_is_in_them() -> None:
    created = _created(Dependency("1"), "README.md", "server/app.py", "server/deep/x", "uv.lock")
    assert tree(created).splitlines() == [
        "my_env/",
        "  README.md",
        "  server/",
        "    app.py",
        "    deep/",
        "      x",
        "  uv.lock",
    ]


def test_next_steps_can_be_typed_as_they_are() -> None:
    steps = next_steps(_created(Dependency("1", Wheel("w.whl", b""))), "my envs/my_env")
    assert "\n  cd 'my envs/my_env'\n  pip install --find-links wheels -e .\n  openenv serve\n" in steps
    code = "\n".join(line[2:] for line in steps.partition("from ")[2].splitlines()[1:])
    compile(code, "steps", "exec")


@pytest.mark.parametrize("name", ["my_env", "my-env", "MyEnv"])
def test_environment_is_made_in_the_working_directory(name: str, here: Path) -> None:
    ran = CliRunner().invoke(app, ["init", name])
    assert ran.exit_code == 0, ran.output
    assert os.listdir(here) == ["my_env"]
    assert ran.stderr == ""
    assert ran.stdout.startswith("Created my_env\n")
    assert "  uv.lock\n" in ran.stdout
    assert "  cd my_env\n" in ran.stdout
    assert "from my_env import MyAction, MyEnv" in ran.stdout


@pytest.mark.parametrize("option", ["--output-dir", "-o"])
def test_environment_goes_into_the_output_folder(option: str, here: Path) -> None:
    ran = CliRunner().invoke(app, ["init", "my_env", option, "envs/mine"])
    assert ran.exit_code == 0, ran.output
    assert (here / "envs/mine/my_env/openenv.yaml").is_file()
    assert "  cd envs/mine/my_env\n" in ran.stdout


def test_missing_lock_is_a_note_and_a_hint_and_no_failure(here: Path) -> None:
    _uv(here.parent / "bin", 'test "$1" = lock && echo "error: no index" >&2 && exit 2; exit 0')
    ran = CliRunner().invoke(app, ["init", "my_env"])
    assert ran.exit_code == 0
    assert ran.stderr == (
        "\nuv.lock was not made: error: no index\n"
        "hint: run `uv lock` in my_env once uv and a package index can be reached\n"
    )
    assert not (here / "my_env/uv.lock").exists()
    assert (here / "my_env/pyproject.toml").exists()


@pytest.mark.parametrize("name", ["", "class", "json", "pytest", "openenv", "2d", "a/b", "../a", "server", "my env"])
def test_refused_name_is_one_sentence_with_exit_2(name: str, here: Path) -> None:
    ran = CliRunner().invoke(app, ["init", name, "-o", "envs"])
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert [line for line in ran.stderr.splitlines()[1:] if not line.startswith("hint: ")] == []
    assert os.listdir(here) == []


def test_second_time_is_refused_and_changes_nothing(here: Path) -> None:
    CliRunner().invoke(app, ["init", "my_env"])
    (here / "my_env/client.py").write_text("mine")
    ran = CliRunner().invoke(app, ["init", "my_env"])
    assert ran.exit_code == 2
    assert "is not empty" in ran.stderr
    assert (here / "my_env/client.py").read_text() == "mine"


def test_interrupt_leaves_nothing_and_ends_with_130(here: Path) -> None:
    os.mkfifo(here.parent / "locking")
    _uv(here.parent / "bin", f'test "$1" = lock || exit 0; echo > {here.parent}/locking; while :; do :; done')
    command = [sys.executable, "-m", "openenv.cli", "init", "my_env", "-o", "envs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0) as ran:
        (here.parent / "locking").read_text()  # waits until uv is at work
        os.killpg(ran.pid, signal.SIGINT)
        stdout, stderr = ran.communicate(timeout=10)
    assert (ran.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr
    assert os.listdir(here) == []
