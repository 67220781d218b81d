"""An environment served by uv, with its own dependencies: a folder, or a git repository cloned for it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from openenv.dependency import (
    OVERRIDES,
    UPSTREAM,
    asked_for,
    installed_dependency,
    runs_released,
    sought_in_project,
)
from openenv.errors import ConfigurationError, NotInstalled, StartFailed
from openenv.runtimes.process import LocalRuntime, serve_command

__all__ = ["UvRuntime", "asks_for_upstream", "clone_command", "install_commands", "lacks_runtime", "override_commands"]

_GIT = "git+"
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_LOCKED_UPSTREAM = re.compile(rf'^name = "({"|".join(UPSTREAM)})"\s*$', re.MULTILINE)


def install_commands(uv: str, folder: Path, environment: Path, wheels: Path | None = None) -> list[list[str]]:
    """Build the commands that install a project's dependencies, and not the project, into an environment of their own.

    From its lock file where it has one. Nothing is written into the folder: building it would leave its traces there.

    Args:
        uv: The command.
        folder: The project's.
        environment: Made here.
        wheels: Has the wheel of this runtime, if the project does not say where that is; no lock of it can, either.
    """
    if wheels is None and (folder / "uv.lock").exists():
        return [[uv, "sync", "--quiet", "--frozen", "--no-dev", "--no-install-project", "--project", str(folder)]]
    python = str(environment / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--python", python, "--requirements", str(folder / "pyproject.toml")]
    return [
        [uv, "venv", "--quiet", str(environment)],
        [*install, *(["--find-links", str(wheels)] if wheels else [])],
    ]


def asks_for_upstream(folder: Path) -> bool:
    """Whether a project, or what it has locked, asks for a distribution that this runtime stands in for."""
    project, locked = (_text(folder / name) for name in ("pyproject.toml", "uv.lock"))
    return not asked_for(project).isdisjoint(UPSTREAM) or _LOCKED_UPSTREAM.search(locked) is not None


def lacks_runtime(folder: Path) -> bool:
    """Whether a project asks for this runtime, does not say where it is, and no index has the one that runs here."""
    project, locked = (_text(folder / name) for name in ("pyproject.toml", "uv.lock"))
    return sought_in_project(project, locked) and not runs_released()


def override_commands(uv: str, folder: Path, environment: Path, files: Path) -> list[list[str]]:
    """Build the commands that do the same for a project that asks for OpenEnv, and give it this runtime instead.

    Everything else has the version that its lock file gives it, as far as this runtime lets it.

    Args:
        uv: The command.
        folder: The project's.
        environment: Made here.
        files: Has `overrides.txt`, `runtime.in` and, unless it is on an index, the wheel of this runtime.
    """
    python, pins = str(environment / "bin" / "python"), str(files / "pins.txt")
    export = [uv, "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes"]
    export += ["--project", str(folder), "--output-file", pins]
    solve = [uv, "pip", "compile", "--quiet", str(folder / "pyproject.toml"), str(files / "runtime.in")]
    solve += ["--overrides", str(files / "overrides.txt"), "--find-links", str(files), "--python", python]
    install = [uv, "pip", "install", "--quiet", "--python", python, "--find-links", str(files), "--requirements", pins]
    return [
        [uv, "venv", "--quiet", "--python", sys.executable, str(environment)],
        *([export] if (folder / "uv.lock").exists() else []),
        [*solve, "--output-file", pins],  # what is in that file already is preferred
        install,
    ]


def clone_command(source: str, folder: Path) -> list[str]:
    """Build the command that clones `git+URL` or `git+URL@REVISION`, without its history.

    Raises:
        ConfigurationError: It is no such address.
    """
    url, at, revision = source.removeprefix(_GIT).rpartition("@")
    if not at or "/" in revision or ":" in revision:  # the `@` of git@host:path, or of user@host
        url, revision = source.removeprefix(_GIT), ""
    if not source.startswith(_GIT) or "://" not in url or url.startswith("-"):
        shown = _without_credentials(source)
        raise ConfigurationError(f"{shown!r} is no git address; write it like git+https://host/owner/name@revision")
    branch = ["--branch", revision] if revision else []
    return ["git", "clone", "--quiet", "--depth", "1", *branch, "--", url, str(folder)]


class UvRuntime(LocalRuntime):
    """Serves an environment with its own dependencies, installed by uv.

    Args:
        source: The environment's folder, or `git+URL`, optionally with `@` and a branch or tag.
        app: Where the app is in it, as `module:attribute`; what its `openenv.yaml` says by default.
        port: Port on 127.0.0.1; 0 takes any that is free.
        workers: Processes that share it.
        env_vars: Set for the server beside this process's own.
        start_timeout_s: Seconds until it must be healthy, installing included.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        app: str | None = None,
        port: int = 0,
        workers: int = 1,
        env_vars: Mapping[str, str] | None = None,
        start_timeout_s: float = 300.0,
    ) -> None:
        super().__init__(env_vars=env_vars, start_timeout_s=start_timeout_s)
        self._source = str(source)
        self._app, self._port, self._workers = app, port, workers
        self._files: tempfile.TemporaryDirectory[str] | None = None

    def _launch(self) -> str:
        uv = shutil.which("uv")
        if uv is None:
            raise NotInstalled("uv is not installed, and this runtime runs on it", hint="pip install uv")
        self._files = tempfile.TemporaryDirectory(prefix="openenv-")
        temporary = Path(self._files.name)
        folder = Path(self._source).resolve()
        if self._source.startswith(_GIT):
            folder = self._cloned(temporary / "source")
        environment = temporary / "environment"
        env = {**os.environ, **self._env_vars, "UV_PROJECT_ENVIRONMENT": str(environment)}
        env.pop("VIRTUAL_ENV", None)  # uv warns of one that is not the project's
        if asks_for_upstream(folder):
            commands = override_commands(uv, folder, environment, _override_files(temporary / "override"))
        elif lacks_runtime(folder):
            commands = install_commands(uv, folder, environment, _override_files(temporary / "override"))
        else:
            commands = install_commands(uv, folder, environment)
        for command in commands:
            self._run(command, env, f"the dependencies of {self._shown} cannot be installed")
        python = str(environment / "bin" / "python")
        serve = serve_command(folder, python=python, port=self._port, workers=self._workers, app=self._app)
        return self._serve(serve, env)

    def _cloned(self, folder: Path) -> Path:
        if shutil.which("git") is None:
            raise NotInstalled("git is not installed, and the environment is in a git repository", hint="install git")
        # Asking for a password would wait for ever on a terminal nobody watches.
        env = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        self._run(clone_command(self._source, folder), env, f"{self._shown} cannot be cloned")
        return folder

    def _run(self, command: list[str], env: Mapping[str, str], failure: str) -> None:
        try:
            ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=self._start_timeout_s)
        except subprocess.TimeoutExpired as error:
            raise StartFailed(f"{failure} within {self._start_timeout_s:g} s") from error
        if ran.returncode != 0:
            raise StartFailed(failure, logs=_without_credentials(ran.stderr.strip()))

    def _remove(self) -> None:
        super()._remove()
        files, self._files = self._files, None
        if files is not None:
            files.cleanup()

    @property
    def _shown(self) -> str:
        return _without_credentials(self._source)

    def __str__(self) -> str:
        return f"the uv runtime of {self._shown}"


def _override_files(files: Path) -> Path:
    dependency = installed_dependency()
    files.mkdir()
    (files / "overrides.txt").write_text(OVERRIDES)
    (files / "runtime.in").write_text(f"{dependency.in_place}\n")
    if dependency.wheel is not None:
        (files / dependency.wheel.filename).write_bytes(dependency.wheel.content)
    return files


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # there need not be a lock, and of a project that cannot be read uv says it better


def _without_credentials(text: str) -> str:
    return _CREDENTIALS.sub("//***@", text)
