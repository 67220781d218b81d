"""Where the imports of an environment folder come from, read off its source; none of its code runs.

An import must be found in the folder, in the standard library, or in a dependency that the folder declares. Imports
that may fail without harm are left out: those below `if TYPE_CHECKING:` and in a `try` that catches the failure.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

__all__ = [
    "RUNTIME_NAMES",
    "Dependencies",
    "Import",
    "Layout",
    "imports_of",
    "installed",
    "is_standard",
    "normalised",
    "requirement_name",
]

RUNTIME_NAMES = frozenset({"openenv", "openenv-core", "openenv-runtime"})
"""Distributions that bring the package `openenv`; this one stands in for the others."""
_RUNTIME = "openenv-runtime"

# Distributions whose import name cannot be guessed, for when they are not installed here.
_MISNAMED = {
    "bs4": "beautifulsoup4", "cv2": "opencv-python", "dateutil": "python-dateutil", "dotenv": "python-dotenv",
    "git": "gitpython", "huggingface_hub": "huggingface-hub", "jwt": "pyjwt", "PIL": "pillow",
    "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml", "zmq": "pyzmq",
}  # fmt: skip
_FORGIVING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)""")


@dataclass(frozen=True)
class Import:
    """One import statement's module.

    Attributes:
        path: The file, with forward slashes.
        line: Where it stands.
        module: Dotted; empty in `from . import x`.
        level: Leading dots.
        instead_of: Imports that were tried before it, rung by rung: it matters only where each rung fails.
    """

    path: str
    line: int
    module: str
    level: int = 0
    instead_of: "tuple[tuple[Import, ...], ...]" = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {'.' * self.level}{self.module}"


@dataclass(frozen=True)
class Layout:
    """A folder as its code sees it.

    Attributes:
        files: Paths with forward slashes.
        packages: Names under which the folder itself can be imported.
    """

    files: frozenset[str]
    packages: frozenset[str]

    def owns(self, found: Import) -> bool:
        """Whether an absolute import means something in the folder."""
        top = found.module.partition(".")[0]
        return top in self.packages or self._has((top,))

    def resolves(self, found: Import) -> bool:
        """Whether an import of the folder's own, relative ones included, leads to a file of it."""
        parts = tuple(found.module.split(".")) if found.module else ()
        if found.level:
            above = found.path.split("/")[:-1]
            up = found.level - 1
            return up <= len(above) and self._has((*above[: len(above) - up], *parts))
        return self._has(parts) or (parts[0] in self.packages and self._has(parts[1:]))

    def _has(self, parts: tuple[str, ...]) -> bool:
        path = "/".join(parts)
        return not path or f"{path}.py" in self.files or any(name.startswith(f"{path}/") for name in self.files)


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """What a folder declares, and what is known of it.

    Attributes:
        declared: Names in its `pyproject.toml`.
        known: These and everything that comes along with them, as far as is known.
        absent: Those declared that are not installed here, so that nobody can say what they bring.
        brings: Which distributions bring an import name here.
    """

    declared: frozenset[str]
    known: frozenset[str]
    absent: frozenset[str] = frozenset()
    brings: Mapping[str, Iterable[str]] = field(default_factory=dict)

    def spare(self, found: Import) -> bool:
        """Whether an import is never come to, since what was tried before it comes from one of them."""
        rungs = found.instead_of
        return any(
            all(not each.level and self.provide(each.module.partition(".")[0]) for each in rung) for rung in rungs
        )

    def provide(self, top: str) -> bool:
        """Whether an import name is known to come from one of them."""
        if top in ("openenv", "openenv_core"):
            return bool(self.declared & RUNTIME_NAMES)
        candidates = {top, _MISNAMED.get(top, top), *self.brings.get(top, ())}
        return any(normalised(name) in self.known for name in candidates)


def imports_of(source: str, path: str) -> list[Import]:
    """List what a file imports, wherever in it.

    Raises:
        SyntaxError: It is not Python, as this Python reads it.
    """
    return list(_imports(ast.parse(source), path))


def installed(declared: Iterable[str], locked: Iterable[str] = ()) -> Dependencies:
    """Look up what is known here of the declared names.

    Args:
        declared: Requirements; those of their extras come along, too.
        locked: Names in the lock file, which come along.
    """
    queue = [(requirement_name(line), _extras(line)) for line in declared]
    names = frozenset(name for name, _ in queue)
    known = set(names) | {normalised(name) for name in locked}
    queue = [(_RUNTIME if name in RUNTIME_NAMES else name, extras) for name, extras in queue]
    absent = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        asked = name, extras = queue.pop()
        if asked in seen:
            continue
        seen.add(asked)
        known.add(name)
        try:
            needed = requires(name) or ()
        except PackageNotFoundError:
            absent.update({name} & names)
            continue
        wanted = (line for line in needed if (found := _EXTRA.search(line)) is None or normalised(found[1]) in extras)
        queue.extend((requirement_name(line), _extras(line)) for line in wanted)
    return Dependencies(
        declared=names, known=frozenset(known), absent=frozenset(absent), brings=packages_distributions()
    )


def requirement_name(line: str) -> str:
    """Take the name out of a requirement such as `numpy>=2 ; python_version < "4"`."""
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return normalised(match[1]) if match else ""


def _extras(line: str) -> frozenset[str]:
    found = re.match(r"[^;@\[]*\[([^\]]*)\]", line)
    return frozenset(normalised(name.strip()) for name in found[1].split(",")) if found else frozenset()


def normalised(name: str) -> str:
    """Write a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_standard(top: str) -> bool:
    """Whether a name belongs to the standard library."""
    return top in sys.stdlib_module_names


def _imports(node: ast.AST, path: str) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            yield from (Import(path, node.lineno, alias.name) for alias in names)
        case ast.ImportFrom(module=module, level=level):
            yield Import(path, node.lineno, module or "", level)
        case ast.If(test=test, orelse=otherwise) if _is_type_checking(test):
            yield from _imports_of_all(otherwise, path)
        case ast.Try(handlers=handlers, orelse=otherwise, finalbody=at_last) if any(map(_forgives, handlers)):
            tried = tuple(_imports_of_all(node.body, path))
            for found in _imports_of_all(handlers, path):
                yield replace(found, instead_of=(*found.instead_of, *([tried] if tried else [])))
            yield from _imports_of_all([*otherwise, *at_last], path)
        case _:
            yield from _imports_of_all(ast.iter_child_nodes(node), path)


def _imports_of_all(nodes: Iterable[ast.AST], path: str) -> Iterator[Import]:
    for node in nodes:
        yield from _imports(node, path)


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _forgives(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in _FORGIVING for kind in kinds)
