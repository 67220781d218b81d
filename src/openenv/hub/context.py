"""What an image is built from: which files of an environment's folder the engine gets, and the archive they travel in.

`.dockerignore` leaves out what it lists, as Docker reads it; `<Dockerfile>.dockerignore` stands in for it where there
is one. Whatever they say, secrets, virtual environments, version control and caches stay here. The archive says nothing
of who made it and when, so the same files are the same bytes, and it is written as it is read, so size does not matter.
"""

import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import IO

from openenv.errors import BuildFailed, ConfigurationError
from openenv.hub.files import Pattern, is_excluded, patterns_in
from openenv.hub.secrets import kind_of_name

__all__ = ["Context", "leads_out", "must_stay", "read_context"]

_IGNORE_FILE = ".dockerignore"
_JUNK = (
    ".git", ".hg", ".svn", ".venv", "__pycache__", "*.py[co]", "node_modules", ".DS_Store",
    ".cache", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".tox",
)  # fmt: skip
_PRIVATE = (".aws", ".azure", ".envrc", ".gnupg", ".htpasswd", ".kube", ".npmrc", ".pgpass", ".ssh", "credentials")

# Any date will do that a zip file can hold, since wheels are built from these files.
_DATE = 946684800
_PIECE = 2**20


@dataclass(frozen=True)
class Context:
    """What an engine gets to build an image from.

    Attributes:
        folder: Where the files are.
        paths: Files, folders and links from there, with forward slashes, sorted.
        replaced: Files whose text is another one than in the folder, or that are not there at all.
        withheld: What would have been sent, but looks like a secret.
        leading_out: Links that lead out of the folder, and so nowhere in the image.
        notes: What the image gets that the folder does not seem to say.
    """

    folder: Path
    paths: tuple[str, ...]
    replaced: Mapping[str, bytes] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()
    leading_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def write_to(self, stream: IO[bytes]) -> None:
        """Write the archive.

        Raises:
            BuildFailed: A file cannot be read, or changed meanwhile; it is named.
            BrokenPipeError: Nobody reads the stream any more.
        """
        with tarfile.open(fileobj=stream, mode="w|", bufsize=_PIECE, format=tarfile.PAX_FORMAT) as archive:
            archive.copybufsize = _PIECE  # type: ignore[attr-defined]  # since 3.5, though typeshed lacks it
            for path in sorted({*self.paths, *self.replaced}):
                try:
                    self._add(archive, path)
                except BrokenPipeError:
                    raise
                except OSError as error:
                    what = f"{self.folder / path} could not be sent: {error.strerror or error}"
                    raise BuildFailed(what, hint=f"if the image does not need it, name it in {_IGNORE_FILE}") from error

    def _add(self, archive: tarfile.TarFile, path: str) -> None:
        if (content := self.replaced.get(path)) is not None:
            archive.addfile(_member(path, stat.S_IFREG | 0o644, size=len(content)), BytesIO(content))
            return
        place = self.folder / path
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            archive.addfile(_member(path, status.st_mode, target=os.readlink(place)))
        elif stat.S_ISDIR(status.st_mode):
            archive.addfile(_member(path, status.st_mode))
        else:
            with place.open("rb") as content_file:
                # Its size now, and not a moment ago, since a log may grow while we look.
                size = os.fstat(content_file.fileno()).st_size
                archive.addfile(_member(path, status.st_mode, size=size), content_file)


def read_context(folder: Path, dockerfile: str) -> Context:
    """Look through a folder.

    Args:
        folder: The environment's.
        dockerfile: From there, with forward slashes. It is sent in any case.

    Raises:
        ConfigurationError: A pattern cannot be read, or the folder cannot.
    """
    patterns = _patterns(folder, dockerfile)
    needed = {name for name in (dockerfile, _IGNORE_FILE) if (folder / name).is_file()}
    paths: set[str] = set(needed)
    withheld, leading_out = [], []
    for entry, path in _walk(folder, "", patterns):
        if _is_private(path):
            withheld.append(path)
            continue
        paths.add(path)
        if entry.is_symlink() and leads_out(path, os.readlink(entry.path)):
            leading_out.append(path)
    return Context(folder, tuple(sorted(paths)), {}, tuple(sorted(withheld)), tuple(sorted(leading_out)))


def must_stay(path: str) -> bool:
    """Whether a path is never sent: a secret by its name, or something that is made anew wherever it is needed."""
    return _is_private(path) or _is_junk(path)


def leads_out(path: str, target: str) -> bool:
    """Whether a link at `path` to `target` leaves the folder that the path is counted from."""
    if target.startswith("/"):
        return True
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).split("/")[0] == ".."


def _patterns(folder: Path, dockerfile: str) -> list[Pattern]:
    for name in (f"{dockerfile}.dockerignore", _IGNORE_FILE):
        try:
            return patterns_in((folder / name).read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{folder / name} cannot be read: {error}") from error
    return []


def _walk(folder: Path, prefix: str, patterns: Sequence[Pattern]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield what `.dockerignore` lets through and is no junk; of a folder of secrets, only the folder."""
    something_returns = any(pattern.brings_back for pattern in patterns)
    for entry in _entries(folder):
        path = prefix + entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if _is_junk(path) or (is_folder and _is_tools(entry)):
            continue
        excluded = is_excluded(path, patterns)
        if not excluded and (is_folder or entry.is_file(follow_symlinks=False) or entry.is_symlink()):
            yield entry, path
        if is_folder and not _is_private(path) and (not excluded or something_returns):
            yield from _walk(Path(entry.path), f"{path}/", patterns)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_junk(path: str) -> bool:
    return _bears(path, _JUNK)


def _is_private(path: str) -> bool:
    return _bears(path, _PRIVATE) or kind_of_name(path) is not None


def _bears(path: str, names: Sequence[str]) -> bool:
    name = posixpath.basename(path)
    return any(fnmatchcase(name, each) for each in names)


def _is_tools(entry: os.DirEntry[str]) -> bool:
    """Whether a tool made the folder and says so: a virtual environment, or a cache."""
    return any((Path(entry.path) / name).is_file() for name in ("pyvenv.cfg", "CACHEDIR.TAG"))


def _member(path: str, mode: int, *, size: int = 0, target: str = "") -> tarfile.TarInfo:
    """Describe a member. Everybody may read it, as in the image another user does; what may be run stays so."""
    member = tarfile.TarInfo(path)
    member.mtime = _DATE
    member.size = size
    member.mode = 0o755 if mode & 0o111 else 0o644
    if stat.S_ISLNK(mode):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
    elif stat.S_ISDIR(mode):
        member.type = tarfile.DIRTYPE
    return member
