"""What programs call an environment's own client: found by reading its package's files, of which none is imported.

The names are those that the package's `__init__.py` gives away, as what is copied from the page at `/web` imports them
from there.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ClientNames", "client_names"]

_BASE, _BASE_HOMES = "EnvClient", ("openenv", "openenv.client")
_OF_TOOLS, _TOOL_CALL = ("MCPToolClient", "MCPClientBase"), "CallToolAction"
_FOLDERS_UP = 3  # from an environment's module to the folder of its package; the scaffold has one between them


@dataclass(frozen=True, slots=True)
class ClientNames:
    """What `from {package} import {action_class}, {client_class}` needs."""

    package: str
    client_class: str
    action_class: str


@dataclass(frozen=True, slots=True)
class _Given:
    """A name that a package gives away, and the class and file that it stands for."""

    name: str
    original: str
    source: Path


def client_names(environment_class: type, action_class: type) -> ClientNames | None:
    """Find the subclass of `EnvClient` that takes these actions, in the package of an environment.

    Returns:
        None when there is none, or when the package does not give away both it and the class of its actions.
    """
    for package, folder in _packages(environment_class):
        given = _given_away(folder)
        action = next((each for each in given if each.original == action_class.__name__), None)
        if action is None:
            continue
        for each in given:
            if each.original in _clients(each.source, action.original):
                return ClientNames(package, each.name, action.name)
    return None


def _packages(environment_class: type) -> Iterator[tuple[str, Path]]:
    """Give the packages around a class, the nearest first: those of its module's name, then those that pyproject.toml
    names, for a module that was imported from within its package's folder, as `server.app` is.
    """
    module = sys.modules.get(environment_class.__module__)
    source = getattr(module, "__file__", None)
    if module is None or source is None:
        return
    above = list(Path(source).resolve().parents)[:_FOLDERS_UP]
    names = (module.__package__ or "").split(".")
    for depth, folder in zip(range(len(names), 0, -1), above, strict=False):
        yield ".".join(names[:depth]), folder
    for folder in above:
        yield from ((name, folder) for name in _installed_as(folder / "pyproject.toml"))


def _installed_as(project: Path) -> Iterator[str]:
    """Give the name of the package that the folder of a pyproject.toml is."""
    try:
        table: Any = tomllib.loads(project.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it is not there, or no TOML
        return
    for key in ("tool", "setuptools", "package-dir"):
        table = table.get(key) if isinstance(table, dict) else None
    if isinstance(table, dict):
        yield from (name for name, folder in table.items() if folder == "." and name)


def _given_away(folder: Path) -> list[_Given]:
    """Read what the `__init__.py` of a package imports from its own modules."""
    tree = _parsed(folder / "__init__.py")
    return [
        _Given(alias.asname or alias.name, alias.name, folder.joinpath(*node.module.split(".")).with_suffix(".py"))
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
        for alias in node.names
    ]


def _clients(source: Path, action: str) -> set[str]:
    """Name the classes of a file whose base is `EnvClient[action, ...]`, or is made for calls of tools if these are."""
    tree = _parsed(source)
    known = _known_as(tree, _BASE)
    of_tools = _known_as(tree, *_OF_TOOLS) if action == _TOOL_CALL else set()
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if ast.unparse(base) in of_tools or _takes(base, known, action)
    }


def _known_as(tree: ast.Module, *classes: str) -> set[str]:
    """Say what a file may call classes of ours."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in _BASE_HOMES
        for alias in node.names
        if alias.name in classes
    }
    return imported | {f"{home}.{name}" for home in _BASE_HOMES for name in classes}


def _takes(base: ast.expr, known: set[str], action: str) -> bool:
    """Tell whether a base is `EnvClient[action, ...]`."""
    if not isinstance(base, ast.Subscript) or ast.unparse(base.value) not in known:
        return False
    return isinstance(base.slice, ast.Tuple) and ast.unparse(base.slice.elts[0]) == action


def _parsed(source: Path) -> ast.Module:
    """Parse a file; one that is not there, or that Python cannot read, is empty."""
    try:
        return ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])
