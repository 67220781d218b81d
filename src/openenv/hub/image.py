"""The image of an environment: what it is called, what Docker is told, and what a failure means.

The command is a value; a thin function has it run. What goes into the image is decided by `context`, how by the
Dockerfile, and which of its lines another base changes by `dockerfile`.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openenv import engine
from openenv.errors import BuildFailed, ConfigurationError, EngineFailed
from openenv.hub.context import Context, read_context
from openenv.hub.dockerfile import with_base_image
from openenv.hub.override import is_concerned, runtime_notes, with_runtime

__all__ = [
    "DOCKERFILES",
    "BuildPlan",
    "advice",
    "build_argv",
    "build_context",
    "build_image",
    "default_tag",
    "find_dockerfile",
    "push_image",
]

DOCKERFILES = ("server/Dockerfile", "Dockerfile")

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::\d+)?"
_TAG = re.compile(rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:=.*)?", re.DOTALL)
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")

_ADVICE = (
    (
        r"no space left on device|disk quota exceeded",
        "the engine's disk is full: `docker system df` says of what, `docker system prune` frees what nothing uses",
    ),
    (r"requires? BuildKit|requires the buildx", "this Dockerfile needs BuildKit: install the docker-buildx plugin"),
    (r"uv\.lock.*(?:not found|no such file)|(?:not found|no such file).*uv\.lock", "run `uv lock` in the folder"),
    (
        r"pull access denied|manifest (?:for .* )?(?:unknown|not found)|failed to resolve (?:reference|source)",
        "there is no such base image, or it needs `docker login`; --base-image names another one",
    ),
    (
        r"i/o timeout|failure in name resolution|could not resolve|dns error|network is unreachable|no such host",
        "the network is not reached from inside the build; --network host uses this machine's own",
    ),
)


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What to build, and how.

    Attributes:
        tag: What the image is called.
        dockerfile: From the context's folder, with forward slashes.
        platform: Such as linux/amd64; None for the engine's own.
        no_cache: Whether every step is done anew.
        build_args: Each `NAME=value`, or `NAME` for a value that this process's environment has.
        network: What the steps may reach, such as `host` or `none`; None for the engine's default.

    Raises:
        ConfigurationError: One of them cannot be what it should; it is named.
    """

    tag: str
    dockerfile: str = DOCKERFILES[0]
    platform: str | None = None
    no_cache: bool = False
    build_args: Sequence[str] = ()
    network: str | None = None

    def __post_init__(self) -> None:
        if not _TAG.fullmatch(self.tag):
            raise ConfigurationError(f"{self.tag!r} is no name of an image; write one such as my_env-env:latest")
        for argument in self.build_args:
            if not _ARGUMENT.fullmatch(argument):
                name = argument.partition("=")[0]  # the value may be a secret
                raise ConfigurationError(f"the build argument {name!r} has no proper name; write NAME=value")
        if self.platform is not None and not _PLATFORM.fullmatch(self.platform):
            raise ConfigurationError(f"{self.platform!r} is no platform; write one such as linux/amd64")
        if self.network is not None and not re.fullmatch(r"[A-Za-z0-9][\w.:-]*", self.network):
            raise ConfigurationError(f"{self.network!r} is no network; write host, none, or the name of one")


def default_tag(name: str) -> str:
    """Name the image of an environment: `my_env` makes `my_env-env:latest`.

    Raises:
        ConfigurationError: Nothing of the name can stand in the name of an image.
    """
    spelled = "-".join(re.findall(r"[a-z0-9]+(?:[._]{1,2}[a-z0-9]+)*", name.lower()))
    tag = f"{spelled}-env:latest"
    if not spelled or not _TAG.fullmatch(tag):
        raise ConfigurationError(f"no image can be named after {name!r}; name it with --tag")
    return tag


def find_dockerfile(folder: Path) -> str:
    """Find the Dockerfile of an environment.

    Raises:
        ConfigurationError: There is none.
    """
    found = next((name for name in DOCKERFILES if (folder / name).is_file()), None)
    if found is None:
        raise ConfigurationError(f"{folder} has no Dockerfile; it should be at {' or '.join(DOCKERFILES)}")
    return found


def build_context(folder: Path, dockerfile: str, *, base_image: str | None = None) -> Context:
    """Take the files of an environment together; the folder stays as it is.

    What asks for OpenEnv's distribution asks for this one instead, and the last image has another base if one is given.

    Raises:
        ConfigurationError: Something in the folder cannot be read, or the base image has no proper name.
        ScaffoldError: The runtime is to go along, and cannot be had.
    """
    context = read_context(folder, dockerfile)
    texts = dict(_texts(context, dockerfile))
    changed: dict[str, bytes] = {}
    if base_image is not None:
        if dockerfile not in texts:
            raise ConfigurationError(f"{folder / dockerfile} cannot be read as text, so it keeps its base image")
        texts[dockerfile] = with_base_image(texts[dockerfile], base_image)
        changed[dockerfile] = texts[dockerfile].encode()
    adapted = with_runtime(texts, dockerfile)
    return replace(context, replaced=changed | adapted, notes=runtime_notes(texts, adapted, dockerfile))


def _texts(context: Context, dockerfile: str) -> Iterator[tuple[str, str]]:
    for path in context.paths:
        if is_concerned(path, dockerfile):
            with contextlib.suppress(OSError, UnicodeDecodeError):  # sending it, or what reads it, says it better
                yield path, (context.folder / path).read_bytes().decode()


def build_argv(plan: BuildPlan) -> list[str]:
    """Build the arguments of `docker`, which reads the context from its input."""
    argv = ["build", "--tag", plan.tag, "--file", plan.dockerfile, "--force-rm"]
    argv += ["--platform", plan.platform] if plan.platform else []
    argv += ["--no-cache"] if plan.no_cache else []
    argv += ["--network", plan.network] if plan.network else []
    for argument in plan.build_args:
        argv += ["--build-arg", argument]
    return [*argv, "-"]


def build_image(context: Context, plan: BuildPlan, on_line: Callable[[str], None]) -> None:
    """Build the image and hand over each line the engine prints.

    Raises:
        NotInstalled: There is no Docker, or no engine answers.
        BuildFailed: It could not be built; with the last lines, and what to do where that is known.
    """
    engine.require_running()  # before anything is sent
    try:
        engine.stream(build_argv(plan), on_line, feed=context.write_to)
    except BuildFailed:
        raise  # by the context
    except EngineFailed as error:
        what = f"the image {plan.tag} could not be built"
        raise BuildFailed(what, logs=error.logs, exit_code=error.exit_code, hint=advice(error.logs)) from error


def push_image(tag: str, on_line: Callable[[str], None]) -> None:
    """Send an image to the registry that its name begins with.

    Raises:
        NotInstalled: There is no Docker, or no engine answers.
        EngineFailed: The registry or the network did not let it.
    """
    engine.stream(["push", tag], on_line)


def advice(logs: str) -> str | None:
    """Say what to do about a build that ended with these lines; None when nobody knows."""
    return next((hint for form, hint in _ADVICE if re.search(form, logs, re.IGNORECASE)), None)
