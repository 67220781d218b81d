"""The fault table: every error code, what it means for the session, its HTTP status and its exception.

The codes above the line are OpenEnv's; those below it are ours, and an older client shows them as they are.
"""

from dataclasses import dataclass

from openenv.errors import (
    AtCapacity,
    BadAction,
    BadObservation,
    BadRequest,
    BadSnapshot,
    EnvironmentFailed,
    FactoryFailed,
    NotSupported,
    Refused,
    RemoteFault,
    StepTimedOut,
    UnknownSession,
)
from openenv.protocol.messages import Fault

__all__ = ["FAULTS", "FaultRule", "exception_for", "rule_of"]


@dataclass(frozen=True, slots=True)
class FaultRule:
    """What one error code means.

    Attributes:
        error: The exception a client raises for it.
        http_status: Its status over HTTP.
        ends_session: Whether the session is gone with it.
        retryable: Whether the same request may succeed if it is simply sent again, later.
    """

    error: type[RemoteFault]
    http_status: int
    ends_session: bool = False
    retryable: bool = False


FAULTS: dict[str, FaultRule] = {
    "INVALID_JSON": FaultRule(BadRequest, 400),
    "UNKNOWN_TYPE": FaultRule(BadRequest, 400),
    "VALIDATION_ERROR": FaultRule(BadAction, 422),
    "EXECUTION_ERROR": FaultRule(EnvironmentFailed, 500),
    "CAPACITY_REACHED": FaultRule(AtCapacity, 503, ends_session=True, retryable=True),
    "FACTORY_ERROR": FaultRule(FactoryFailed, 500, ends_session=True),
    "SESSION_ERROR": FaultRule(UnknownSession, 500, ends_session=True),
    # ---
    "OBSERVATION_ERROR": FaultRule(BadObservation, 500),
    "TIMED_OUT": FaultRule(StepTimedOut, 504, ends_session=True),
    "SESSION_NOT_FOUND": FaultRule(UnknownSession, 404, ends_session=True),
    "SESSION_ENDED": FaultRule(UnknownSession, 410, ends_session=True),
    "UNAUTHORIZED": FaultRule(Refused, 401, ends_session=True),
    "FORBIDDEN": FaultRule(Refused, 403),
    "UNSUPPORTED_MEDIA_TYPE": FaultRule(BadRequest, 415),
    "TOO_LARGE": FaultRule(BadRequest, 413),
    "NOT_SUPPORTED": FaultRule(NotSupported, 501),
    "BAD_SNAPSHOT": FaultRule(BadSnapshot, 422),
    "RESTORE_FAILED": FaultRule(EnvironmentFailed, 500, ends_session=True),
    "NOT_FOUND": FaultRule(BadRequest, 404),
    "NO_SUCH_TASK": FaultRule(BadRequest, 400),
    "CANCELLED": FaultRule(RemoteFault, 409),
    "INTERNAL_ERROR": FaultRule(RemoteFault, 500),
}
_UNKNOWN = FaultRule(RemoteFault, 500)


def rule_of(code: str) -> FaultRule:
    """Look up a code; one we do not know is taken as a plain refusal that leaves the session alone."""
    return FAULTS.get(code, _UNKNOWN)


def exception_for(fault: Fault) -> RemoteFault:
    """Build the exception a client raises for `fault`."""
    return rule_of(fault.code).error(fault.code, fault.message, fault.details)
