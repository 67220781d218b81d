"""Every name of a scaffold, derived from the one the user typed.

Decides spelling, what is refused and why, and how a new environment looks on Hugging Face. Pure: what is installed
comes in as an argument, files are rendered elsewhere. One package name gives one set of names, whichever spelling it
was typed in, so making an environment twice makes it the same.
"""

import hashlib
import keyword
import re
import sys
from collections.abc import Container
from dataclasses import dataclass
from typing import Self

from openenv.errors import ScaffoldError

__all__ = ["COLOURS", "EMOJI", "MAX_LENGTH", "Names", "to_package_name"]

MAX_LENGTH = 64

# The eight colours a Hugging Face Space accepts in its front matter.
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")

EMOJI = ("🎯", "🎲", "🎮", "🧩", "🚀", "🌍", "🔬", "🧪", "🤖", "🎪", "🎨", "🏆", "🔭", "🧭", "🌱", "🐙")

# Soft since Python 3.12, so missing from the list of an older interpreter.
_SOFT_KEYWORDS = frozenset({*keyword.softkwlist, "type"})
_KEYWORDS = frozenset(word.lower() for word in (*keyword.kwlist, *_SOFT_KEYWORDS))

# `test` ships with Python but `sys.stdlib_module_names` leaves it out.
_STANDARD_LIBRARY = frozenset(name.lower() for name in (*sys.stdlib_module_names, "test"))

_OURS = frozenset({"openenv", "openenv_core", "openenv_runtime"})

# `openenv-core` is another project's distribution and `openenv-runtime` is the one every environment depends on.
_DISTRIBUTION_TAKEN = frozenset({"core", "runtime"})

_INSIDE_THE_SCAFFOLD = frozenset({"client", "models", "server", "tests", "wheels"})

# What `name: ...` in openenv.yaml would be read as something other than text.
_YAML_WORDS = frozenset({"no", "null", "off", "on", "yes"})


@dataclass(frozen=True)
class Names:
    """What the files of one environment call things.

    Attributes:
        package: Import package and folder, `my_game_env`.
        class_prefix: What its classes start with, `MyGame` as in `MyGameAction` and `MyGameEnv`.
        title: For people, `My Game`; texts go on with "Environment".
        emoji: Shown by Hugging Face.
        colour_from: Where the colour of a Hugging Face card starts.
        colour_to: Where it ends; never the same one.
    """

    package: str
    class_prefix: str
    title: str
    emoji: str
    colour_from: str
    colour_to: str

    @classmethod
    def parse(cls, raw: str, installed: Container[str] = frozenset()) -> Self:
        """Derive every name from `my_env`, `my-env` or `MyEnv`.

        Args:
            raw: The name as typed.
            installed: The top-level packages that can be imported already, in lower case.

        Raises:
            ScaffoldError: The name cannot serve as a package, or would hide another one.
        """
        package = to_package_name(raw)
        _refuse_taken(package, installed)
        words = package.removesuffix("_env").split("_")
        prefix = "".join(word.capitalize() for word in words)
        if keyword.iskeyword(prefix):
            raise ScaffoldError(
                f"the name {raw!r} would start its classes with {prefix}, which is a word of Python",
                hint=f"try my_{package}",
            )
        digest = hashlib.sha256(package.encode()).digest()
        colour_from = digest[0] % len(COLOURS)
        # One to seven further round the circle, so the two always differ.
        colour_to = (colour_from + 1 + digest[1] % (len(COLOURS) - 1)) % len(COLOURS)
        return cls(
            package=package,
            class_prefix=prefix,
            title=" ".join(word.capitalize() for word in words),
            emoji=EMOJI[digest[2] % len(EMOJI)],
            colour_from=COLOURS[colour_from],
            colour_to=COLOURS[colour_to],
        )

    @property
    def distribution(self) -> str:
        """Name of the installed distribution, `openenv-my-game-env`."""
        return f"openenv-{self.package.replace('_', '-')}"

    @property
    def image(self) -> str:
        """Name of the container image, without a tag."""
        return f"{self.package}-env"


def to_package_name(raw: str) -> str:
    """Spell `my-env` and `MyEnv` as `my_env`.

    Raises:
        ScaffoldError: It has no such spelling.
    """
    if not raw:
        raise ScaffoldError("the name of the environment is empty", hint="try my_env")
    if "/" in raw or "\\" in raw:
        raise ScaffoldError(
            f"the name {raw!r} is a path, and an environment is named by one word",
            hint="--output-dir says which folder it goes into",
        )
    if wrong := re.search(r"[^A-Za-z0-9_-]", raw):
        raise ScaffoldError(
            f"the name {raw!r} contains {wrong[0]!r}, and only letters a to z, digits, '_' and '-' may appear in it"
        )
    if raw[0].isdigit():
        raise ScaffoldError(f"the name {raw!r} starts with a digit, and a Python package cannot")
    if not all(re.split("[_-]", raw)):
        raise ScaffoldError(f"the name {raw!r} has '_' or '-' at an end or twice in a row, and each must join words")
    package = _split_capitals(raw.replace("-", "_")).lower()
    if len(package) > MAX_LENGTH:
        raise ScaffoldError(f"the name {package!r} has {len(package)} characters, and at most {MAX_LENGTH} are allowed")
    return package


def _split_capitals(name: str) -> str:
    before_a_word = re.sub(r"([A-Z0-9])([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", before_a_word)


def _refuse_taken(package: str, installed: Container[str]) -> None:
    for names, reason in (
        (_KEYWORDS, "it is a word of Python"),
        (_STANDARD_LIBRARY, "it is a module of Python's standard library"),
        (_OURS, "it is OpenEnv's own"),
        (_DISTRIBUTION_TAKEN, f"openenv-{package} is a package that exists already"),
        (_INSIDE_THE_SCAFFOLD, "it is the name of a file or folder inside every environment"),
        (_YAML_WORDS, "openenv.yaml would read it as something other than text"),
        ({"env"}, "every environment is one, so it needs a word of its own"),
    ):
        if package in names:
            raise ScaffoldError(f"the name {package!r} is taken: {reason}", hint=f"try my_{package}")
    if package in installed:
        raise ScaffoldError(
            f"the name {package!r} is taken: a package of that name is installed here, and one would hide the other",
            hint="choose another name, or uninstall that package",
        )
