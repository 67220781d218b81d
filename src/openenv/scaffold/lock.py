"""The `uv.lock` of a new environment, made by uv. Decides where uv comes from and how long it may take.

An environment without a lock works too, so nothing here raises: the answer says why there is none.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["FETCH_LIMIT_S", "LOCK_LIMIT_S", "fetch_uv", "find_uv", "lock", "lock_with"]

FETCH_LIMIT_S = 120.0
LOCK_LIMIT_S = 120.0


def lock(
    folder: Path,
    find: Callable[[], str | None] | None = None,
    fetch: Callable[[Path], str | None] | None = None,
) -> str | None:
    """Write `uv.lock` into the folder of an environment.

    Args:
        folder: Where its `pyproject.toml` is.
        find: Gives the uv of this machine, or None.
        fetch: Puts one into a folder for this run only, or gives None.

    Returns:
        None once the lock is there, else why it is not, in one line.
    """
    found = (find or find_uv)()
    if found:
        return lock_with(found, folder)
    with tempfile.TemporaryDirectory(prefix="openenv-uv-") as temporary:
        fetched = (fetch or fetch_uv)(Path(temporary))
        return lock_with(fetched, folder) if fetched else "uv is not installed, and pip could not fetch it"


def lock_with(uv: str, folder: Path, *, limit_s: float = LOCK_LIMIT_S) -> str | None:
    """Run that uv; returns what `lock` returns."""
    # The interpreter is named, or uv would fetch one where none on the search path fits.
    command = [uv, "lock", "--no-progress", "--python", sys.executable]
    problem = _run(command, folder, limit_s)
    if problem is None and not (folder / "uv.lock").is_file():
        return "uv ended without an error and without a lock"
    return problem


def find_uv() -> str | None:
    """Find a uv that runs: on the search path, beside this Python, or in its `uv` package."""
    return next((path for path in _places() if _run([path, "--version"], Path.cwd(), 10) is None), None)


def fetch_uv(into: Path, *, limit_s: float = FETCH_LIMIT_S) -> str | None:
    """Have pip put uv into a folder; None when it cannot."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--target", str(into), "uv"]
    if _run(command, into, limit_s) is not None:
        return None
    return shutil.which("uv", path=str(into / "bin"))


def _places() -> Iterator[str]:
    for folder in (None, str(Path(sys.executable).parent)):
        if path := shutil.which("uv", path=folder):
            yield path
    try:
        from uv import find_uv_bin  # there only when uv was installed from an index
    except ImportError:
        return
    try:
        yield find_uv_bin()
    except FileNotFoundError:
        return


def _run(command: list[str], folder: Path, limit_s: float) -> str | None:
    """Run to the end with nothing to read; returns None, or what went wrong in one line."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {limit_s:g} seconds"
    except OSError as error:
        return f"{command[0]} does not run: {error.strerror or error}"
    return None if done.returncode == 0 else _reason(done.stderr) or f"it ended with code {done.returncode}"


def _reason(stderr: str) -> str | None:
    """Pick the line that says what went wrong, which uv marks with a word or a cross."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("error:", "×"))]
    return next(iter(marked or lines[-1:]), None)
