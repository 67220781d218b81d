"""Imports point to a lower rank only, and some libraries stay in one room. The drawing is in docs/concepts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guards.sources import PACKAGE, module_name, modules

RANKS = {
    "errors": 0, "types": 0,
    "protocol": 1, "env": 1, "engine": 1, "llm": 1, "dependency": 1,
    "server": 2, "client": 2, "runtimes": 2, "hub": 2, "scaffold": 2, "tools": 2,
    "launch": 3, "web": 3, "gym": 3, "pool": 3, "testing": 3, "evals": 3,
    "cli": 4, "auto": 4,
    "compat": 5, "__init__": 6,
}  # fmt: skip

# Sans-I/O: no socket, thread, clock, event loop, environment variable; and no pydantic, which is slow to import.
DENIED_IN_PROTOCOL = {
    "asyncio", "concurrent", "os", "pydantic", "queue", "select", "selectors", "signal", "socket", "subprocess",
    "threading", "time",
}  # fmt: skip
ONLY_ROOM = {"fastapi": "server", "starlette": "server", "uvicorn": "server", "typer": "cli", "rich": "cli"}


def imports(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of everything imported anywhere in a module of `package`, relative names resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def room_of(name: str) -> str:
    """Name the room of a dotted name of ours; `openenv.EnvClient` and the like belong to `__init__`."""
    _, _, inner = name.partition(".")
    first = inner.split(".")[0]
    return first if first in RANKS else "__init__"


def violations(source: str, path: Path) -> list[str]:
    """Say what in the source of the module at `path` breaks the drawing."""
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room not in RANKS:
        return [f"{path}: room {room!r} has no rank; give it one in {Path(__file__).name}"]
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = []
    for line, imported in imports(ast.parse(source), package):
        top = imported.split(".")[0]
        target = room_of(imported)
        if top == "openenv":
            if target != room and RANKS[target] >= RANKS[room]:
                arrow = f"{room} (rank {RANKS[room]}) may not import {target} (rank {RANKS[target]})"
                found.append(f"{path}:{line}: {arrow}: {imported}")
        elif room == "protocol" and top in DENIED_IN_PROTOCOL:
            found.append(f"{path}:{line}: protocol is sans-I/O and may not import {top}")
        elif ONLY_ROOM.get(top, room) != room:
            found.append(f"{path}:{line}: only {ONLY_ROOM[top]} may import {top}, not {room}")
    return found


def test_every_import_points_to_a_lower_rank() -> None:
    found = [line for path in modules() for line in violations(path.read_text(), path)]
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("client/pool.py", "from openenv.server import app", ":1: client (rank 2) may not import server (rank 2)"),
        ("client/pool.py", "from ..server.app import create_app", "client (rank 2) may not import server (rank 2)"),
        ("client/__init__.py", "from ..cli import main", "client (rank 2) may not import cli (rank 4)"),
        ("client/pool.py", "from .. import server", "client (rank 2) may not import server (rank 2)"),
        ("client/pool.py", "from openenv import EnvClient", "client (rank 2) may not import __init__ (rank 6)"),
        ("client/pool.py", "import openenv", "client (rank 2) may not import __init__ (rank 6)"),
        ("errors.py", "from .types import Action", "errors (rank 0) may not import types (rank 0)"),
        ("env/spec.py", "def f():\n    import openenv.hub", ":2: env (rank 1) may not import hub (rank 2)"),
        ("env/spec.py", "if TYPE_CHECKING:\n    from openenv.cli import x", ":2: env (rank 1) may not import cli"),
        ("protocol/codec.py", "from time import monotonic", "protocol is sans-I/O and may not import time"),
        ("protocol/codec.py", "import os.path", "protocol is sans-I/O and may not import os"),
        ("client/pool.py", "import uvicorn", "only server may import uvicorn, not client"),
        ("scaffold/write.py", "from rich.console import Console", "only cli may import rich, not scaffold"),
        ("attic/old.py", "", "room 'attic' has no rank"),
    ],
)
def test_the_guard_sees(file: str, source: str, complaint: str) -> None:
    (found,) = violations(source, PACKAGE / file)
    assert complaint in found


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("client/pool.py", "from . import session\nfrom .session import Session\nfrom ..errors import SessionLost"),
        ("client/pool.py", "import asyncio\nfrom openenv.protocol.codec import decode"),
        ("server/app.py", "import fastapi, uvicorn"),
        ("cli/output.py", "from rich.console import Console\nfrom openenv.server import create_app"),
        ("__init__.py", "from .client import EnvClient"),
    ],
)
def test_the_guard_lets_pass(file: str, source: str) -> None:
    assert violations(source, PACKAGE / file) == []
