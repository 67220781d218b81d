"""What changes in an environment's files so that its image has this runtime where they ask for OpenEnv's distribution.

The folder itself stays as it is: the changed files are what an engine gets, or a Space. A runtime that no index has
travels along as a wheel. A lock file names what is not installed any more, so uv may bring it up to date in the image.
"""

import posixpath
import re
from collections.abc import Callable, Mapping

from openenv.dependency import Dependency, in_command, in_pyproject, in_requirements, installed_dependency
from openenv.hub.dockerfile import instructions

__all__ = ["WHEELS", "is_concerned", "with_runtime"]

WHEELS = "openenv-wheels"
"""The folder of the wheel, in the context."""
_INSIDE = f"/opt/{WHEELS}"
_REQUIREMENTS = re.compile(r"(?:.*[-_.])?requirements(?:[-_.].*)?\.(?:txt|in)")
_INSTALLS = re.compile(r"\b(?:pip[\d.]*|uv)\s")
_FROZEN = re.compile(r"(\buv\s+(?:sync|run|export)\b(?:(?![;|&]).)*?)\s--(?:frozen|locked)\b", re.DOTALL)


def is_concerned(path: str, dockerfile: str) -> bool:
    """Whether a file of an environment may ask for OpenEnv: its project, lists of requirements, and what builds it."""
    return path in (dockerfile, f"{dockerfile}.dockerignore", ".dockerignore") or _rewriting(path) is not None


def with_runtime(
    texts: Mapping[str, str], dockerfile: str, dependency: Callable[[], Dependency] = installed_dependency
) -> dict[str, bytes]:
    """Say which files change, and to what; none, if nothing asks for OpenEnv.

    Args:
        texts: The files that are concerned, by path.
        dockerfile: Which of them builds the image.
        dependency: Says how this runtime is had; asked only if it is needed.

    Raises:
        ScaffoldError: It cannot be had.
    """
    known: list[Dependency] = []

    def asked(text: str, rewrite: Callable[[str, str], str]) -> str:
        if rewrite(text, "") == text:
            return text
        known[:] = known or [dependency()]
        return rewrite(text, known[0].in_place)

    changed = {path: asked(text, rewrite) for path, text in texts.items() if (rewrite := _rewriting(path))}
    if dockerfile in texts:
        changed[dockerfile] = asked(texts[dockerfile], _in_dockerfile)
    if not known:
        return {}
    if dockerfile in texts:
        changed[dockerfile] = _unfrozen(changed[dockerfile])
    wheel = known[0].wheel
    if wheel is None:
        return _encoded(texts, changed)
    if dockerfile in texts:
        changed[dockerfile] = _with_wheels(changed[dockerfile])
    for path in (".dockerignore", f"{dockerfile}.dockerignore"):
        if path in texts:
            changed[path] = f"{texts[path].rstrip()}\n!{WHEELS}\n!{WHEELS}/**\n"
    return {**_encoded(texts, changed), f"{WHEELS}/{wheel.filename}": wheel.content}


def _rewriting(path: str) -> Callable[[str, str], str] | None:
    name = posixpath.basename(path)
    if name == "pyproject.toml":
        return in_pyproject
    return in_requirements if _REQUIREMENTS.fullmatch(name) else None


def _encoded(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in after.items() if text != before[path]}


def _in_dockerfile(text: str, requirement: str) -> str:
    return _edited(text, lambda run: in_command(run, requirement))


def _unfrozen(text: str) -> str:
    """Let uv bring the lock up to date, which has another distribution in it than the project now."""

    def thawed(run: str) -> str:
        while (again := _FROZEN.sub(r"\1", run)) != run:
            run = again
        return run

    return _edited(text, thawed)


def _edited(text: str, edit: Callable[[str], str]) -> str:
    for each in reversed(instructions(text)):
        if each.keyword == "RUN":
            text = text[: each.start] + edit(each.text) + text[each.end :]
    return text


def _with_wheels(text: str) -> str:
    """Show the wheel to pip and uv in every stage that installs something; nothing of it stays in the environment."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = (f"COPY {WHEELS} {_INSIDE}", f"ARG PIP_FIND_LINKS={_INSIDE}", f"ARG UV_FIND_LINKS={_INSIDE}", "")
    shown = newline.join(lines)
    installs = False
    for each in reversed(instructions(text)):
        if each.keyword == "RUN":
            installs = installs or _INSTALLS.search(each.text) is not None
        elif each.keyword == "FROM":
            if installs:
                before = text[: each.end]
                text = before + ("" if before.endswith("\n") else newline) + shown + text[each.end :]
            installs = False
    return text
