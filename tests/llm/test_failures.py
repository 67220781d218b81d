"""What the failures of models carry, and that they survive the way home from a process."""

import pickle

import pytest

from openenv.errors import OpenEnvError
from openenv.llm import ModelFailed, ModelTimedOut


@pytest.mark.parametrize(
    ("error", "status"), [(ModelFailed("It refused.", status=403), 403), (ModelTimedOut("It was slow."), None)]
)
def test_they_keep_message_and_status_when_pickled(error: ModelFailed, status: int | None) -> None:
    twin = pickle.loads(pickle.dumps(error))
    assert (type(twin), str(twin), twin.status) == (type(error), str(error), status)
    assert isinstance(error, OpenEnvError)


def test_one_that_was_too_slow_can_be_caught_as_a_time_out() -> None:
    with pytest.raises(TimeoutError):
        raise ModelTimedOut("")
