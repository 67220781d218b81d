"""The template and one set of names, made into the files of an environment. Reads the template; writes nothing.

The template holds real files whose words in capitals between double underscores stand for a name, in their text and in
their paths. What exists only in some environments (the wheel of an unreleased runtime and every line about it) is
decided here, so the template needs no conditions.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable

from openenv.dependency.wheel import DISTRIBUTION, Dependency
from openenv.scaffold.names import Names

__all__ = ["Files", "render", "template_files"]

# What each file holds, by its path with forward slashes.
Files = Mapping[str, str | bytes]

_PLACEHOLDER = re.compile(r"__[A-Z]+(?:_[A-Z]+)*__")


def render(names: Names, dependency: Dependency, template: Mapping[str, str]) -> dict[str, str | bytes]:
    """Give every file of the environment, in the order of their paths."""
    values = _values(names, dependency)
    rendered: dict[str, str | bytes] = {_fill(path, values): _fill(text, values) for path, text in template.items()}
    if dependency.wheel:
        rendered[f"wheels/{dependency.wheel.filename}"] = dependency.wheel.content
    return dict(sorted(rendered.items()))


def template_files() -> dict[str, str]:
    """Read the template that ships with this package."""
    return dict(_walk(files("openenv.scaffold").joinpath("template"), ""))


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values in; a placeholder without one is a mistake in the template and raises KeyError."""
    return _PLACEHOLDER.sub(lambda found: values[found[0]], text)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        # Installers compile the template's Python files, and what they leave is no part of it.
        if entry.name == "__pycache__" or entry.name.endswith(".pyc"):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_text(encoding="utf-8")


def _values(names: Names, dependency: Dependency) -> dict[str, str]:
    return {
        "__ENV_NAME__": names.package,
        "__ENV_CLASS_NAME__": names.class_prefix,
        "__ENV_TITLE_NAME__": names.title,
        "__ENV_DISTRIBUTION__": names.distribution,
        "__HF_EMOJI__": names.emoji,
        "__HF_COLOR_FROM__": names.colour_from,
        "__HF_COLOR_TO__": names.colour_to,
        "__LINE_LENGTH__": str(_line_length(names)),
        "__RUNTIME_REQUIREMENT__": dependency.requirement,
        "__PIP_INSTALL__": " ".join(dependency.pip_install),
        **(_wheel_lines(dependency.wheel.filename) if dependency.wheel else _NO_WHEEL_LINES),
    }


def _line_length(names: Names) -> int:
    """Leave room for the longest line of the code, an import of two classes, so that formatters keep it."""
    return max(100, 60 + len(names.package) + 2 * len(names.class_prefix))


# Each stands at the end of a line of the template, so that nothing is left of it where there is no wheel.
_NO_WHEEL_LINES = {"__COPY_WHEELS__": "", "__UV_SOURCES__": "", "__WHEELS_IN_THE_TREE__": ""}


def _wheel_lines(filename: str) -> dict[str, str]:
    source = f'\n\n[tool.uv.sources]\n{DISTRIBUTION} = {{ path = "wheels/{filename}" }}'
    return {
        "__COPY_WHEELS__": "\nCOPY wheels ./wheels",
        "__UV_SOURCES__": source,
        "__WHEELS_IN_THE_TREE__": f"\n├── wheels/               # {DISTRIBUTION} itself, until it is on an index",
    }
