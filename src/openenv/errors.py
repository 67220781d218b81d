"""The exception tree. Imports nothing; every room may raise from it.

The branch says who can help. Errors that the server answered are also `RuntimeError`s, those of the network also
`ConnectionError`s and those of time also `TimeoutError`s, so `except` clauses written for other clients keep working.

::

    OpenEnvError
    ├── UsageError (RuntimeError)          you called us wrongly
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
    │   ├── EnvironmentFailed              the environment raised: .exception is the class name
    │   │   ├── BadObservation             it returned what cannot be sent: .field
    │   │   └── FactoryFailed              it could not be built
    │   ├── StepTimedOut (TimeoutError)    it ran past timeout_s; the session is lost
    │   ├── AtCapacity                     no room: .retry_after_s
    │   ├── UnknownSession                 no such session, or not any more
    │   └── Refused                        not allowed: token, Host or Origin
    ├── ConfigurationError (ValueError)    a setting does not fit
    └── ScaffoldError                      `openenv init` cannot do that: .exit_code .hint
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "AtCapacity",
    "BadAction",
    "BadObservation",
    "BadRequest",
    "ConfigurationError",
    "ConnectFailed",
    "ConnectionLost",
    "EnvironmentFailed",
    "FactoryFailed",
    "LocalError",
    "OpenEnvError",
    "PeerError",
    "ProtocolError",
    "Refused",
    "RemoteFault",
    "ReplyTimeout",
    "ScaffoldError",
    "SessionBroken",
    "SessionClosed",
    "SessionLost",
    "StepTimedOut",
    "TransportError",
    "UnknownSession",
    "UnsupportedByServer",
    "UsageError",
]


class OpenEnvError(Exception):
    """Root of every exception this package raises on purpose."""


class UsageError(OpenEnvError, RuntimeError):
    """We were called in a way that cannot work."""


class SessionClosed(UsageError):
    """The client was closed; `connect()` opens a new session."""


class UnsupportedByServer(UsageError):
    """The server speaks a dialect that has no place for this argument, which would be dropped silently."""


class TransportError(OpenEnvError):
    """The network failed, or took too long."""


class ConnectFailed(TransportError, ConnectionError):
    """No connection could be made; no request was sent."""


class ConnectionLost(TransportError, ConnectionError):
    """The connection ended."""


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
    """No reply came in time. The request may have been carried out, so its session cannot be used any more."""


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
        self.code = code
        self.message = message
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
        return found if isinstance(found, list) else []

    def _sentence(self) -> str:
        fields = [f"{'.'.join(str(part) for part in e.get('loc', ()))}: {e.get('msg', '')}" for e in self.errors]
        return f"{self.message}: {'; '.join(fields)}" if fields else self.message


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


class StepTimedOut(RemoteFault, TimeoutError):
    """The call ran past its time limit on the server; its session is lost and `reset()` starts another."""


class AtCapacity(RemoteFault):
    """Every session of the server is taken, and none came free while we queued."""

    @property
    def retry_after_s(self) -> float | None:
        """Seconds after which the server suggests another try; None when it does not say."""
        seconds = self.details.get("retry_after_s")
        return float(seconds) if isinstance(seconds, int | float) else None


class UnknownSession(RemoteFault):
    """The server has no such session, or has ended it."""


class Refused(RemoteFault):
    """The server does not let this caller do that: the token, the Host or the Origin is wrong."""


class ConfigurationError(OpenEnvError, ValueError):
    """A setting does not fit the environment or the machine."""


class ScaffoldError(OpenEnvError):
    """A scaffold cannot be made; nothing was written.

    Attributes:
        exit_code: What the command line exits with.
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, exit_code: int = 2) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code
