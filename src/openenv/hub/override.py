"""What changes in an environment's files so that its image has this runtime where they ask for it, or for OpenEnv's.

The folder itself stays as it is: the changed files are what an engine gets, or a Space. A runtime that no index has
travels along as a wheel, unless the files say where it is. A lock file names what is not installed any more, so uv may
bring it up to date in the image; where there is none, uv does without.
"""

import posixpath
import re
from collections.abc import Callable, Mapping

from openenv.dependency import (
    UPSTREAM,
    Dependency,
    Wheel,
    asked_for,
    has_uv_settings,
    in_command,
    in_pyproject,
    in_requirements,
    installed_dependency,
    sought_in_command,
    sought_in_project,
    sought_in_requirements,
)
from openenv.hub.dockerfile import instructions, without_path

__all__ = ["WHEELS", "is_concerned", "runtime_notes", "with_runtime"]

WHEELS = "openenv-wheels"
"""The folder of the wheel, in the context."""
_INSIDE = f"/opt/{WHEELS}"
_PROJECT, _LOCK, _SETTINGS = "pyproject.toml", "uv.lock", "uv.toml"
_REQUIREMENTS = re.compile(r"(?:.*[-_.])?requirements(?:[-_.].*)?\.(?:txt|in)")
_INSTALLS = re.compile(r"\b(?:pip[\d.]*|uv)\s")
_FROZEN = re.compile(r"(\buv\s+(?:sync|run|export)\b(?:(?![;|&]).)*?)\s--(?:frozen|locked)\b", re.DOTALL)


def is_concerned(path: str, dockerfile: str) -> bool:
    """Whether a file of an environment may matter here: its project, lists of requirements, and what builds it."""
    known = (dockerfile, f"{dockerfile}.dockerignore", ".dockerignore", _LOCK, _SETTINGS)
    return path in known or _rewriting(path) is not None


def with_runtime(
    texts: Mapping[str, str], dockerfile: str, dependency: Callable[[], Dependency] = installed_dependency
) -> dict[str, bytes]:
    """Say which files change, and to what; none, if an index has what they ask for and their lock is there.

    Args:
        texts: All files that are concerned, by path.
        dockerfile: Which of them builds the image.
        dependency: Says how this runtime is had; asked only if it is needed.

    Raises:
        ScaffoldError: It cannot be had.
    """
    rewriting = {path: rewrite for path in texts if (rewrite := _rewriting(path))}
    if dockerfile in texts:
        rewriting[dockerfile] = _in_dockerfile
    upstream = {path for path, rewrite in rewriting.items() if rewrite(texts[path], "") != texts[path]}
    known = dependency() if upstream or _is_sought(texts, dockerfile) else None
    changed = dict(texts)
    if known:
        changed |= {path: rewriting[path](texts[path], known.in_place) for path in upstream}
    if _lacks_lock(texts, dockerfile):
        changed[dockerfile] = _unfrozen(without_path(changed[dockerfile], _LOCK))
    elif dockerfile in texts and known and (upstream or known.wheel):
        changed[dockerfile] = _unfrozen(changed[dockerfile])
    carried = _carry(changed, known.wheel, dockerfile) if known and known.wheel else {}
    return {path: text.encode() for path, text in changed.items() if text != texts.get(path)} | carried


def runtime_notes(texts: Mapping[str, str], changed: Mapping[str, bytes], dockerfile: str) -> tuple[str, ...]:
    """Tell what an image gets that its files do not seem to say.

    Args:
        texts: The files that are concerned, as they are in the folder.
        changed: What `with_runtime` made of them.
        dockerfile: Which of them builds the image.
    """
    said = []
    if upstream := asked_for(texts.get(_PROJECT, "")) & set(UPSTREAM):
        said.append(f"the image gets this openenv-runtime in place of {min(upstream)}, which pyproject.toml asks for")
    elif any(path.startswith(f"{WHEELS}/") for path in changed):
        said.append(f"the openenv-runtime that runs here is on no package index, so it goes along in {WHEELS}/")
    if _lacks_lock(texts, dockerfile):
        said.append("there is no uv.lock, so the image gets the versions that are the newest when it is built")
    return tuple(said)


def _is_sought(texts: Mapping[str, str], dockerfile: str) -> bool:
    """Whether anything asks for this runtime and does not say where it is."""
    if any(sought_in_command(each.text) for each in instructions(texts.get(dockerfile, "")) if each.keyword == "RUN"):
        return True
    lists = [text for path, text in texts.items() if _rewriting(path) is in_requirements]
    projects = [text for path, text in texts.items() if _rewriting(path) is in_pyproject]
    lock = texts.get(_LOCK, "")
    return any(map(sought_in_requirements, lists)) or any(sought_in_project(text, lock) for text in projects)


def _lacks_lock(texts: Mapping[str, str], dockerfile: str) -> bool:
    """Whether a Dockerfile wants a lock that is not there."""
    text = texts.get(dockerfile, "")
    return _LOCK not in texts and without_path(text, _LOCK) != text


def _carry(changed: dict[str, str], wheel: Wheel, dockerfile: str) -> dict[str, bytes]:
    """Show the wheel to whatever installs the environment: the image's stages, and uv in a copy of the folder."""
    if dockerfile in changed:
        changed[dockerfile] = _with_wheels(changed[dockerfile])
    for path in (".dockerignore", f"{dockerfile}.dockerignore"):
        if path in changed:
            changed[path] = f"{changed[path].rstrip()}\n!{WHEELS}\n!{WHEELS}/**\n"
    # It would hide settings that the project has, and they may find the wheel by themselves.
    if _PROJECT in changed and _SETTINGS not in changed and not has_uv_settings(changed[_PROJECT]):
        changed[_SETTINGS] = f'find-links = ["{WHEELS}"]\n'
    return {f"{WHEELS}/{wheel.filename}": wheel.content}


def _rewriting(path: str) -> Callable[[str, str], str] | None:
    name = posixpath.basename(path)
    if name == "pyproject.toml":
        return in_pyproject
    return in_requirements if _REQUIREMENTS.fullmatch(name) else None


def _in_dockerfile(text: str, requirement: str) -> str:
    return _edited(text, lambda run: in_command(run, requirement))


def _unfrozen(text: str) -> str:
    """Let uv bring the lock up to date, which has another distribution in it than the project now, or make one."""

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
