"""The folder of an environment as `openenv init` makes it, for tests that change something in it."""

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from openenv.scaffold import create

__all__ = ["environment_folder"]


def environment_folder(parent: Path) -> Path:
    """Put a new environment called my_env below `parent`, with its lock file."""
    return Path(shutil.copytree(_made(), parent / "my_env"))


@cache
def _made() -> Path:
    """Make one for all tests of this process: locking takes a moment."""
    parent = Path(mkdtemp(prefix="openenv-tests-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    return create("my_env", parent).folder
