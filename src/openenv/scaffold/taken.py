"""Which names can be imported on this machine already. Looks at folders and finders; imports nothing."""

import importlib.util
import os
import sys
from pathlib import Path

__all__ = ["InstalledNames"]


class InstalledNames:
    """The top-level packages and modules that are installed, as a container of lower-case names.

    What lies in the working directory does not count: it is importable by accident of where the shell stands, and
    whether a folder may be written to is decided where it is written.
    """

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (_in_a_folder(name) or _by_a_finder(name))


def _in_a_folder(name: str) -> bool:
    """Whether some folder of `sys.path` holds it in any case: on macOS `pil` and `PIL` are one folder."""
    return any(name in _modules(folder) for folder in sys.path if not _is_working_directory(folder))


def _modules(folder: str) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name.partition(".")[0].lower() for entry in entries if _is_module(entry)}
    except OSError:  # `sys.path` may list what is not there, and zip files
        return set()


def _is_module(entry: os.DirEntry[str]) -> bool:
    # The folder of the console script is on `sys.path` too: its programs have no suffix and are no modules.
    return entry.is_dir() if "." not in entry.name else entry.name.endswith((".py", ".so", ".pyd"))


def _by_a_finder(name: str) -> bool:
    """Whether the import system finds it, which knows of editable installs too."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a half-made module in sys.modules
        return False
    if spec is None:
        return False
    places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
    return not all(_is_working_directory(Path(place).parent) for place in places)


def _is_working_directory(folder: str | Path) -> bool:
    return Path(folder).resolve() == Path.cwd()
