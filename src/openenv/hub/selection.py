"""Which files of an environment's folder are published in its Space.

What the image is not built from stays here: what `.dockerignore` names, hidden files, what tools leave behind, and
whatever the caller excludes besides. What a Space or the package cannot do without goes along in any case. What never
goes into an image, be it junk or a secret by its name, stays whatever anybody says; a secret in the text of another
file is an error.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openenv.errors import ConfigurationError
from openenv.hub.context import must_stay
from openenv.hub.files import Pattern, is_excluded, patterns_in
from openenv.hub.secrets import kind_of_name, kinds_in

__all__ = ["Selection", "refuse_secrets", "select"]

_IGNORE_FILE = ".dockerignore"
_USUALLY_NOT = ("**/.*", "**/*.egg-info", "**/*~", "build", "dist", "venv")
_KEPT_HIDDEN = ("!.dockerignore", "!.gitattributes", "!.gitignore", "!.python-version")
_ALWAYS = frozenset(
    {_IGNORE_FILE, "Dockerfile", "README.md", "openenv.yaml", "pyproject.toml", "server/Dockerfile", "uv.lock"}
)
_MAX_SCANNED_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Selection:
    """What is published, and what is not because it looks like a secret. Paths with forward slashes, sorted."""

    paths: tuple[str, ...]
    withheld: tuple[str, ...]


def select(folder: Path, *, exclude: Sequence[str] = ()) -> Selection:
    """Look through a folder.

    Args:
        folder: The environment's.
        exclude: Lines as in a `.dockerignore`, which count after those of its own.

    Raises:
        ConfigurationError: A link leads out of the folder, a pattern cannot be read, or the folder cannot.
    """
    try:
        own = patterns_in((folder / _IGNORE_FILE).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        own = []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{folder / _IGNORE_FILE} cannot be read: {error}") from error
    asked = patterns_in("\n".join(exclude))
    usual = [Pattern.parse(line) for line in (*_USUALLY_NOT, *_KEPT_HIDDEN)]
    found = list(_walk(folder, "", [*usual, *own], asked))
    withheld = {path for path in found if kind_of_name(path)}
    return Selection(tuple(sorted(set(found) - withheld)), tuple(sorted(withheld)))


def refuse_secrets(path: str, content: bytes | Path) -> None:
    """Refuse a file in whose text there is a secret; what is too large to be written by hand is not looked at.

    Args:
        path: What it is called.
        content: What it holds, or the file that holds it.

    Raises:
        ConfigurationError: It names the line and the kind, and quotes nothing. Or it cannot be read.
    """
    try:
        if isinstance(content, Path):
            content = b"" if content.stat().st_size > _MAX_SCANNED_BYTES else content.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error
    if b"\0" in content:
        return
    for line, kind in kinds_in(content.decode(errors="replace")):
        raise ConfigurationError(
            f"{path}, line {line}, holds {kind}, which everybody could read in the Space; take it out and revoke it, or"
            " leave the file out by --exclude"
        )


def _walk(folder: Path, prefix: str, usual: Sequence[Pattern], asked: Sequence[Pattern]) -> Iterator[str]:
    """Yield what nothing excludes, and secrets by their name whatever excludes them, so that they can be told."""
    something_returns = any(pattern.brings_back for pattern in (*usual, *asked))
    for entry in _entries(folder):
        path = prefix + entry.name
        is_secret = kind_of_name(path) is not None
        if must_stay(path) and not is_secret:
            continue
        excluded = is_excluded(path, [*usual, *asked])
        if entry.is_dir(follow_symlinks=False):
            if not _is_tools(entry) and (not excluded or something_returns):
                yield from _walk(Path(entry.path), f"{path}/", usual, asked)
        elif is_secret:
            yield path
        elif (path in _ALWAYS and not is_excluded(path, asked)) or not excluded:
            if entry.is_symlink():
                _refuse_leading_out(entry, path)
            if entry.is_file():
                yield path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_tools(entry: os.DirEntry[str]) -> bool:
    """Whether a tool made the folder and says so: a virtual environment, or a cache."""
    return any((Path(entry.path) / name).is_file() for name in ("pyvenv.cfg", "CACHEDIR.TAG"))


def _refuse_leading_out(entry: os.DirEntry[str], path: str) -> None:
    target = Path(entry.path).resolve()
    root = Path(entry.path).parent.resolve()
    for _ in range(path.count("/")):
        root = root.parent
    if not target.is_relative_to(root) or not target.is_file():
        raise ConfigurationError(
            f"{path} is a link to {os.readlink(entry.path)}, which is no file of this folder; copy it here, or leave it"
            " out by --exclude"
        )
