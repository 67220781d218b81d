"""`openenv.env.tasks`: what exceptions of task methods mean."""

import logging

import pytest

from openenv.env.tasks import TaskProvider, blamed, unsupported
from openenv.errors import BadRequest, EnvironmentFailed, NotSupported, RemoteFault
from tests.support.echo import EchoEnvironment

ASKED = {"split": "train", "index": 9}


@pytest.mark.parametrize(
    ("raised", "arguments", "error", "code", "said"),
    [
        (NotImplementedError("later"), ASKED, NotSupported, "NOT_SUPPORTED", "get_task is not supported"),
        (IndexError("list index"), ASKED, BadRequest, "NO_SUCH_TASK", "Invalid task index: 9"),
        (KeyError("train"), ASKED, BadRequest, "NOT_FOUND", "unknown split 'train'"),
        (KeyError("other"), {}, EnvironmentFailed, "EXECUTION_ERROR", "'other'"),
        (ValueError("no disk"), ASKED, EnvironmentFailed, "EXECUTION_ERROR", "no disk"),
        (SystemExit(3), ASKED, EnvironmentFailed, "EXECUTION_ERROR", "3"),
    ],
)
def test_exception_means_what_its_kind_says(
    raised: BaseException,
    arguments: dict[str, object],
    error: type[RemoteFault],
    code: str,
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        fault = blamed(raised, "get_task", arguments, "Quiz.get_task")
    assert (type(fault), fault.code) == (error, code)
    assert said in fault.message
    assert [record.getMessage() for record in caplog.records] == (
        [f"Quiz.get_task raised {type(raised).__name__}"] if error is EnvironmentFailed else []
    )


def test_missing_method_is_named() -> None:
    assert unsupported("num_tasks").message == "num_tasks is not supported for this environment"
    assert not isinstance(EchoEnvironment(), TaskProvider)
