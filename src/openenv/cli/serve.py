"""`openenv serve`: find the environment, import it, and serve it. The serving is the server's."""

import os
import secrets
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openenv.cli import output
from openenv.errors import ConfigurationError, OpenEnvError

if TYPE_CHECKING:
    from openenv.hub import Manifest

__all__ = ["serve"]

_GYM = "gym:"
_FRAMES = 3
"""Last frames of a traceback that are worth showing when an app does not import."""


class Isolation(StrEnum):
    """Where environments live."""

    THREAD = "thread"
    PROCESS = "process"


class Mode(StrEnum):
    """What callers may do."""

    SIMULATION = "simulation"
    PRODUCTION = "production"


class AppFailed(OpenEnvError):
    """The app cannot be imported; the message ends in the last frames of its traceback."""


def serve(
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="The environment's folder, or gym:ID such as 'gym:CartPole-v1'."),
    ] = ".",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 takes any.", show_default="openenv.yaml's"),
    ] = None,
    app: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="Where the app is.", show_default="openenv.yaml's"),
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Start anew whenever a Python file changes.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the port.")] = 1,
    isolation: Annotated[
        Isolation | None, typer.Option(help="Where environments live: in the server, or in processes of their own.")
    ] = None,
    env_workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --isolation process: processes that sessions share.", show_default="what suits the class"
        ),
    ] = None,
    max_sessions: Annotated[
        int | None, typer.Option(min=1, help="Sessions at once, over all workers.", show_default="the app's")
    ] = None,
    web: Annotated[bool | None, typer.Option("--web/--no-web", help="The page at /web.", show_default="on")] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="production: only the environment's tools may be called.", show_default="the app's"),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="OPENENV_TOKEN", help="Ask callers for this bearer token; `new` makes one up."),
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A host name, besides this machine's, that callers may use.")
    ] = None,
) -> None:
    """Serve an environment until Ctrl-C; sessions under way get to finish their step."""
    manifest, folder = _found(path, app)
    if reload and workers > 1:
        raise ConfigurationError("--reload goes with one worker: leave out --reload or --workers")
    _put_isolation(isolation, env_workers)
    if mode is not None:
        os.environ["OPENENV_MODE"] = mode
    _put(max_sessions=max_sessions, web=web, token=token, allow_host=allow_host, from_manifest=manifest.max_sessions)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    with _interrupt_kept():
        from openenv.server import run  # as is the web framework

        served = manifest.app if reload or workers > 1 else _imported(manifest.app)
        if workers > 1:
            _imported(manifest.app)  # so that a broken app is told once, and not by every worker
    run(
        served,
        host=host,
        port=manifest.port if port is None else port,
        reload=reload,
        workers=workers,
        log_level="warning",
        on_bound=lambda url: _announce(manifest.name, url, host),
    )


@contextmanager
def _interrupt_kept() -> Iterator[None]:
    """Make sure of Ctrl-C during imports.

    They run callbacks of weak references, and a KeyboardInterrupt that is raised in one is printed and forgotten.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    asked = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal asked
        asked = True
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked:
        raise KeyboardInterrupt


def _put_isolation(isolation: Isolation | None, env_workers: int | None) -> None:
    if isolation is not None:
        os.environ["OPENENV_ISOLATION"] = isolation
    if env_workers is not None:
        if os.environ.get("OPENENV_ISOLATION") != Isolation.PROCESS:
            raise ConfigurationError("--env-workers goes with --isolation process: add that, or leave it out")
        os.environ["OPENENV_ENV_WORKERS"] = str(env_workers)


def _found(path: str, app: str | None) -> "tuple[Manifest, Path]":
    """Say what to serve, and in which folder. An environment of Gymnasium needs none but the current one."""
    from openenv.hub.manifest import MANIFEST, Manifest, read_manifest  # YAML is not needed to print help

    if app is not None and (path.startswith(_GYM) or not all(app.partition(":"))):
        raise ConfigurationError(f"--app {app} is no app of a folder; write it as module:attribute, or leave it out")
    if path.startswith(_GYM):
        target = path.removeprefix(_GYM)
        if not target:
            raise ConfigurationError("gym: names no environment; write gym:ID, such as gym:CartPole-v1")
        os.environ["OPENENV_GYM"] = target
        return Manifest(name=target.partition("?")[0], app="openenv.gym.served:app"), Path.cwd()
    folder = Path(path).resolve()
    if app is None and folder.is_dir() and not (folder / MANIFEST).exists():
        told = f"{folder} has no {MANIFEST}, so it is no environment"
        raise ConfigurationError(f"{told}; go to one, or name its folder, or where an app is by --app MODULE:NAME")
    if app is None:
        return read_manifest(folder), folder
    known = read_manifest(folder) if (folder / MANIFEST).is_file() else Manifest(name=folder.name)
    return replace(known, app=app), folder


def _put(
    *,
    max_sessions: int | None,
    web: bool | None,
    token: str | None,
    allow_host: list[str] | None,
    from_manifest: int | None,
) -> None:
    """Say the settings in the environment variables that the app reads, wherever it is started."""
    if max_sessions is not None:
        os.environ["OPENENV_MAX_SESSIONS"] = str(max_sessions)
    elif from_manifest is not None and not os.environ.get("OPENENV_MAX_SESSIONS", "").strip():
        os.environ["OPENENV_MAX_SESSIONS"] = str(from_manifest)
    if web is not None:
        os.environ["ENABLE_WEB_INTERFACE"] = str(web).lower()
    elif not os.environ.get("ENABLE_WEB_INTERFACE", "").strip():
        os.environ["ENABLE_WEB_INTERFACE"] = "true"
    if token is not None:
        if not token.strip():
            raise ConfigurationError("--token is empty, which would let everybody in; give one, or `new`")
        if token == "new":
            token = secrets.token_urlsafe(24)
            output.note(f"token:   {token}")
        elif os.environ.get("OPENENV_TOKEN") != token:
            output.hint("a token on the command line shows in the list of processes; set OPENENV_TOKEN in place of it")
        os.environ["OPENENV_TOKEN"] = token
    if allow_host:
        before = os.environ.get("OPENENV_ALLOWED_HOSTS")
        os.environ["OPENENV_ALLOWED_HOSTS"] = ",".join([*([before] if before else []), *allow_host])


def _imported(target: str) -> Any:
    from openenv.server import import_app  # as above

    try:
        return import_app(target)
    except OpenEnvError:
        raise
    except (Exception, SystemExit) as error:  # the environment's code
        raise AppFailed(f"{target} could not be imported\n\n{_last_frames(error)}") from error


def _last_frames(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    listed = "".join(traceback.format_list(frames[-_FRAMES:]))
    return (listed + "".join(traceback.format_exception_only(error))).rstrip()


def _announce(name: str, url: str, host: str) -> None:
    has_page = os.environ["ENABLE_WEB_INTERFACE"].strip().lower() in ("true", "1", "yes")
    lines = [f"Serving {name} at {url}", ""]
    lines += [f"  page    {url}/web"] if has_page else []
    lines += [f"  docs    {url}/docs", f"  socket  {url.replace('http', 'ws', 1)}/ws", "", "Ctrl-C stops it."]
    output.note("\n".join(lines))
    if host not in ("127.0.0.1", "localhost", "::1") and not os.environ.get("OPENENV_TOKEN"):
        output.hint(f"whoever reaches {host} can drive this environment; --token asks them for a token")
