"""The exception tree. Imports nothing; every room may raise from it.

The branch says who can help. Errors that the server answered are also `RuntimeError`s, those of the network also
`ConnectionError`s and those of time also `TimeoutError`s, so `except` clauses written for other clients keep working.

::

    OpenEnvError
    ├── UsageError (RuntimeError)          you called us wrongly
    │   ├── NotReset                       a session from a pool was used before its reset()
    │   ├── PoolClosed                     the pool was closed
    │   ├── SessionClosed                  the client was closed
    │   └── UnsupportedByServer            this server cannot take that argument
    ├── TransportError                     the network, or time
    │   ├── ConnectFailed (ConnectionError)
    │   ├── ConnectionLost (ConnectionError)
    │   ├── SessionLost (ConnectionError)  the episode on the server is gone: reset() starts another
    │   │   └── SessionBroken              ... because an earlier request was abandoned; .cause says which
    │   └── ReplyTimeout (TimeoutError)    no reply in time
    ├── ProtocolError                      a rule of the wire was broken
    │   ├── PeerError                      ... by the other side
    │   └── LocalError                     ... by us, or by what we were asked to send
    ├── RemoteFault (RuntimeError)         the server answered "no": .code .message .details
    │   ├── BadRequest                     it could not read the request
    │   ├── BadAction                      the action or a reset argument is wrong: .errors names the field
    │   ├── BadSnapshot                    these bytes are no snapshot of this environment
    │   ├── EnvironmentFailed              the environment raised: .exception is the class name
    │   │   ├── BadObservation             it returned what cannot be sent: .field
    │   │   └── FactoryFailed              it could not be built
    │   ├── StepTimedOut (TimeoutError)    it ran past timeout_s; the session is lost
    │   ├── AtCapacity                     no room: .retry_after_s
    │   ├── NotSupported                   the environment cannot do that; an UnsupportedByServer, too
    │   ├── UnknownSession                 no such session, or not any more
    │   └── Refused                        not allowed: token, Host or Origin
    ├── SnapshotRefused                    an environment cannot be saved, or not be restored from that
    ├── PoolExhausted (TimeoutError)       no session came free: .out .idle .waiting .size
    ├── ConfigurationError (ValueError)    a setting does not fit
    ├── RuntimeFailed                      what should serve an environment does not: .logs
    │   ├── NotInstalled                   what it runs on is not there: .hint
    │   ├── StartFailed                    it could not be started, or died while starting
    │   ├── NotReady (TimeoutError)        it was not healthy in time
    │   └── EngineFailed                   a command of the container engine failed: .exit_code
    │       └── BuildFailed                ... the building of an image: .hint
    ├── HubError                           publishing failed: .exit_code .hint
    ├── MissingExtra (ImportError)         an optional part is not installed: .extra .hint
    └── ScaffoldError                      `openenv init` cannot do that: .exit_code .hint
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AtCapacity",
    "BadAction",
    "BadObservation",
    "BadRequest",
    "BadSnapshot",
    "BuildFailed",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectionLost",
    "EngineFailed",
    "EnvironmentFailed",
    "FactoryFailed",
    "HubError",
    "LocalError",
    "MissingExtra",
    "NotInstalled",
    "NotReady",
    "NotReset",
    "NotSupported",
    "OpenEnvError",
    "PeerError",
    "PoolClosed",
    "PoolExhausted",
    "ProtocolError",
    "Refused",
    "RemoteFault",
    "ReplyTimeout",
    "RuntimeFailed",
    "ScaffoldError",
    "SessionBroken",
    "SessionClosed",
    "SessionLost",
    "SnapshotRefused",
    "StartFailed",
    "StepTimedOut",
    "TransportError",
    "UnknownSession",
    "UnsupportedByServer",
    "UsageError",
]


class OpenEnvError(Exception):
    """Root of every exception this package raises on purpose. All of them survive the way home from a process."""

    def __reduce__(self) -> tuple[Any, ...]:  # the default calls the constructor, with the message alone
        return _rebuild, (type(self), self.args, vars(self))


class UsageError(OpenEnvError, RuntimeError):
    """We were called in a way that cannot work."""


class NotReset(UsageError):
    """A session from a pool was used before its `reset()`; what is in it is its last user's."""


class PoolClosed(UsageError):
    """The pool was closed; its sessions with it."""


class SessionClosed(UsageError):
    """The client was closed; `connect()` opens a new session."""


class UnsupportedByServer(UsageError):
    """The server speaks a dialect that has no place for this argument, which would be dropped silently."""


class TransportError(OpenEnvError):
    """The network failed, or took too long."""


class ConnectFailed(TransportError, ConnectionError):
    """No connection could be made; no request was sent."""


class ConnectionLost(TransportError, ConnectionError):
    """The connection ended, with this WebSocket close code; None when there was no WebSocket to close."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class SessionLost(TransportError, ConnectionError):
    """The episode on the server is gone. `reset()` on the same client starts another one."""


class SessionBroken(SessionLost):
    """An earlier request was abandoned, so no later reply can be trusted. `reset()` starts a new session.

    Attributes:
        cause: The exception that abandoned the earlier request.
    """

    def __init__(self, message: str, cause: BaseException) -> None:
        super().__init__(message)
        self.cause = cause


class ReplyTimeout(TransportError, TimeoutError):
    """No reply came in time, and a late one reaches nobody. The session goes on; in dialect 1 it is broken by this."""


class ProtocolError(OpenEnvError):
    """A rule of the wire was broken. Raised only as one of its two children, which name the culprit."""

    def __init__(self, message: str) -> None:
        if type(self) is ProtocolError:
            raise TypeError("ProtocolError is abstract: raise PeerError or LocalError")
        super().__init__(message)


class PeerError(ProtocolError):
    """The other side broke a rule of the wire."""


class LocalError(ProtocolError):
    """We broke a rule of the wire, or were asked to send what it cannot carry."""


class RemoteFault(OpenEnvError, RuntimeError):
    """The server answered with an error.

    Attributes:
        code: The error code on the wire, such as `EXECUTION_ERROR`.
        message: The server's sentence.
        details: Whatever else it said, by key.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.code, self.message = code, message
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(f"{self._sentence()} (code: {code})")

    def _sentence(self) -> str:
        return self.message


class BadRequest(RemoteFault):
    """The server could not read the request."""


class BadAction(RemoteFault):
    """The action, or an argument of `reset`, does not fit; the session is unharmed."""

    @property
    def errors(self) -> Sequence[Mapping[str, Any]]:
        """One entry a wrong field, with `loc`, `msg` and `type` as pydantic names them."""
        found = self.details.get("errors")
        return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []

    def _sentence(self) -> str:
        fields = [_field(entry) for entry in self.errors]
        return f"{self.message}: {'; '.join(fields)}" if fields else self.message


class BadSnapshot(RemoteFault):
    """These bytes are no snapshot of this environment, or of another version of it; the session is unharmed."""


class EnvironmentFailed(RemoteFault):
    """The environment raised; the session is still usable."""

    @property
    def exception(self) -> str | None:
        """Class name of what the environment raised; None when the server does not say."""
        name = self.details.get("exception")
        return name if isinstance(name, str) else None

    def _sentence(self) -> str:
        return f"{self.exception}: {self.message}" if self.exception else self.message


class BadObservation(EnvironmentFailed):
    """The environment returned something that cannot be sent, such as a NaN reward; the session is still usable."""

    @property
    def field(self) -> str | None:
        """The field that cannot be sent, dotted; None when the server does not say."""
        name = self.details.get("field")
        return name if isinstance(name, str) else None

    def _sentence(self) -> str:
        return self.message


class FactoryFailed(EnvironmentFailed):
    """The environment could not be built, so there is no session."""

    def _sentence(self) -> str:
        cause = self.details.get("cause")
        named = ": ".join(str(part) for part in (self.exception, cause) if part)
        return f"{self.message} {named}".rstrip()


class StepTimedOut(RemoteFault, TimeoutError):
    """The call ran past its time limit on the server; its session is lost and `reset()` starts another."""


class AtCapacity(RemoteFault):
    """Every session of the server is taken, and none came free while we queued."""

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the server suggests another try; None when it does not say."""
        seconds = self.details.get("retry_after_s")
        return float(seconds) if isinstance(seconds, int | float) else None


class NotSupported(RemoteFault, UnsupportedByServer):
    """The environment has no way to do that; the session is unharmed."""


class UnknownSession(RemoteFault):
    """The server has no such session, or has ended it."""


class Refused(RemoteFault):
    """The server does not let this caller do that: the token, the Host or the Origin is wrong."""


class SnapshotRefused(OpenEnvError):
    """Raised by an environment's `snapshot` or `restore` that cannot do it, before anything has changed."""


class PoolExhausted(OpenEnvError, TimeoutError):
    """No session of the pool came free in time, or no server of it can serve. The message tells how each stands.

    Attributes:
        out: Sessions that are checked out, or being opened.
        idle: Sessions that wait to be checked out.
        waiting: Other checkouts that wait.
        size: Sessions that the pool may have.
    """

    def __init__(self, message: str, *, out: int = 0, idle: int = 0, waiting: int = 0, size: int = 0) -> None:
        super().__init__(message)
        self.out, self.idle, self.waiting, self.size = out, idle, waiting, size


class ConfigurationError(OpenEnvError, ValueError):
    """A setting does not fit the environment or the machine."""


class RuntimeFailed(OpenEnvError):
    """What should serve an environment does not.

    Attributes:
        logs: The last lines it printed; empty when there are none. They are part of the message.
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, *, logs: str = "", hint: str | None = None) -> None:
        super().__init__(message)
        self.logs, self.hint = logs, hint

    def __str__(self) -> str:
        said = super().__str__()
        return f"{said}\n\n{self.logs}" if self.logs else said


class NotInstalled(RuntimeFailed):
    """What a runtime runs on is not there, or is not running."""


class StartFailed(RuntimeFailed):
    """It could not be started, or died while starting."""


class NotReady(RuntimeFailed, TimeoutError):
    """It was not healthy in time; it has been taken away again."""


class EngineFailed(RuntimeFailed):
    """A command of the container engine failed.

    Attributes:
        exit_code: What it exited with; None when it was ended for taking too long.
    """

    def __init__(self, message: str, *, logs: str = "", hint: str | None = None, exit_code: int | None = None) -> None:
        super().__init__(message, logs=logs, hint=hint)
        self.exit_code = exit_code


class BuildFailed(EngineFailed):
    """An image could not be built."""


class HubError(OpenEnvError):
    """The Hub did not do what it was asked, or cannot be asked.

    Attributes:
        exit_code: What the command line exits with.
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = 1) -> None:
        super().__init__(message)
        self.hint, self.exit_code = hint, exit_code


class MissingExtra(OpenEnvError, ImportError):
    """Something needs a library that only comes with an extra.

    Attributes:
        extra: The extra's name.
        hint: The command that installs it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra!r}, which is not installed")
        self.extra = extra
        self.hint = f'pip install "openenv-runtime[{extra}]"'


class ScaffoldError(OpenEnvError):
    """A scaffold cannot be made; nothing was written. Has the attributes of a `HubError`."""

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = 2) -> None:
        super().__init__(message)
        self.hint, self.exit_code = hint, exit_code


def _field(entry: Mapping[str, Any]) -> str:
    """Say which field is wrong and how; an entry is whatever a server sent, so nothing about it is certain."""
    loc = entry.get("loc", ())
    path = ".".join(str(part) for part in loc) if isinstance(loc, list | tuple) else str(loc)
    return f"{path}: {entry.get('msg', '')}" if path else str(entry.get("msg", ""))


def _rebuild(error_class: type[OpenEnvError], args: tuple[Any, ...], attributes: dict[str, Any]) -> OpenEnvError:
    native: Any = error_class  # the built-in exception it is laid out as: the only one whose __new__ may make it
    while native.__module__ != "builtins":
        native = native.__base__
    error: OpenEnvError = native.__new__(error_class)
    error.args = args
    vars(error).update(attributes)
    return error
