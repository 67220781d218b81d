"""The four shapes, as environments written for OpenEnv know them."""

import asyncio
import inspect
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from openenv.types import Action, Observation, State, StepResult


class Move(Action):
    steps: int


@pytest.mark.parametrize(
    ("model", "fields", "where"),
    [
        (Action, {"colour": "red"}, "colour"),
        (Observation, {"colour": "red"}, "colour"),
        (Observation, {"reward": "high"}, "reward"),
        (Observation, {"metadata": [1]}, "metadata"),
        (State, {"step_count": -1}, "step_count"),
        (State, {"episode_id": 5}, "episode_id"),
        (Move, {}, "steps"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(model: type[BaseModel], fields: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as raised:
        model(**fields)
    assert raised.value.errors()[0]["loc"][0] == where


@pytest.mark.parametrize(
    ("value", "name"), [(Move(steps=1), "steps"), (Observation(), "done"), (State(), "step_count")]
)
def test_assignments_are_checked(value: BaseModel, name: str) -> None:
    with pytest.raises(ValidationError):
        setattr(value, name, "many")


def test_metadata_comes_first_as_on_the_wire_of_openenv() -> None:
    class Seen(Observation):
        text: str = ""

    without_reward = Seen().model_dump(exclude={"reward", "done", "truncated"})
    assert list(without_reward) == ["metadata", "text"]
    assert list(Move(steps=1).model_dump()) == ["metadata", "steps"]


def test_rewards_keep_their_type() -> None:
    for reward in (True, 1, 1.0, None):
        assert type(Observation(reward=reward).reward) is type(reward)


def test_defaults_are_not_shared() -> None:
    Observation().metadata["n"] = 1
    Action().metadata["n"] = 1
    assert Observation().metadata == Action().metadata == {}


def test_a_state_keeps_what_it_does_not_know() -> None:
    assert State.model_validate({"lives": 3}).model_dump() == {"episode_id": None, "step_count": 0, "lives": 3}


@pytest.mark.parametrize("value", [State(), StepResult(observation=None)])
def test_awaiting_what_is_there_gives_it(value: Any) -> None:
    async def ask() -> object:
        return await value

    assert inspect.isawaitable(value)
    assert asyncio.run(ask()) is value


@pytest.mark.parametrize(
    ("done", "truncated", "terminated"),
    [(False, False, False), (True, False, True), (True, True, False), (False, True, False)],
)
def test_an_episode_that_was_cut_short_did_not_terminate(done: bool, truncated: bool, terminated: bool) -> None:
    assert StepResult(None, done=done, truncated=truncated).terminated is terminated


def test_a_result_says_nothing_it_was_not_told() -> None:
    assert StepResult("seen") == StepResult(observation="seen", reward=None, done=False, metadata=None, truncated=False)
