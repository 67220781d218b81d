"""The patterns of a `.dockerignore`, as Docker reads them: which files they name, and whether the last word is no."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from openenv.errors import ConfigurationError

__all__ = ["Pattern", "is_excluded", "patterns_in"]


@dataclass(frozen=True)
class Pattern:
    """One line of a `.dockerignore`: what it matches, and whether it takes away or brings back."""

    form: re.Pattern[str]
    brings_back: bool

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a pattern with `*`, `?`, `[...]` and `**`, counted from the root of the folder."""
        brings_back = line.startswith("!")
        path = os.path.normpath(line[brings_back:].strip()).replace(os.sep, "/").strip("/")
        return cls(re.compile(_regex(path)), brings_back)

    def matches(self, path: str) -> bool:
        """Whether it names this path or a folder above it."""
        parts = path.split("/")
        return any(self.form.fullmatch("/".join(parts[: n + 1])) for n in range(len(parts)))


def patterns_in(text: str) -> list[Pattern]:
    """Read the lines of a `.dockerignore`, without comments and empty ones.

    Raises:
        ConfigurationError: A line is no pattern.
    """
    found = []
    for line in text.splitlines():
        if (stripped := line.strip()) and not stripped.startswith("#") and stripped != "!":
            try:
                found.append(Pattern.parse(stripped))
            except re.error as error:
                raise ConfigurationError(f"{stripped!r} is no pattern of file names: {error}") from error
    return found


def is_excluded(path: str, patterns: Sequence[Pattern]) -> bool:
    """Whether the last pattern that matches takes the path away."""
    for pattern in reversed(patterns):
        if pattern.matches(path):
            return not pattern.brings_back
    return False


def _regex(pattern: str) -> str:
    """Translate a pattern: `**` is any number of folders, `*` and `?` stay within a name."""
    out = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            out.append("(?:.*/)?")
            position += 3
        elif rest.startswith("**"):
            out.append(".*")
            position += 2
        elif rest[0] in "*?":
            out.append("[^/]*" if rest[0] == "*" else "[^/]")
            position += 1
        elif rest[0] == "[" and (end := rest.find("]", 2)) > 0:
            out.append(rest[: end + 1])
            position += end + 1
        elif rest[0] == "\\" and len(rest) > 1:
            out.append(re.escape(rest[1]))
            position += 2
        else:
            out.append(re.escape(rest[0]))
            position += 1
    return "".join(out)
