"""What can be set about a server, and where each setting comes from.

One rule of precedence: command line, then environment variable, then `openenv.yaml`, then `create_app`. The command
line and the manifest speak through environment variables (`openenv serve` sets those that are unset), so an app that
plain `uvicorn` starts reads the same settings.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from openenv.env.modes import ServerMode
from openenv.errors import ConfigurationError

__all__ = ["DEFAULT_MAX_SESSIONS", "ISOLATIONS", "VARIABLES", "Promises", "ServerConfig", "session_limit"]

DEFAULT_MAX_SESSIONS = 64
"""Sessions at once, for a class that supports concurrent sessions."""

_MIN_KEY = 16
_SOURCE = re.compile(r"\*|https?://(\*\.)?[\w.-]+(:(\d+|\*))?|https?://\[[\da-fA-F:]+\](:(\d+|\*))?", re.ASCII)


ISOLATIONS = ("thread", "process")
"""Where environments may live."""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """The settings of one server.

    Attributes:
        max_sessions: Sessions at once; None for the class's default.
        queue_s: Seconds a newcomer waits for a session at capacity.
        max_queue: Newcomers that may wait at once; one more is refused without waiting.
        idle_s: Seconds after which a session without a connected client is closed.
        step_timeout_s: Upper limit in seconds of every reset and step; None for none but the caller's own.
        max_body_bytes: Largest HTTP body taken.
        drain_s: Seconds that calls under way get to finish when the server stops.
        grace_s: Seconds that the sessions of a lost connection wait for its client to come back, in dialect 2.
        allowed_hosts: Host names besides the loopback ones by which a loopback address may be called.
        allowed_origins: Origins besides the server's own from which pages may call.
        token: Bearer token that allows everything; None when none is asked for.
        agent_token: Bearer token that allows stepping only.
        snapshot_key: Signs the snapshots that clients keep, so that servers with the same take each other's; None makes
            one up.
        web: Whether there is a page at `/web`.
        isolation: `thread` for environments in the server's process, `process` for worker processes.
        env_workers: Worker processes that sessions share. None for one a session where calls may block, else one a
            core, over all server processes. Of no effect without `isolation="process"`.
        frame_ancestors: Whose pages may show ours in a frame, besides our own; sources as a content security policy
            writes them.
        readme_path: The README that `/metadata` tells; None looks for it.
        mode: `simulation`, or `production`, in which nobody may reset, step or read the state; None for the first.

    Raises:
        ConfigurationError: There is no such mode.
    """

    max_sessions: int | None = None
    queue_s: float = 30.0
    max_queue: int = 1024
    idle_s: float = 900.0
    step_timeout_s: float | None = None
    max_body_bytes: int = 16 * 1024 * 1024
    drain_s: float = 10.0
    grace_s: float = 60.0
    allowed_hosts: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)
    agent_token: str | None = field(default=None, repr=False)
    snapshot_key: str | None = field(default=None, repr=False)
    web: bool = False
    isolation: str = "thread"
    env_workers: int | None = None
    frame_ancestors: tuple[str, ...] = ("https://huggingface.co", "https://*.hf.space")
    readme_path: Path | None = None
    mode: str | None = None

    def __post_init__(self) -> None:
        if self.mode is not None:
            object.__setattr__(self, "mode", ServerMode.read(self.mode).value)

    @property
    def is_production(self) -> bool:
        """Whether only the environment's tools may be called."""
        return self.mode == ServerMode.PRODUCTION

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], **defaults: Any) -> Self:
        """Read the environment variables of `VARIABLES`; `defaults` fill in what they leave open.

        Raises:
            ConfigurationError: A value does not parse; it is named.
        """
        given = {
            name: _parse(variable, environ[variable], parse)
            for name, (variable, parse) in VARIABLES.items()
            if environ.get(variable, "").strip()
        }
        return cls(**{**defaults, **given})


class Promises(Protocol):
    """What a class says about concurrent sessions."""

    @property
    def name(self) -> str:
        """The class name."""

    @property
    def is_concurrent(self) -> bool:
        """Whether instances share nothing."""


def session_limit(spec: Promises, requested: int | None) -> int:
    """Decide how many sessions at once a class gets.

    Raises:
        ConfigurationError: More than one was asked for, of a class that does not promise to bear it.
    """
    if requested is None:
        return DEFAULT_MAX_SESSIONS if spec.is_concurrent else 1
    if requested < 1:
        raise ConfigurationError(f"{requested} concurrent sessions were asked for; ask for 1 or more")
    if requested > 1 and not spec.is_concurrent:
        raise ConfigurationError(
            f"{requested} concurrent sessions were asked for, but {spec.name} does not set "
            "SUPPORTS_CONCURRENT_SESSIONS = True; set it if instances share nothing, or ask for 1"
        )
    return requested


def _parse(variable: str, text: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(text.strip())
    except ValueError as error:
        raise ConfigurationError(f"{variable}={text!r}: {error}") from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("must be a whole number of 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError("must be a number of seconds, 0 or more")
    return seconds


def _limit(text: str) -> float:
    if (seconds := _seconds(text)) == 0:
        raise ValueError("must be a number of seconds above 0")
    return seconds


def _switch(text: str) -> bool:
    return text.lower() in ("true", "1", "yes")


def _key(text: str) -> str:
    if len(text) < _MIN_KEY:
        raise ValueError(f"must be {_MIN_KEY} characters or more, such as `openssl rand -hex 32` gives")
    return text


def _isolation(text: str) -> str:
    if text.lower() not in ISOLATIONS:
        raise ValueError("must be thread or process")
    return text.lower()


def _mode(text: str) -> str:
    if text.lower() not in {mode.value for mode in ServerMode}:
        raise ValueError("must be simulation or production")
    return text.lower()


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def _sources(text: str) -> tuple[str, ...]:
    sources = tuple(source.strip() for source in text.split(",") if source.strip())
    if sources == ("none",):
        return ()
    if not all(map(_SOURCE.fullmatch, sources)):
        raise ValueError("must be origins such as https://pal.example, between commas, or `none`")
    return sources


VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "max_sessions": ("OPENENV_MAX_SESSIONS", _count),
    "queue_s": ("OPENENV_QUEUE_S", _seconds),
    "max_queue": ("OPENENV_MAX_QUEUE", _count),
    "idle_s": ("OPENENV_IDLE_S", _limit),
    "step_timeout_s": ("OPENENV_STEP_TIMEOUT_S", _limit),
    "max_body_bytes": ("OPENENV_MAX_BODY_BYTES", _count),
    "drain_s": ("OPENENV_DRAIN_S", _seconds),
    "grace_s": ("OPENENV_GRACE_S", _seconds),
    "allowed_hosts": ("OPENENV_ALLOWED_HOSTS", _names),
    "allowed_origins": ("OPENENV_ALLOWED_ORIGINS", _names),
    "token": ("OPENENV_TOKEN", str),
    "agent_token": ("OPENENV_AGENT_TOKEN", str),
    "snapshot_key": ("OPENENV_SNAPSHOT_KEY", _key),
    "isolation": ("OPENENV_ISOLATION", _isolation),
    "env_workers": ("OPENENV_ENV_WORKERS", _count),
    "web": ("ENABLE_WEB_INTERFACE", _switch),
    "frame_ancestors": ("OPENENV_FRAME_ANCESTORS", _sources),
    "readme_path": ("ENV_README_PATH", Path),
    "mode": ("OPENENV_MODE", _mode),
}
"""Every setting's environment variable, and how its text is read."""
