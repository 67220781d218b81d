"""What tests of finding environments share: a place to install into, and the modules imported from it gone again."""

import os
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv.scaffold import create
from tests.support.installed import CLIENT, MODELS, install

MOVES = {"zag_env/__init__.py": CLIENT.replace(".models", "zag_env.models"), "zag_env/models.py": MODELS}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of installed packages, before all others."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def scaffold(site: Path) -> Path:
    """A scaffolded environment, as installed as pip would leave it."""
    folder = create("auto_env", site, lock=lambda _place: None, installed=()).folder
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    said = [f"{name} = {value}" for name, value in project["entry-points"]["openenv.environments"].items()]
    install(site, project["name"], {}, entry_points="\n".join(said))
    return folder


@pytest.fixture
def moves(site: Path) -> None:
    """An environment without a manifest, so that this Python cannot serve it."""
    install(site, "openenv-zag-env", MOVES, entry_points="zag_env = zag_env:MoveEnv")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that has every image; in the file is what it was told."""
    told = tmp_path / "told"
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {told}\n[ "$1" = image ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return told


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Docker."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
