"""The static checks of an environment folder: what can be said about it while none of its code runs.

`openenv validate` shows them and `openenv push` makes them before it uploads anything. They read the folder, ask `uv`
about its lock file, and change nothing.
"""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from openenv.dependency import runs_released, sought_in_project
from openenv.errors import ConfigurationError
from openenv.hub.context import read_context
from openenv.hub.frontmatter import front_matter
from openenv.hub.imports import (
    RUNTIME_NAMES,
    Dependencies,
    Layout,
    imports_of,
    installed,
    is_standard,
    requirement_name,
)
from openenv.hub.manifest import Manifest, read_manifest
from openenv.hub.report import Check, Outcome, Report, Result, failed, not_checked, passed, run
from openenv.hub.secrets import kinds_in

__all__ = ["CHECKS", "Folder", "static_checks"]

_REQUIRED = ("__init__.py", "client.py", "models.py", "pyproject.toml", "README.md")
_DOCKERFILES = ("server/Dockerfile", "Dockerfile")
_COLOURS = frozenset({"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"})
_UV_LIMIT_S = 120.0
_OUTDATED = "needs to be updated"
_MAX_TEXT_BYTES = 1024 * 1024
_JUNK = frozenset({"__pycache__", "build", "dist", "node_modules"})


def static_checks(
    folder: Path, *, on_result: Callable[[Result], None] | None = None, uv: Callable[[], str | None] | None = None
) -> Report:
    """Check a folder without running any of its code.

    Args:
        folder: The environment's folder.
        on_result: Told of each result as it is known.
        uv: Finds uv, or gives None; by default on the search path and beside this Python.

    Raises:
        ConfigurationError: There is no such folder.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder; name the folder of an environment, the one with openenv.yaml")
    return Report(str(folder.resolve()), run(CHECKS, Folder(folder.resolve(), uv or _find_uv), on_result=on_result))


@dataclass(frozen=True)
class Folder:
    """What the checks look at, each part read once.

    Attributes:
        path: Where it is.
        find_uv: Finds uv, or gives None.
    """

    path: Path
    find_uv: Callable[[], str | None]

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The author's files, by path with forward slashes, sorted."""
        return tuple(sorted(_walk(self.path, "")))

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest. Raises ConfigurationError."""
        return read_manifest(self.path)

    @cached_property
    def project(self) -> dict[str, Any]:
        """`pyproject.toml`. Raises ConfigurationError."""
        return self._toml("pyproject.toml")

    @cached_property
    def layout(self) -> Layout:
        """The folder as its code sees it."""
        setuptools = _table(self.project, "tool", "setuptools")
        names = {self.path.name, str(_table(self.project, "project").get("name", "")), self.manifest.name}
        packages = {name.replace("-", "_") for name in names} | {
            k.partition(".")[0] for k in _table(setuptools, "package-dir")
        }
        return Layout(frozenset(self.files), frozenset(packages - {""}))

    @cached_property
    def locked(self) -> list[str]:
        """Names in the lock file; none without one."""
        if "uv.lock" not in self.files:
            return []
        packages = self._toml("uv.lock").get("package")
        return [str(p.get("name", "")) for p in packages if isinstance(p, dict)] if isinstance(packages, list) else []

    def read(self, path: str) -> str:
        """Read a file as text. Raises ConfigurationError."""
        try:
            return (self.path / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error

    def dependencies(self, *, of_tests: bool) -> Dependencies:
        """What the folder declares; for its tests the groups and extras count too."""
        project = _table(self.project, "project")
        lines = _texts(project.get("dependencies"))
        if of_tests:
            for more in (_table(project, "optional-dependencies"), _table(self.project, "dependency-groups")):
                lines += [line for group in more.values() for line in _texts(group)]
        return installed(lines, self.locked)

    def _toml(self, path: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.read(path))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}") from error


def _manifest(folder: Folder) -> Outcome:
    manifest = folder.manifest
    return passed(f"openenv.yaml names {manifest.name!r}, served from {manifest.app}")


def _structure(folder: Folder) -> Outcome:
    module, _, _ = folder.manifest.app.partition(":")
    required = [*_REQUIRED, *(["server/__init__.py"] if module.startswith("server.") else [])]
    missing = [path for path in required if path not in folder.files]
    if not any(path in folder.files for path in _DOCKERFILES):
        missing.append(" or ".join(_DOCKERFILES))
    if missing:
        return failed(*(f"{path} is missing" for path in missing), remedy="`openenv init` shows a whole tree; add them")
    return passed(f"{len(folder.files)} files")


def _app(folder: Folder) -> Outcome:
    target = folder.manifest.app
    module, _, attribute = target.partition(":")
    base = module.replace(".", "/")
    path = next((p for p in (f"{base}.py", f"{base}/__init__.py") if p in folder.files), None)
    if path is None:
        return failed(
            f"app is {target}, and there is no {base}.py", remedy="correct `app` in openenv.yaml, or add the file"
        )
    try:
        names = _bound(ast.parse(folder.read(path)).body)
    except SyntaxError as error:
        return failed(f"{path}:{error.lineno}: {error.msg}")
    name = attribute.partition(".")[0]
    if name in names:
        return passed(f"{path} defines {name}")
    if "*" in names:
        return not_checked(f"{path} has a star import, which may bring {name}", remedy=f"import {name} by its name")
    return failed(f"{path} defines no {name} at its top level", remedy=f"make it `{name} = create_app(...)`")


def _imports(folder: Folder) -> Outcome:
    wrong: list[str] = []
    unsure: list[str] = []
    sources = [path for path in folder.files if path.endswith(".py")]
    dependencies = {of_tests: folder.dependencies(of_tests=of_tests) for of_tests in (False, True)}
    count = 0
    for path in sources:
        known = dependencies[_is_test(path)]
        try:
            found = imports_of(folder.read(path), path)
        except SyntaxError as error:
            wrong.append(f"{path}:{error.lineno}: {error.msg}")
            continue
        for each in found:
            count += 1
            if known.spare(each):
                continue
            top = each.module.partition(".")[0]
            if each.level or (folder.layout.owns(each) and not is_standard(top)):
                if not folder.layout.resolves(each):
                    wrong.append(f"{each}, and the folder has no such file")
            elif not is_standard(top) and not known.provide(top):
                if known.absent:
                    unsure.append(f"{each}, which {', '.join(sorted(known.absent))} may bring: not installed here")
                else:
                    wrong.append(f"{each}, which no declared dependency brings")
    if wrong:
        return failed(*wrong, remedy="declare what it comes from in [project] dependencies, or correct the import")
    if unsure:
        return not_checked(*unsure, remedy="install the environment here (`pip install -e .`), and validate again")
    return passed(f"{count} imports in {len(sources)} files")


def _project(folder: Folder) -> Outcome:
    project = folder.project.get("project")
    if not isinstance(project, dict):
        return failed("pyproject.toml has no [project]", remedy="add it, with name, version and dependencies")
    wrong = [f"[project] has no {key}" for key in ("name", "requires-python") if not isinstance(project.get(key), str)]
    names = [requirement_name(line) for line in _texts(project.get("dependencies"))]
    if "dependencies" in _texts(project.get("dynamic")):
        if not wrong:
            return not_checked("the dependencies are dynamic: only a build can tell them", remedy="write them down")
    elif not RUNTIME_NAMES & set(names):
        wrong.append("no dependency brings openenv")
    if wrong:
        return failed(*wrong, remedy='write name, requires-python = ">=3.11" and dependencies = ["openenv-runtime"]')
    return passed(f"{project['name']} for Python {project['requires-python']}, {len(names)} dependencies")


def _lock(folder: Folder) -> Outcome:
    if "uv.lock" not in folder.files:
        if sought_in_project(folder.read("pyproject.toml")) and not runs_released():
            return not_checked(
                "there is no uv.lock: the openenv-runtime that runs here is on no package index, so none could name it",
                remedy="`openenv build` and `openenv push` do without, and send that runtime along",
            )
        return failed("uv.lock is missing", remedy="run `uv lock` in the folder")
    uv = folder.find_uv()
    if uv is None:
        return not_checked("uv is not installed, and nothing else can read its lock", remedy="pip install uv")
    command = [uv, "lock", "--check", "--no-progress", "--python", sys.executable]
    try:
        ran = subprocess.run(
            command, cwd=folder.path, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            encoding="utf-8", errors="replace", timeout=_UV_LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return not_checked(f"`uv lock --check` took longer than {_UV_LIMIT_S:g} s")
    except OSError as error:
        return not_checked(f"{uv} does not run: {error}", remedy="pip install uv")
    if ran.returncode == 0:
        return passed("uv.lock matches pyproject.toml")
    said = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
    if _OUTDATED in ran.stderr:
        return failed("uv.lock does not match pyproject.toml", remedy="run `uv lock` in the folder")
    reason = next((line for line in said if line.startswith(("error:", "×"))), said[-1] if said else "it said nothing")
    return not_checked(f"`uv lock --check` could not tell: {reason}")


def _secrets(folder: Folder) -> Outcome:
    dockerfile = next((path for path in _DOCKERFILES if path in folder.files), _DOCKERFILES[0])
    context = read_context(folder.path, dockerfile)
    published = [path for path in context.paths if (folder.path / path).is_file()]
    found = []
    for path in published:
        if (folder.path / path).stat().st_size <= _MAX_TEXT_BYTES:
            text = (folder.path / path).read_bytes().decode(errors="replace")
            found += [f"{path}:{line}: {kind}" for line, kind in kinds_in(text)]
    if found:
        return failed(*found, remedy="take it out and revoke it; a server gets its secrets by environment variables")
    stay = f"; {', '.join(context.withheld)} would stay here" if context.withheld else ""
    return passed(f"none in the {len(published)} files that would be published{stay}")


def _readme(folder: Folder) -> Outcome:
    block = front_matter(folder.read("README.md"))
    if not block:
        return failed(
            "README.md has no front matter", remedy="begin it with a block of YAML between two lines of `---`"
        )
    try:
        given = yaml.safe_load(block.strip("-\n\r "))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return failed(f"its front matter is not YAML: {str(error).splitlines()[0]}")
    if not isinstance(given, dict):
        return failed("its front matter holds no keys and values")
    wrong = list(_wrong_keys(given, folder.manifest.port))
    return (
        failed(*wrong, remedy="correct these keys in README.md")
        if wrong
        else passed(f"a Space called {given['title']!r}")
    )


def _wrong_keys(given: dict[Any, Any], port: int) -> Iterable[str]:
    if not isinstance(given.get("title"), str):
        yield f"title is {given.get('title')!r}; it must be text"
    if given.get("sdk") != "docker":
        yield f"sdk is {given.get('sdk')!r}; an environment needs sdk: docker"
    if given.get("app_port") != port:
        yield f"app_port is {given.get('app_port')!r}; openenv.yaml has port {port}"
    for key in ("colorFrom", "colorTo"):
        if key in given and given[key] not in _COLOURS:
            yield f"{key} is {given[key]!r}; the Hub knows {', '.join(sorted(_COLOURS))}"
    if not isinstance(given.get("tags"), list) or "openenv" not in given["tags"]:
        yield f"tags are {given.get('tags')!r}; openenv must be among them"


CHECKS: tuple[Check[Folder], ...] = (
    Check(id="static.manifest", title="openenv.yaml can be read", run=_manifest),
    Check(
        id="static.structure", title="The files of an environment are there", run=_structure, needs=("static.manifest",)
    ),
    Check(id="static.app", title="The app is where openenv.yaml says", run=_app, needs=("static.manifest",)),
    Check(id="static.project", title="pyproject.toml says what is needed", run=_project),
    Check(
        id="static.imports",
        title="Every import has somewhere to come from",
        run=_imports,
        needs=("static.manifest", "static.project"),
    ),
    Check(id="static.lock", title="uv.lock matches pyproject.toml", run=_lock, needs=("static.project",)),
    Check(id="static.secrets", title="Nothing published looks like a secret", run=_secrets),
    Check(id="static.readme", title="README.md describes a Space", run=_readme, needs=("static.manifest",)),
)


def _walk(folder: Path, prefix: str) -> Iterable[str]:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir() and not entry.is_symlink():
            is_made = entry.name in _JUNK or entry.suffix == ".egg-info" or (entry / "pyvenv.cfg").is_file()
            if not is_made and not entry.name.startswith("."):
                yield from _walk(entry, f"{name}/")
        elif entry.is_file() and entry.suffix != ".pyc":
            yield name


def _bound(body: Iterable[ast.stmt]) -> set[str]:
    """Name what a module's top level binds, branches included; `*` for a star import."""
    names: set[str] = set()
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {alias.asname or alias.name.partition(".")[0] for alias in aliases}
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                for field in ("body", "orelse", "finalbody"):
                    names |= _bound(getattr(node, field, []))
                for handler in getattr(node, "handlers", []):
                    names |= _bound(handler.body)
            case _:
                stored = (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
                names |= {n.id for n in stored}
    return names


def _table(found: Any, *keys: str) -> dict[str, Any]:
    """Go down to a table; an empty one where there is something else."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _texts(found: Any) -> list[str]:
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _is_test(path: str) -> bool:
    return path.startswith("tests/") or path.rpartition("/")[2].startswith(("test_", "conftest"))


def _find_uv() -> str | None:
    beside = str(Path(sys.executable).parent)
    return shutil.which("uv") or shutil.which("uv", path=beside)
