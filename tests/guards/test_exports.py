"""What is public is listed, sorted, there, lazy and in the reference; and the drawing of the error tree is true."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import openenv
from openenv import errors
from tests.guards.sources import PACKAGE, ROOT, module_name, modules


def listed(path: Path) -> list[str] | None:
    """Read a module's `__all__` without importing it; None when it has none."""
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.Assign(targets=[ast.Name("__all__")], value=value):
                return list(ast.literal_eval(value))
            case ast.AnnAssign(target=ast.Name("__all__"), value=ast.expr() as value):
                return list(ast.literal_eval(value))
    return None


def sort_key(name: str) -> tuple[int, str]:
    """Order CONSTANTS, then Classes, then the rest: ruff's order, so that its fix satisfies us."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name)


def needs_all(path: Path) -> bool:
    return path.name != "__main__.py" and path.parent.name != "cli"


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_all_is_sorted_and_true(path: Path) -> None:
    names = listed(path)
    if names is None:
        assert not needs_all(path), f"{path} has no __all__"
        return
    assert names == sorted(set(names), key=sort_key)
    module = importlib.import_module(module_name(path))
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{path} lists what it does not have: {missing}"


def test_every_public_name_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text()
    missing = [name for name in openenv.__all__ if not re.search(rf"`(openenv\.)?{name}\b", reference)]
    assert not missing, f"docs/reference.md leaves out {missing}"


def test_public_names_are_loaded_when_they_are_used() -> None:
    program = "import sys, openenv; print(*(name for name in sys.modules if name.startswith('openenv.')))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[1] for name in ran.stdout.split()}
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"compat"}  # its finder alone, which is small
    assert "openenv.compat.table" not in ran.stdout.split()
    assert loaded & (rooms | {"types", "launch"}) == set()


def test_an_unknown_name_is_an_attribute_error_that_names_the_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'openenv' has no attribute 'no_such_name'"):
        _ = openenv.no_such_name


def drawn_errors() -> dict[str, tuple[str | None, str]]:
    """Read the drawing in the docstring of errors.py: name -> (parent, other bases)."""
    drawing: dict[str, tuple[str | None, str]] = {}
    open_at: list[tuple[int, str]] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]
        if drawn := re.match(r"^(    (?:[│ ]   )*(?:[├└]── )?)([A-Z]\w+)(?: \(([\w, ]+)\))?(?=\s{2}|$)", line):
            indent, name = len(drawn[1]), drawn[2]
            open_at = [(column, above) for column, above in open_at if column < indent]
            drawing[name] = (open_at[-1][1] if open_at else None, drawn[3] or "")
            open_at.append((indent, name))
    return drawing


def test_the_error_tree_is_drawn_in_its_docstring() -> None:
    tree: dict[str, tuple[str | None, str]] = {}
    for name in errors.__all__:
        bases = getattr(errors, name).__bases__
        ours = [base.__name__ for base in bases if base.__module__ == errors.__name__]
        others = [base.__name__ for base in bases if base.__module__ != errors.__name__ and base is not Exception]
        tree[name] = (ours[0] if ours else None, ", ".join(others))
    assert drawn_errors() == tree
