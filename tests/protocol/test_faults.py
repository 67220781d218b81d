"""Every error code has its exception, and the exception says what the server said."""

import pytest

from openenv import errors
from openenv.errors import RemoteFault
from openenv.protocol import FAULTS, Fault, exception_for, rule_of

# The first seven are OpenEnv's.
TABLE = {
    "INVALID_JSON": (errors.BadRequest, 400, False),
    "UNKNOWN_TYPE": (errors.BadRequest, 400, False),
    "VALIDATION_ERROR": (errors.BadAction, 422, False),
    "EXECUTION_ERROR": (errors.EnvironmentFailed, 500, False),
    "CAPACITY_REACHED": (errors.AtCapacity, 503, True),
    "FACTORY_ERROR": (errors.FactoryFailed, 500, True),
    "SESSION_ERROR": (errors.UnknownSession, 500, True),
    "OBSERVATION_ERROR": (errors.BadObservation, 500, False),
    "TIMED_OUT": (errors.StepTimedOut, 504, True),
    "SESSION_NOT_FOUND": (errors.UnknownSession, 404, True),
    "SESSION_ENDED": (errors.UnknownSession, 410, True),
    "UNAUTHORIZED": (errors.Refused, 401, True),
    "FORBIDDEN": (errors.Refused, 403, False),
    "UNSUPPORTED_MEDIA_TYPE": (errors.BadRequest, 415, False),
    "TOO_LARGE": (errors.BadRequest, 413, False),
    "NOT_SUPPORTED": (errors.NotSupported, 501, False),
    "BAD_SNAPSHOT": (errors.BadSnapshot, 422, False),
    "RESTORE_FAILED": (errors.EnvironmentFailed, 500, True),
    "NOT_FOUND": (errors.BadRequest, 404, False),
    "NO_SUCH_TASK": (errors.BadRequest, 400, False),
    "CANCELLED": (RemoteFault, 409, False),
    "INTERNAL_ERROR": (RemoteFault, 500, False),
}


def test_the_table_is_complete() -> None:
    assert FAULTS.keys() == TABLE.keys()
    faults = {error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, RemoteFault)}
    assert {rule.error for rule in FAULTS.values()} == faults


@pytest.mark.parametrize("code", TABLE)
def test_a_code_means_one_exception_one_status_and_one_fate(code: str) -> None:
    rule = rule_of(code)
    assert (rule.error, rule.http_status, rule.ends_session) == TABLE[code]
    error = exception_for(Fault(code, "The sentence.", {"hint": 1}))
    assert type(error) is rule.error
    assert (error.code, error.message, error.details) == (code, "The sentence.", {"hint": 1})
    assert str(error) == f"The sentence. (code: {code})"
    assert Fault.of(error) == Fault(code, "The sentence.", {"hint": 1})


def test_an_unknown_code_is_a_plain_refusal_that_leaves_the_session_alone() -> None:
    error = exception_for(Fault("TEAPOT", "short and stout"))
    assert type(error) is RemoteFault
    assert not rule_of("TEAPOT").ends_session
