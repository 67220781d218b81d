"""A failure stands for itself: looking at it raises, and what is beside it is untouched."""

from typing import Any

import numpy as np
import pytest

from openenv import StepResult
from openenv.client.vector_results import FailedResult, StepResults
from openenv.errors import EnvironmentFailed, SessionLost, UsageError
from tests.support.echo import EchoObservation


@pytest.mark.parametrize("name", ["observation", "reward", "done", "metadata", "truncated", "terminated"])
def test_look_at_a_failure_raises_it(name: str) -> None:
    failed = FailedResult(SessionLost("gone"))
    with pytest.raises(SessionLost, match="gone"):
        getattr(failed, name)


def test_failure_shows_itself_without_raising() -> None:
    failed = FailedResult(SessionLost("gone"))
    assert repr(failed) == "FailedResult(SessionLost('gone'))"
    assert failed == failed
    assert failed != FailedResult(failed.error)
    assert failed.final is None
    assert len({failed}) == 1


def test_results_name_their_failures_by_index() -> None:
    error = EnvironmentFailed("EXECUTION_ERROR", "no")
    results: StepResults[Any] = StepResults([StepResult(1), FailedResult(error), StepResult(3)], [4, 7, 2])
    assert results.errors == {7: error}
    assert [result.error for result in results] == [None, error, None]
    assert results.indices == (4, 7, 2)


def test_fields_are_stacked() -> None:
    typed = StepResults([StepResult(EchoObservation(message_length=n), 0.5 * n, n > 1) for n in range(3)], range(3))
    assert typed.stacked("message_length").tolist() == [0, 1, 2]
    assert typed.stacked("reward").tolist() == [0.0, 0.5, 1.0]
    assert typed.stacked("terminated").tolist() == [False, False, True]
    plain = StepResults([StepResult({"image": np.full((2, 2), n, np.uint8)}) for n in range(3)], range(3))
    assert plain.stacked("image").shape == (3, 2, 2)
    assert plain.stacked("image").dtype == np.uint8
    assert StepResults([], []).stacked("image").shape == (0,)


def test_what_cannot_be_stacked_says_why() -> None:
    ragged = StepResults([StepResult({"a": [1]}), StepResult({"a": [1, 2]})], range(2))
    with pytest.raises(UsageError, match="'a' cannot be stacked"):
        ragged.stacked("a")
    with pytest.raises(UsageError, match="no field 'b'"):
        ragged.stacked("b")
    with pytest.raises(SessionLost):
        StepResults([FailedResult(SessionLost("gone"))], [0]).stacked("a")
