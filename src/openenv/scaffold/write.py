"""A file tree, put on disk whole or not at all. Decides where files may go; what they hold comes in.

The tree grows in a folder beside its target and takes the target's name in one move, so nobody ever sees half of it,
and an error or Ctrl-C leaves the disk as it was.
"""

import errno
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from openenv.errors import ScaffoldError

__all__ = ["staged", "write_files"]

# The machine's troubles; anything else that keeps us from writing comes of the place that was chosen.
_FAILURES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when the block ends, and is gone when it raises.

    Folders missing above the target are made, and taken away again if nothing comes of it.

    Raises:
        ScaffoldError: Something is at the target already, or nothing can be written there.
    """
    target = target.resolve()  # a link to an empty folder stays a link
    _refuse_occupied(target)
    try:
        with _folder(target.parent) as parent, tempfile.TemporaryDirectory(prefix=".openenv-", dir=parent) as temporary:
            # One level down, because a temporary folder is closed to others and the target should not be.
            staging = Path(temporary, target.name)
            staging.mkdir()
            yield staging
            staging.rename(target)
    except OSError as error:
        raise ScaffoldError(
            f"nothing can be written at {target}: {error.strerror or error}",
            hint="choose another folder with --output-dir",
            exit_code=1 if error.errno in _FAILURES else 2,
        ) from error


def write_files(folder: Path, contents: Mapping[str, str | bytes]) -> None:
    """Write every file below the folder, by its path with forward slashes."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _refuse_occupied(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()):
            raise ScaffoldError(f"the folder {target} is not empty", hint="remove it, or choose another name")
    elif target.exists():
        raise ScaffoldError(f"{target} is a file, where the folder should go", hint="remove it, or choose another name")


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """Make the folder and those above it for the time of the block, and for good if the block succeeds."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except BaseException:
        for each in missing:
            # Another program may have put something there meanwhile: then it is not ours to remove.
            with suppress(OSError):
                each.rmdir()
        raise
