"""The README of the environment that is served: where it is looked for, and what of it is shown."""

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MAX_BYTES", "read_readme"]

logger = logging.getLogger(__name__)

MAX_BYTES = 1024 * 1024
"""Largest README that is shown."""

_README, _MANIFEST = "README.md", "openenv.yaml"
_IMAGE = (Path("/app/env"), Path("/app"))  # where images of OpenEnv put it
_FOLDERS_UP = 3  # from an environment's module to the folder of its manifest; the scaffold has one between them
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n.*?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


def read_readme(environment_class: type | None, given: Path | None) -> str | None:
    """Read the README of an environment, without its front matter; None when there is none, or none to read.

    Args:
        environment_class: Its class, if that is known; the README beside the `openenv.yaml` of its package is the
            one. After that comes the current folder, if it is an environment's, and where images have it.
        given: The one to read, whatever is elsewhere.
    """
    path = given or next((path for path in _places(environment_class) if path.is_file()), None)
    if path is None:
        return None
    try:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is no file")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise ValueError(f"it has {size} bytes, and {MAX_BYTES} are shown at most")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # the latter for what is no UTF-8, too
        logger.warning("the README at %s is not shown: %s", path, error)
        return None
    return _FRONT_MATTER.sub("", text, count=1).lstrip("\r\n")


def _places(environment_class: type | None) -> Iterator[Path]:
    module = sys.modules.get(environment_class.__module__) if environment_class else None
    source = getattr(module, "__file__", None)
    above = list(Path(source).resolve().parents)[:_FOLDERS_UP] if source else []
    for folder in (*above, Path.cwd()):
        if (folder / _MANIFEST).is_file():
            yield folder / _README
    yield from (folder / _README for folder in _IMAGE)
