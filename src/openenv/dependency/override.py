"""An environment asks for OpenEnv's distribution and gets this one: where its files name the other, and what then.

And where they ask for this one, and leave it to an index to have it. Text in, text out; what is not changed stays as
it was, to the byte. Where the changed text goes is decided by who asks.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from openenv.dependency.wheel import DISTRIBUTION

__all__ = [
    "OVERRIDES",
    "UPSTREAM",
    "asked_for",
    "has_uv_settings",
    "in_command",
    "in_pyproject",
    "in_requirements",
    "sought_in_command",
    "sought_in_project",
    "sought_in_requirements",
]

UPSTREAM = ("openenv", "openenv-core")
"""What this runtime stands in for."""
OVERRIDES = "".join(f'{name} ; python_version < "0"\n' for name in UPSTREAM)
"""For uv's `--overrides`: whoever asks for them, by whatever version or address, gets none of them."""

# The name ends where a version, extras, an address, a marker, a comment or a continued line begins, or nothing.
_ENDS = r"(?=[\s\[<>=!~;@#,\\)]|$)"
_NAMED = rf"openenv(?:[-_.]core)?{_ENDS}"
_ADDRESS = r"(?:git\+\S*?/|https?://\S*?/)(?:OpenEnv(?:\.git)?(?:[@#]\S*)?|openenv(?:_core)?-\d\S*\.(?:whl|tar\.gz))(?=[\s\"'\\]|$)"
_REQUIREMENT = re.compile(rf"\s*(?:{_NAMED}|{_ADDRESS})", re.IGNORECASE)
_TOML_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")
_LINE = re.compile(r"(?:\\[ \t]*\r?\n|[^\n\\]|\\[^\n]|\\$)+")
_INSTALL = re.compile(r"\b(?:pip[\d.]*|uv)\s+(?:pip\s+)?(?:install|add)\b")
_WORD = re.compile(
    rf"(?P<quote>[\"'])\s*(?:{_NAMED}|{_ADDRESS})(?:(?!(?P=quote)).)*(?P=quote)"
    rf"|(?<=\s)(?:openenv(?:[-_.]core)?(?:\[[^\]\s]*\])?(?:[=!~]=[^\s;&|]*)?|{_ADDRESS})(?=\s|[;&|<>]|$)",
    re.IGNORECASE,
)
# This distribution by its name, and not at an address, in a path or with more to the name.
_SOUGHT = re.compile(
    rf"(?<![\w./-]){DISTRIBUTION.replace('-', '[-_.]')}(?![\w./-])(?!\s*(?:\[[^\]]*\]\s*)?@)", re.IGNORECASE
)
_ELSEWHERE = re.compile(r"(?!file:)[\w+]+://")
_ENDS_COMMAND = re.compile(r"[;|&]|(?<!\\)\r?\n")


def asked_for(pyproject: str) -> frozenset[str]:
    """Name the distributions that the `dependencies` of a project ask for, in their normal spelling."""
    return frozenset(map(_name, _project(pyproject, "dependencies")))


def in_pyproject(text: str, requirement: str) -> str:
    """Ask for `requirement` wherever a `pyproject.toml` asks for OpenEnv; text that is no TOML stays as it is."""
    wanted = {each for each in _all_requirements(text) if _REQUIREMENT.match(each)}
    if not wanted:
        return text

    def replaced(found: re.Match[str]) -> str:
        said = tomllib.loads(f"it = {found[0]}")["it"]
        return _quoted(requirement) if said in wanted else found[0]

    return _TOML_STRING.sub(replaced, text)


def in_requirements(text: str, requirement: str) -> str:
    """Ask for `requirement` wherever a file of requirements asks for OpenEnv. Hashes of the other go with it."""

    def replaced(found: re.Match[str]) -> str:
        line = _CONTINUED.sub(" ", found[0])
        asked = line.strip().removeprefix("-e ").removeprefix("--editable ")
        if not _REQUIREMENT.match(asked):
            return found[0]
        return requirement + ("\r" if line.endswith("\r") else "")

    return _LINE.sub(replaced, text)


def in_command(text: str, requirement: str) -> str:
    """Ask for `requirement` wherever a shell command has pip or uv install OpenEnv."""
    parts, position = [], 0
    for begin, end in _installs(text):
        parts += [text[position:begin], _WORD.sub(f'"{requirement}"', text[begin:end])]
        position = end
    return "".join([*parts, text[position:]])


def sought_in_project(pyproject: str, lock: str = "") -> bool:
    """Whether a project asks for this distribution and leaves it to an index to have it.

    Args:
        pyproject: Its `pyproject.toml`, where the sources of uv may say where it is.
        lock: Its `uv.lock`, which may name an index that had it.
    """
    if DISTRIBUTION in map(_name, _table(pyproject, "tool", "uv", "sources")):
        return False
    return any(map(_SOUGHT.match, _all_requirements(pyproject))) and not _is_locked_elsewhere(lock)


def sought_in_requirements(text: str) -> bool:
    """Whether a file of requirements asks for this distribution and leaves it to an index to have it."""
    return any(_SOUGHT.match(line.strip()) for line in text.splitlines())


def sought_in_command(text: str) -> bool:
    """Whether a shell command has pip or uv install this distribution and leaves it to an index to have it."""
    return any(_SOUGHT.search(text, begin, end) for begin, end in _installs(text))


def has_uv_settings(pyproject: str) -> bool:
    """Whether a project holds settings of uv, all of which a `uv.toml` beside it would hide, the sources apart."""
    return bool(_table(pyproject, "tool", "uv").keys() - {"sources"})


def _is_locked_elsewhere(lock: str) -> bool:
    """Whether a lock says where everybody finds it, which a folder of the machine that made the lock is not."""
    packages = _loaded(lock).get("package")
    for package in packages if isinstance(packages, list) else []:
        if isinstance(package, dict) and package.get("name") == DISTRIBUTION:
            source = package.get("source")
            return isinstance(source, dict) and any(map(_ELSEWHERE.match, map(str, source.values())))
    return False


def _installs(text: str) -> Iterator[tuple[int, int]]:
    """Find the arguments of commands that install: from the word to where the command ends."""
    for found in _INSTALL.finditer(text):
        quoted = [(each.start(), each.end()) for each in _TOML_STRING.finditer(text, found.end())]
        ends = (
            each.start()
            for each in _ENDS_COMMAND.finditer(text, found.end())
            if not any(start < each.start() < end for start, end in quoted)
        )
        yield found.end(), next(ends, len(text))


def _all_requirements(pyproject: str) -> Iterator[str]:
    yield from _project(pyproject, "dependencies")
    tables = (("project", "optional-dependencies"), ("dependency-groups",), ("tool", "uv", "constraint-dependencies"))
    for table in (*tables, ("tool", "uv", "dev-dependencies"), ("tool", "uv", "override-dependencies")):
        said = _table(pyproject, *table[:-1]).get(table[-1])
        for group in said.values() if isinstance(said, dict) else [said]:
            yield from _strings(group)


def _project(pyproject: str, key: str) -> list[str]:
    return _strings(_table(pyproject, "project").get(key))


def _table(text: str, *keys: str) -> dict[str, Any]:
    """Give a table, or an empty one."""
    said: Any = _loaded(text)
    for key in keys:
        said = said.get(key) if isinstance(said, dict) else None
    return said if isinstance(said, dict) else {}


def _loaded(pyproject: str) -> dict[str, Any]:
    try:
        return tomllib.loads(pyproject)
    except tomllib.TOMLDecodeError:
        return {}  # whoever installs it says it better


def _strings(said: object) -> list[str]:
    return [each for each in said if isinstance(each, str)] if isinstance(said, list) else []


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]).lower()


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text or '"' not in text else f"'{text}'"
