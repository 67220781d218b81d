"""Rules about files: what no file says, how long code is, and that every module has the test file that mirrors it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.guards.sources import PACKAGE, ROOT, modules, repository_files

# With a letter in brackets, so that this file does not say them either. A folder beside the project may be named as a
# source of wheels; a folder of one machine, or a host, may not.
FORBIDDEN = re.compile(
    r"/[w]ork/|/[r]oot/|/opt/[p]ypi|[p]ythonhosted|--(extra-)?[i]ndex-url|--[f]ind-links[\s=\"',]+(/|~|\w+://)"
)
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80


def shown(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def none_of(found: list[str]) -> None:
    assert not found, "\n".join(["", *found])


def calls(tree: ast.Module, module: str, function: str) -> Iterator[int]:
    """Yield the lines that use `module.function`, or import it by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id), attr=attribute) if (id, attribute) == (module, function):
                yield node.lineno
            case ast.ImportFrom(module=source, names=names) if source == module:
                yield from (node.lineno for alias in names if alias.name == function)


def printed(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno


def long_functions(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            if last - node.lineno >= MAX_FUNCTION_LINES:
                yield node.lineno


def is_facade(tree: ast.Module) -> bool:
    """Whether a module only re-exports: a docstring, imports and `__all__`."""
    rest = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return all(
        (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in rest
    )


def test_no_file_mentions_a_machine_or_an_index() -> None:
    found = []
    for path in repository_files():
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1):
            found += [f"{shown(path, number)}: {said[0]}" for said in FORBIDDEN.finditer(line)]
    none_of(found)


def test_requirements_are_pins_and_hashes_alone() -> None:
    line = re.compile(r"#.*|\S+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        none_of([text for text in path.read_text().splitlines() if not line.fullmatch(text)])


def test_no_lock_file_is_tracked() -> None:
    none_of([str(path) for path in repository_files() if path.name == "uv.lock"])


def test_no_module_is_too_long() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in modules()}
    none_of([f"{shown(path, 1)}: {count} lines" for path, count in lengths.items() if count > MAX_FILE_LINES])


def test_no_function_is_too_long() -> None:
    none_of([shown(path, line) for path in modules() for line in long_functions(ast.parse(path.read_text()))])


def test_only_the_output_module_prints() -> None:
    others = [path for path in modules() if path != PACKAGE / "cli" / "output.py"]
    none_of([shown(path, line) for path in others for line in printed(ast.parse(path.read_text()))])


def test_no_test_sleeps() -> None:
    tests = sorted((ROOT / "tests").rglob("*.py"))
    none_of([shown(path, line) for path in tests for line in calls(ast.parse(path.read_text()), "time", "sleep")])


def test_every_module_has_the_test_file_that_mirrors_it() -> None:
    missing = []
    for path in modules():
        if path.stem not in ("__init__", "__main__") and not is_facade(ast.parse(path.read_text())):
            mirror = ROOT / "tests" / path.relative_to(PACKAGE).with_name(f"test_{path.stem.lstrip('_')}.py")
            if not mirror.is_file():
                missing.append(f"{path.relative_to(ROOT)} needs {mirror.relative_to(ROOT)}")
    none_of(missing)


def test_the_guards_see() -> None:
    option = "--{}-links".format("find")
    assert FORBIDDEN.search(f'["pip", "{option}", "/srv/wheels"]')
    assert not FORBIDDEN.search(f'["pip", "{option}", "wheels"]')
    tree = ast.parse("import time\nfrom time import sleep\ntime.sleep(1)\ntime.time()\nprint()\nprint.flush()")
    assert list(calls(tree, "time", "sleep")) == [2, 3]
    assert list(printed(tree)) == [5]
    body = "\n".join(["    pass"] * MAX_FUNCTION_LINES)
    assert list(long_functions(ast.parse(f"def short():\n    pass\n\nasync def long():\n{body}"))) == [4]
    assert is_facade(ast.parse('"""Doc."""\nfrom .x import X\n__all__ = ["X"]'))
    assert not is_facade(ast.parse("from .x import X\nLIMIT = 1"))
