"""Imports are read off the source and traced to the folder, the standard library, or a declared dependency."""

import pytest

from openenv.hub.imports import (
    Dependencies,
    Import,
    Layout,
    imports_of,
    installed,
    is_standard,
    normalised,
    requirement_name,
)

LAYOUT = Layout(
    frozenset({"__init__.py", "models.py", "server/__init__.py", "server/app.py", "data/tables.csv"}),
    frozenset({"my_env"}),
)


def modules(source: str) -> list[str]:
    return [f"{'.' * found.level}{found.module}" for found in imports_of(source, "x.py")]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a, b.c as d", ["a", "b.c"]),
        ("from a.b import c", ["a.b"]),
        ("from . import x\nfrom ..y import z", [".", "..y"]),
        ("def f():\n    import a\n    class C:\n        import b", ["a", "b"]),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", ["b"]),
        ("if typing.TYPE_CHECKING:\n    import a", []),
        ("if TYPE_CHECKING or x:\n    import a\nelse:\n    import b", ["a", "b"]),
        ("try:\n    import a\nexcept ImportError:\n    import b", ["b"]),
        ("try:\n    import a\nexcept (KeyError, ModuleNotFoundError):\n    pass\nelse:\n    import b", ["b"]),
        ("try:\n    import a\nexcept:\n    pass\nfinally:\n    import b", ["b"]),
        ("try:\n    import a\nexcept KeyError:\n    pass", ["a"]),
        ("x = 'import a'", []),
    ],
)
def test_imports_that_must_succeed_are_listed(source: str, found: list[str]) -> None:
    assert modules(source) == found


def test_an_import_says_where_it_stands() -> None:
    assert str(imports_of("\nfrom ..a import b", "server/app.py")[0]) == "server/app.py:2 imports ..a"


@pytest.mark.parametrize(
    ("ladder", "spared"),
    [
        ("try:\n    import openenv.core\nexcept ImportError:\n    import core", ["core"]),
        (
            "try:\n    import core\nexcept ImportError:\n    try:\n        import openenv_core, openenv\n"
            "    except ImportError:\n        import other",
            ["other"],
        ),
        ("try:\n    import openenv, core\nexcept ImportError:\n    import other", []),
        ("try:\n    from ..models import x\nexcept ImportError:\n    from models import x", []),
        ("try:\n    pass\nexcept ImportError:\n    import other", []),
        ("import openenv", []),
    ],
)
def test_what_a_ladder_never_comes_to_is_spared(ladder: str, spared: list[str]) -> None:
    known = Dependencies(declared=frozenset({"openenv-core"}), known=frozenset({"openenv-core"}))
    assert [found.module for found in imports_of(ladder, "server/x.py") if known.spare(found)] == spared


def test_what_is_not_python_raises() -> None:
    with pytest.raises(SyntaxError):
        imports_of("import", "x.py")


@pytest.mark.parametrize(
    ("path", "module", "level", "resolves"),
    [
        ("server/app.py", "models", 2, True),
        ("server/app.py", "", 1, True),
        ("server/app.py", "app", 1, True),
        ("server/app.py", "nowhere", 2, False),
        ("server/app.py", "models", 3, False),
        ("client.py", "models", 1, True),
        ("client.py", "models", 2, False),
        ("client.py", "my_env", 0, True),
        ("client.py", "my_env.server.app", 0, True),
        ("client.py", "my_env.nowhere", 0, False),
        ("client.py", "server.app", 0, True),
        ("client.py", "server.nowhere", 0, False),
    ],
)
def test_own_imports_lead_to_files(path: str, module: str, level: int, resolves: bool) -> None:
    assert LAYOUT.resolves(Import(path, 1, module, level)) is resolves


@pytest.mark.parametrize(("module", "owns"), [("my_env.x", True), ("server", True), ("models", True), ("numpy", False)])
def test_what_is_the_folders_own(module: str, owns: bool) -> None:
    assert LAYOUT.owns(Import("x.py", 1, module)) is owns


def test_a_dependency_provides_by_its_name_or_as_it_is_installed() -> None:
    known = Dependencies(
        declared=frozenset({"a-b"}), known=frozenset({"a-b", "pyyaml", "dist"}), brings={"mod": ["Dist"]}
    )
    assert [top for top in ("a_b", "yaml", "mod", "numpy", "openenv") if known.provide(top)] == ["a_b", "yaml", "mod"]


@pytest.mark.parametrize("name", ["openenv-runtime", "openenv", "openenv-core", "OpenEnv_Core"])
def test_every_name_of_the_runtime_brings_it_and_what_it_brings(name: str) -> None:
    found = installed([name])
    assert all(found.provide(top) for top in ("openenv", "openenv_core", "pydantic", "fastapi"))
    assert not found.provide("no_such_module")


def test_an_extra_brings_what_it_asks_for() -> None:
    assert not installed(["openenv-runtime[fast]"]).provide("fastmcp")
    assert installed(["openenv-core[fast, mcp]>=0.1 ; python_version > '3'"]).provide("fastmcp")


def test_what_is_not_installed_is_said() -> None:
    found = installed(["openenv-runtime", "No.Such_Thing"], ["locked-only"])
    assert found.absent == {"no-such-thing"}
    assert found.provide("no_such_thing")
    assert found.provide("locked_only")


def test_names_are_compared_as_indexes_do() -> None:
    assert normalised("A.b__C") == "a-b-c"
    assert [requirement_name(line) for line in ("numpy>=2; x", "A_b[extra] @ file:///x", " c", "?")] == [
        "numpy",
        "a-b",
        "c",
        "",
    ]
    assert is_standard("json")
    assert not is_standard("numpy")
