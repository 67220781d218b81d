"""The compliance suite: all checks of a folder, an image, a server, or an environment in this process.

Decides which lists are made of what, and in which order; the rules are in `rules` and `server`, those that need no
running code in `openenv.hub.checks`.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from openenv.errors import FactoryFailed
from openenv.hub.checks import static_checks
from openenv.hub.report import Check, Report, Result, Status, run
from openenv.runtimes import ProcessRuntime
from openenv.runtimes.docker import DockerRuntime
from openenv.testing.local import LocalSubject
from openenv.testing.rules import RULES
from openenv.testing.server import ALIVE, SERVER_CHECKS, START, Server

__all__ = ["DEFAULT_TIMEOUT_S", "check_environment", "check_folder", "check_image", "check_server"]

DEFAULT_TIMEOUT_S = 30.0

Told = Callable[[Result], None]
Actions = Sequence[Mapping[str, Any]]

# Where sessions are scarce, a newcomer is refused soon, which tells how many there are.
_ENV_VARS = {"OPENENV_QUEUE_S": "2"}


def check_environment(
    environment: Any,
    action_class: type[BaseModel],
    *,
    observation_class: type[BaseModel] | None = None,
    reset_observation_class: type[BaseModel] | None = None,
    actions: Actions | None = None,
) -> None:
    """Check an environment in this process, for use in its author's own tests.

    Args:
        environment: Its class, a factory, or one instance.
        action_class: What actions are validated against.
        observation_class: What it returns; by default what `Environment[Action, Observation, State]` says.
        reset_observation_class: What `reset` returns, where that is another class.
        actions: What to try, as JSON objects; by default some are made up from the schema of `action_class`.

    Raises:
        AssertionError: A rule is broken, or cannot be checked; the message lists each with its evidence and remedy.
        ConfigurationError: `environment` is none, or does not say what it observes.
    """
    subject = LocalSubject(environment, action_class, observation_class, actions, reset_observation_class)
    with contextlib.suppress(FactoryFailed):  # the rules will tell
        subject.read_schemas()
    results = run(RULES, subject)
    broken = [result for result in results if result.status is not Status.PASS]
    if broken:
        raise AssertionError("\n".join(line for result in broken for line in _lines(result)))


def check_server(
    url: str,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    token: str | None = None,
    actions: Actions | None = None,
    on_result: Told | None = None,
) -> Report:
    """Check any OpenEnv server.

    Args:
        url: Where it is.
        timeout_s: How long a reply may take.
        token: Its bearer token, if it asks for one.
        actions: What to try; by default some are made up from `/schema`.
        on_result: Told of each result as it is known.

    Raises:
        ConfigurationError: `url` is no address of a server.
    """
    server = Server(url, timeout_s=timeout_s, token=token, actions=actions)
    return Report(server.address.shown, _served(server, (), on_result))


def check_folder(
    folder: Path,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    token: str | None = None,
    actions: Actions | None = None,
    on_result: Told | None = None,
) -> Report:
    """Check an environment folder: first as it lies there, then served by `openenv serve` in a process of its own.

    Args:
        folder: The environment's folder.
        timeout_s: How long a reply may take.
        token: The bearer token, if the environment variables make the server ask for one.
        actions: What to try; by default some are made up from `/schema`.
        on_result: Told of each result as it is known.

    Raises:
        ConfigurationError: There is no such folder.
    """
    static = static_checks(folder, on_result=on_result)
    runtime = ProcessRuntime(folder.resolve(), env_vars=_ENV_VARS)
    server = Server(None, runtime=runtime, timeout_s=timeout_s, token=token, actions=actions)
    start = dataclasses.replace(START, needs=("static.manifest", "static.app"))
    return Report(static.target, (*static.results, *_started(start, server, static.results, on_result)))


def check_image(
    image: str,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    token: str | None = None,
    actions: Actions | None = None,
    on_result: Told | None = None,
    pull: str = "missing",
    on_progress: Callable[[str], None] | None = None,
) -> Report:
    """Check an image of this machine's Docker engine, in a container of its own.

    Args:
        image: Its name.
        timeout_s: How long a reply may take.
        token: The bearer token, if the image makes its server ask for one.
        actions: What to try; by default some are made up from `/schema`.
        on_result: Told of each result as it is known.
        pull: When to ask a registry for it: "missing", "always" or "never".
        on_progress: Called with each line that a pull prints.
    """
    runtime = DockerRuntime(image, env_vars=_ENV_VARS, pull=pull, on_progress=on_progress)
    server = Server(None, runtime=runtime, timeout_s=timeout_s, token=token, actions=actions)
    return Report(image, _started(START, server, (), on_result))


def _started(
    start: Check[Server], server: Server, before: Sequence[Result], on_result: Told | None
) -> tuple[Result, ...]:
    """Start a server and check it; whatever happens, it is stopped."""
    assert server.runtime is not None  # it is what is started
    try:
        started = run((start,), server, before=before, on_result=on_result)
        served = _served(server, started, on_result) if started[0].status is Status.PASS else ()
    finally:
        server.runtime.stop()
    return (*started, *served)


def _served(server: Server, before: Sequence[Result], on_result: Told | None) -> tuple[Result, ...]:
    results = run(SERVER_CHECKS, server, before=before, on_result=on_result, obstacle=server.obstacle)
    needs = ("server.start",) if server.runtime is not None else ("server.health",)
    alive = dataclasses.replace(ALIVE, needs=needs)
    return (*results, *run((alive,), server, before=(*before, *results), on_result=on_result))


def _lines(result: Result) -> list[str]:
    head = f"{result.id} {result.status.value.replace('_', ' ')}: {result.title}"
    remedy = [f"    remedy: {result.outcome.remedy}"] if result.outcome.remedy else []
    return [head, *(f"    {line}" for line in result.outcome.evidence), *remedy]
