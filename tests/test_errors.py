"""Whom an exception blames, which `except` clauses catch it, and that its sentence names what is wrong."""

import copy
import inspect
import pickle
from typing import Any

import pytest

from openenv import errors
from openenv.errors import (
    AtCapacity,
    BadAction,
    BadObservation,
    EnvironmentFailed,
    FactoryFailed,
    LocalError,
    OpenEnvError,
    PeerError,
    ProtocolError,
    RemoteFault,
    ReplyTimeout,
    ScaffoldError,
    SessionBroken,
    SessionLost,
    StepTimedOut,
)

EVERY: list[Any] = [
    error for error in vars(errors).values() if inspect.isclass(error) and error.__module__ == errors.__name__
]


def faults() -> list[RemoteFault]:
    return [error("CODE", "The sentence.", {"n": 1}) for error in EVERY if issubclass(error, RemoteFault)]


def test_everything_is_an_openenv_error_and_listed() -> None:
    assert {error.__name__ for error in EVERY} == set(errors.__all__)
    assert all(issubclass(error, OpenEnvError) for error in EVERY)


@pytest.mark.parametrize(
    ("caught_by", "names"),
    [
        (
            RuntimeError,
            {*(type(fault).__name__ for fault in faults()), "UsageError", "SessionClosed", "UnsupportedByServer"},
        ),
        (ConnectionError, {"ConnectFailed", "ConnectionLost", "SessionLost", "SessionBroken"}),
        (TimeoutError, {"ReplyTimeout", "StepTimedOut"}),
        (ValueError, {"ConfigurationError"}),
    ],
)
def test_except_clauses_written_for_other_clients_catch(caught_by: type[Exception], names: set[str]) -> None:
    assert names <= {error.__name__ for error in EVERY if issubclass(error, caught_by)}


def test_a_protocol_error_names_the_culprit() -> None:
    with pytest.raises(TypeError, match="PeerError or LocalError"):
        ProtocolError("somebody did something")
    for culprit in (PeerError, LocalError):
        assert str(culprit("the sentence")) == "the sentence"


def test_a_broken_session_is_a_lost_one_and_says_what_broke_it() -> None:
    cause = ReplyTimeout("no reply within 5 s")
    broken = SessionBroken("an earlier request was abandoned", cause)
    assert isinstance(broken, SessionLost)
    assert broken.cause is cause


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (RemoteFault("C", "No."), "No. (code: C)"),
        (EnvironmentFailed("C", "asked to", {"exception": "ValueError"}), "ValueError: asked to (code: C)"),
        (EnvironmentFailed("C", "asked to", {"exception": 5}), "asked to (code: C)"),
        (BadObservation("C", "E.step: field 'x' is nan", {"field": "x"}), "E.step: field 'x' is nan (code: C)"),
        (
            FactoryFailed("C", "Factory 'E' failed.", {"exception": "OSError", "cause": "no display"}),
            "Factory 'E' failed. OSError: no display (code: C)",
        ),
        (FactoryFailed("C", "Factory 'E' failed.", {"factory_name": "E"}), "Factory 'E' failed. (code: C)"),
        (
            BadAction(
                "C", "Invalid", {"errors": [{"loc": ["a", 0], "msg": "too big"}, {"loc": ["b"], "msg": "missing"}]}
            ),
            "Invalid: a.0: too big; b: missing (code: C)",
        ),
        (
            BadAction("C", "Invalid", {"errors": [{"loc": [], "msg": "not an object"}]}),
            "Invalid: not an object (code: C)",
        ),
    ],
)
def test_the_sentence_says_what_is_wrong(fault: RemoteFault, text: str) -> None:
    assert str(fault) == text


@pytest.mark.parametrize("found", [None, "text", {}, ["text", 5], [{"loc": "a"}, {"loc": 5, "msg": []}, {}]])
def test_an_error_list_of_any_shape_is_taken(found: object) -> None:
    error = BadAction("C", "Invalid", {"errors": found})
    assert str(error).startswith("Invalid")
    assert all(isinstance(entry, dict) for entry in error.errors)


@pytest.mark.parametrize(
    ("fault", "attribute", "value"),
    [
        (BadObservation("C", "m", {"field": "grid.0"}), "field", "grid.0"),
        (BadObservation("C", "m", {"field": 1}), "field", None),
        (BadObservation("C", "m"), "exception", None),
        (EnvironmentFailed("C", "m", {"exception": "KeyError"}), "exception", "KeyError"),
        (AtCapacity("C", "m", {"retry_after_s": 3}), "retry_after_s", 3.0),
        (AtCapacity("C", "m", {"retry_after_s": "soon"}), "retry_after_s", None),
        (BadAction("C", "m", {"errors": [{"loc": ["x"]}]}), "errors", [{"loc": ["x"]}]),
    ],
)
def test_details_are_attributes(fault: RemoteFault, attribute: str, value: object) -> None:
    assert getattr(fault, attribute) == value


def test_details_are_the_exceptions_own() -> None:
    given: dict[str, Any] = {"n": 1}
    fault = RemoteFault("C", "m", given)
    given["n"] = 2
    assert fault.details == {"n": 1}
    assert RemoteFault("C", "m").details == {}


def example(error: Any) -> OpenEnvError:
    """Make one, whatever its constructor wants."""
    _, *parameters = inspect.signature(error.__init__).parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    made: OpenEnvError = error(*wanted) if wanted else error("The sentence.")
    return made


@pytest.mark.parametrize("error", [example(error) for error in EVERY if error is not ProtocolError], ids=repr)
def test_every_exception_survives_the_way_home_from_another_process(error: OpenEnvError) -> None:
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(copied) is type(error)
        assert str(copied) == str(error)
        assert vars(copied) == vars(error)


def test_a_broken_session_brings_its_cause_home() -> None:
    copied = pickle.loads(pickle.dumps(SessionBroken("abandoned", StepTimedOut("TIMED_OUT", "late"))))
    assert str(copied) == "abandoned"
    assert (type(copied.cause), copied.cause.code) == (StepTimedOut, "TIMED_OUT")


def test_a_scaffold_error_is_a_misuse_unless_it_says_otherwise() -> None:
    assert (ScaffoldError("no").exit_code, ScaffoldError("no").hint) == (2, None)


def test_what_a_runtime_printed_last_is_part_of_the_message() -> None:
    assert str(errors.StartFailed("It died.", logs="line 1\nline 2")) == "It died.\n\nline 1\nline 2"


def test_a_missing_extra_says_how_to_get_it() -> None:
    assert errors.MissingExtra("push", "hub").hint == 'pip install "openenv-runtime[hub]"'
