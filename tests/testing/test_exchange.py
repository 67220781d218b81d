"""`play` plays to the end of the episode and keeps whatever happened on the way."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from openenv.errors import ReplyTimeout
from openenv.protocol import GetState, Reset, Step
from openenv.testing.exchange import Answer, Moment, RuleBroken, Session, play


def observed(**data: Any) -> Answer:
    return Answer("observation", {"observation": {}, "reward": 0.0, "done": False, **data})


FAULT = Answer("error", {"code": "EXECUTION_ERROR", "message": "no"})
STATE = Answer("state", {"step_count": 1})


class Scripted(Session):
    """Answers from a list; an exception in it is raised."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers: Iterator[Answer | Exception] = iter(answers)
        self.asked: list[Any] = []

    def ask(self, request: Reset | Step | GetState) -> Answer:
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.asked.append("close")


ACTIONS: list[Mapping[str, Any]] = [{"n": 1}, {"n": 2}]


def test_an_episode_is_a_reset_its_steps_and_the_states_around_them() -> None:
    session = Scripted(observed(), STATE, observed(), FAULT, STATE)
    trace = play(session, ACTIONS, episode_id="mine")
    assert session.asked[0] == Reset({"seed": 7, "episode_id": "mine"})
    assert [moment.name for moment in trace.moments] == ["reset", "step 1", "step 2"]
    assert (trace.steps, len(trace.observed), trace.broke) == (1, 2, None)
    assert trace.states == ({"step_count": 1}, {"step_count": 1})


def test_nothing_is_asked_of_an_episode_that_is_over() -> None:
    session = Scripted(observed(), STATE, observed(done=True), STATE)
    assert play(session, ACTIONS).steps == 1


def test_no_step_is_taken_where_the_reset_was_the_end() -> None:
    assert play(Scripted(observed(done=True), STATE, STATE), ACTIONS).steps == 0


def test_a_reset_that_was_refused_ends_it() -> None:
    session = Scripted(FAULT)
    assert play(session, ACTIONS).moments == (Moment("reset", FAULT),)


def test_what_broke_it_is_kept_with_what_came_before() -> None:
    late = ReplyTimeout("late")
    trace = play(Scripted(observed(), STATE, observed(), late), ACTIONS)
    assert (len(trace.moments), trace.broke) == (2, late)


def test_a_state_that_was_refused_is_none() -> None:
    assert play(Scripted(observed(), FAULT, observed(), observed(), STATE), ACTIONS).states[0] is None


def test_the_essence_leaves_out_metadata_and_the_words_of_faults() -> None:
    one = observed(observation={"x": 1, "metadata": {"at": 1}}, metadata={"at": 1})
    other = observed(observation={"x": 1, "metadata": {"at": 2}}, metadata={"at": 2})
    assert Moment("step 1", one).essence == Moment("step 1", other).essence
    assert Moment("step 1", FAULT).essence == {"code": "EXECUTION_ERROR"}


def test_what_must_be_answered_and_is_not_is_a_broken_rule() -> None:
    with Scripted(FAULT, STATE) as session:
        with pytest.raises(RuleBroken, match="state was answered with EXECUTION_ERROR: no"):
            session.must(GetState())
        assert session.must(GetState()) == {"step_count": 1}
    assert session.asked[-1] == "close"
