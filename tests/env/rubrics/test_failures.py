"""What the errors carry, and that they survive the way home from a process."""

import pickle

import pytest

from openenv.env.rubrics import BadScore, JudgeFailed
from openenv.errors import OpenEnvError


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (BadScore("style.length", "gave nan"), {"component": "style.length"}),
        (
            JudgeFailed("judge", "got none", status=401, reply="no"),
            {"component": "judge", "status": 401, "reply": "no"},
        ),
    ],
)
def test_errors_keep_message_and_attributes_when_pickled(error: OpenEnvError, attributes: dict[str, object]) -> None:
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), str(twin)) == (type(error), str(error))
    assert vars(twin) == vars(error) == attributes


def test_errors_can_be_caught_as_the_built_in_ones_they_are() -> None:
    assert str(BadScore("a.b", "gave nan")) == "rubric 'a.b' gave nan"
    assert isinstance(BadScore("a", ""), ValueError)
