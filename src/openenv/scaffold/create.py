"""One environment, from a name to a folder: the order of the steps, each of which is decided elsewhere."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

from openenv.dependency.wheel import Dependency, installed_dependency
from openenv.scaffold.lock import lock as lock_folder
from openenv.scaffold.names import Names
from openenv.scaffold.render import render, template_files
from openenv.scaffold.taken import InstalledNames
from openenv.scaffold.write import staged, write_files

__all__ = ["Created", "create"]


@dataclass(frozen=True)
class Created:
    """What `create` made.

    Attributes:
        names: What things are called in it.
        dependency: How it gets the runtime.
        folder: Where it is.
        files: Everything in it, by path with forward slashes, sorted.
        lock_problem: None when it has a `uv.lock`, else why it has none.
    """

    names: Names
    dependency: Dependency
    folder: Path
    files: tuple[str, ...]
    lock_problem: str | None


def create(
    name: str,
    parent: Path,
    *,
    installed: Container[str] | None = None,
    dependency: Dependency | None = None,
    lock: Callable[[Path], str | None] = lock_folder,
) -> Created:
    """Write the environment of that name into a new folder below `parent`.

    Args:
        name: As typed: `my_env`, `my-env` or `MyEnv`.
        parent: Made if it is missing.
        installed: The package names it must not take; by default those that can be imported here.
        dependency: How it gets the runtime; by default as this machine got it.
        lock: Makes `uv.lock` in a folder, and says why if it cannot.

    Raises:
        ScaffoldError: The name or the place will not do; nothing was written.
    """
    names = Names.parse(name, InstalledNames() if installed is None else installed)
    dependency = dependency or installed_dependency()
    target = parent / names.package
    with staged(target) as staging:
        write_files(staging, render(names, dependency, template_files()))
        lock_problem = lock(staging)
        files = sorted(path.relative_to(staging).as_posix() for path in staging.rglob("*") if path.is_file())
    return Created(names, dependency, target, tuple(files), lock_problem)
