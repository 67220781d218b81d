"""Spaces as a source of environments: which one is meant, whether its code may run here, and how it gets here.

Installing a Space runs what its owner wrote, so somebody has to say yes. It takes two steps: first the package without
what it depends on, then that, save for OpenEnv itself, which is installed already and must stay what it is.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from importlib.metadata import requires
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

from openenv.dependency import DISTRIBUTION, OVERRIDES, UPSTREAM
from openenv.errors import ConfigurationError, HubError
from openenv.hub.discovery import InstalledEnvironment, find_installed, git_address, list_installed
from openenv.scaffold.lock import find_uv

__all__ = ["endpoint", "hosted_at", "install_space", "installed_from", "pip_command", "space_in"]

_SPACE = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_OWN = re.compile(
    rf"(?:{'|'.join(each.replace('-', '[-_.]') for each in (*UPSTREAM, DISTRIBUTION))})(?![\w.-])", re.IGNORECASE
)
_YES = ("1", "true", "yes")
_TRUST = "OPENENV_TRUST_REMOTE_CODE"
_ASK_S = 5.0
_INSTALL_S = 900.0


def endpoint() -> str:
    """Say where the Hub is."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def space_in(name: str) -> str | None:
    """Read `owner/name`, or the address of a Space's page, as `owner/name`; None for what is neither."""
    parts = urlsplit(name)
    if parts.scheme:
        if parts.netloc != urlsplit(endpoint()).netloc:
            return None
        name = parts.path.strip("/").removeprefix("spaces/")
    return name if _SPACE.fullmatch(name) else None


def hosted_at(space: str) -> str | None:
    """Ask the Hub where a public Space is served; None when it does not run, or the Hub does not say."""
    try:
        with urllib.request.urlopen(f"{endpoint()}/api/spaces/{space}", timeout=_ASK_S) as answer:
            told = json.load(answer)
        is_running = told["runtime"]["stage"] == "RUNNING"
        host = told["host"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        return None
    return host if is_running and isinstance(host, str) and host.startswith(("https://", "http://")) else None


def installed_from(space: str) -> InstalledEnvironment | None:
    """Find the environment that was installed from a Space; one of the same name from elsewhere does not do."""
    address = git_address(f"{endpoint()}/spaces/{space}")
    return next((each for each in list_installed() if each.origin == address), None)


def install_space(space: str, *, trusted: bool) -> InstalledEnvironment:
    """Install the package of a Space, unless it is installed from there already.

    Args:
        space: `owner/name`.
        trusted: Whether the caller has said that its code may run here. If not, who sits at the terminal is asked.

    Raises:
        ConfigurationError: Nobody said yes; another package of that name is installed; or it holds no environment.
        HubError: It could not be installed.
    """
    address = f"{endpoint()}/spaces/{space}"
    if (already := installed_from(space)) is not None:
        return already
    _refuse_namesake(space, list_installed())
    if not (trusted or os.environ.get(_TRUST, "").lower() in _YES or _asked(space, address)):
        raise ConfigurationError(
            f"{space} is code of somebody else, and installing it runs it; read it at {address}, then say"
            f" trust_remote_code=True or set {_TRUST}=1; skip_install=True does without"
        )
    _pip(["install", "--no-deps", f"git+{address}"], f"{space} could not be installed")
    if (made := installed_from(space)) is None:
        raise ConfigurationError(f"{space} was installed, but its package is no environment; see {address}")
    needed = [each for each in requires(made.distribution) or () if not _OWN.match(each)]
    if needed:
        try:
            _pip(["install", *needed], f"what {space} depends on could not be installed")
        except BaseException:  # Ctrl-C too: half installed it would count as installed the next time
            _pip(["uninstall", made.distribution], f"{space} could not be taken away again")
            raise
    return made


def pip_command(uv: str | None, arguments: Sequence[str], overrides: Path) -> list[str]:
    """Build a command of pip for this Python, by uv where there is one.

    Args:
        uv: Where uv is.
        arguments: `install` or `uninstall`, and what follows.
        overrides: What uv is to install nothing of, whoever asks for it. Pip has no way to be told.
    """
    verb, *rest = arguments
    if uv is None:
        yes = ["--yes"] if verb == "uninstall" else []
        return [sys.executable, "-m", "pip", verb, "--quiet", *yes, *rest]
    kept = ["--overrides", str(overrides)] if verb == "install" else []
    return [uv, "pip", verb, "--quiet", "--python", sys.executable, *kept, *rest]


def _refuse_namesake(space: str, installed: Sequence[InstalledEnvironment]) -> None:
    name = space.partition("/")[2]
    try:
        other = find_installed(name, installed)
    except ConfigurationError:
        return
    raise ConfigurationError(
        f"{other.distribution} is installed, and not from {space} but from {other.origin or 'elsewhere'}; for that one"
        f" ask for {other.name!r}, for the Space first run: pip uninstall {other.distribution}"
    )


def _asked(space: str, address: str) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input(f"Installing {space} runs the code at {address} on this machine. Go on? [y/N] ").lower() in (
            "y",
            "yes",
        )
    except EOFError:
        return False


def _pip(arguments: Sequence[str], failure: str) -> None:
    """Run a command of pip for this Python."""
    # Asking for a password would wait for ever.
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "PIP_NO_INPUT": "1"}
    with tempfile.TemporaryDirectory(prefix="openenv-") as folder:
        overrides = Path(folder) / "overrides.txt"
        overrides.write_text(OVERRIDES)
        command = pip_command(find_uv(), arguments, overrides)
        try:
            ran = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_INSTALL_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HubError(f"{failure}: {error}") from error
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip()
        raise HubError(f"{failure}:\n{said}", hint="is there a network? is the name right? is the Space public?")
