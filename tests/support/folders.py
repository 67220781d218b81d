"""The folder of an environment, as `openenv init` makes it or as the catalogue has it, for tests to change."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from openenv.scaffold import create
from tests.support.command import ROOT

__all__ = ["catalogue_copy", "environment_folder"]


def environment_folder(parent: Path) -> Path:
    """Put a new environment called my_env below `parent`, with its lock file."""
    return Path(shutil.copytree(_made(), parent / "my_env"))


def catalogue_copy(name: str, parent: Path) -> Path:
    """Put an environment of the catalogue below `parent`, without what was made in its folder: a clone has no lock."""
    made = shutil.ignore_patterns("uv.lock", ".*_cache", "__pycache__", "*.egg-info", "build", ".venv")
    return Path(shutil.copytree(ROOT / "envs" / name, parent / name, ignore=made))


@cache
def _made() -> Path:
    """Make one for all tests of this process: locking takes a moment."""
    parent = Path(mkdtemp(prefix="openenv-tests-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return create("my_env", parent).folder
