"""What type checkers are told of OpenEnv's import paths: the table as stubs. Pure: path to text.

They lie in the package beside its code; `scripts/stubs` writes them.
"""

from openenv.compat.table import MODULES, is_package, names_in

__all__ = ["ROOT", "stubs"]

ROOT = "openenv.core"
_HEAD = "# Made by scripts/stubs; what happens is in openenv/compat.\n"


def stubs() -> dict[str, str]:
    """Lay out every stub, by path from the folder of the package."""
    return {_path(module): _text(module) for module in sorted(MODULES)}


def _path(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}/__init__.pyi" if is_package(module) else f"{path}.pyi"


def _text(module: str) -> str:
    lines = []
    for theirs, home in names_in(module).items():
        source, _, ours = home.partition(":")
        lines.append(f"from {source} import {ours} as {theirs}\n")
    return "".join([_HEAD, *sorted(lines)])
