"""A session in this process answers what a server would put on the wire."""

from typing import Any

import pytest

from openenv.env import EnvironmentSource
from openenv.errors import ConfigurationError
from openenv.protocol import GetState, Reset, Step
from openenv.testing.local import LocalSession, LocalSubject
from tests.support.echo import AsyncEcho, EchoAction, EchoEnvironment, EchoObservation
from tests.testing import bad


def session(environment: Any) -> LocalSession:
    return LocalSession(EnvironmentSource(environment), EchoAction)


@pytest.mark.parametrize("environment", [EchoEnvironment, AsyncEcho])
def test_answers_are_those_of_the_wire(environment: Any) -> None:
    with session(environment) as opened:
        assert opened.must(Reset({"episode_id": "mine"}))["reward"] == 0.0
        assert opened.must(Step({"message": "hi"})) == {
            "observation": {"metadata": {"step": 1}, "echoed_message": "hi", "message_length": 2},
            "reward": 0.2,
            "done": False,
            "metadata": {"step": 1},
        }
        assert opened.must(GetState()) == {"episode_id": "mine", "step_count": 1}


class CutShort(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        return EchoObservation(done=True, truncated=True)


def test_truncated_travels_when_it_is_true() -> None:
    with session(CutShort) as opened:
        assert "truncated" not in opened.must(Reset({}))
        assert opened.must(Step({"message": "hi"}))["truncated"] is True


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Step({"message": 5}), "VALIDATION_ERROR"),
        (Reset({"seed": -1}), "VALIDATION_ERROR"),
        (Step({"message": "hi"}), "EXECUTION_ERROR"),
    ],
)
def test_faults_are_answers(request_: Any, code: str) -> None:
    with session(bad.Unwilling) as opened:
        assert opened.ask(request_).code == code


def test_closing_is_done_once_and_tells_what_was_raised() -> None:
    opened = session(bad.RaisingOnClose)
    opened.close()
    assert opened.close_problem == "close() raised OSError: the door is stuck"
    opened.close()


class Closing(EchoEnvironment):
    closed = 0

    async def close(self) -> None:
        type(self).closed += 1


def test_an_environment_is_closed_and_an_instance_that_was_given_is_not() -> None:
    session(Closing).close()
    assert Closing.closed == 1
    session(Closing()).close()
    assert Closing.closed == 1


def test_a_factory_is_asked_for_its_class() -> None:
    subject = LocalSubject(lambda: EchoEnvironment(), EchoAction, EchoObservation, None)
    assert subject.schemas["state"]
    assert subject.room(3) == 3


def test_what_is_no_environment_is_misuse() -> None:
    with pytest.raises(ConfigurationError, match="is no environment"):
        LocalSubject(dict, EchoAction, None, None)
