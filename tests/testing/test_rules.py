"""Each rule finds the environment that breaks it, by name, and lets pass the one that breaks none."""

from typing import Any

import pytest
from pydantic import BaseModel

from openenv import Action, State
from openenv.hub.report import Result, Status, run
from openenv.testing.local import LocalSubject
from openenv.testing.rules import RULES
from tests.support.echo import AsyncEcho, EchoAction, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.testing import bad


def results(environment: Any, action: type[BaseModel] = EchoAction, actions: Any = None) -> dict[str, Result]:
    subject = LocalSubject(environment, action, EchoObservation, actions)
    return {result.id: result for result in run(RULES, subject)}


def statuses(environment: Any, action: type[BaseModel] = EchoAction) -> dict[str, Status]:
    return {name: result.status for name, result in results(environment, action).items()}


@pytest.mark.parametrize("environment", [EchoEnvironment, AsyncEcho, ThreadedEcho, EchoEnvironment(), bad.OneByOne])
def test_an_environment_that_keeps_the_rules_passes_them_all(environment: Any) -> None:
    assert {name: status for name, status in statuses(environment).items() if status is not Status.PASS} == {}


@pytest.mark.parametrize(
    ("environment", "rule", "evidence"),
    [
        (bad.NanReward, "reward.finite", "a reward must be finite"),
        (bad.NanFirstReward, "reward.finite", "a reward must be finite"),
        (bad.TextReward, "reward.finite", "which is no number"),
        (bad.DishonestObservation, "schema.observation", "message_length is 'long', not of type integer"),
        (bad.DishonestState, "schema.state", "lives is 'three', not of type integer"),
        (bad.Forgetful, "state.contract", "not 'openenv-validate-contract'"),
        (bad.Uncounted, "state.contract", "after 1 step state.step_count is 0, not 1"),
        (bad.NeverAnew, "reset.again", "after a second reset step_count is 2"),
        (bad.Random, "seed.deterministic", "step 1: reward is"),
        (bad.Sharing, "session.isolated", "session 1 of 4: at the end state.episode_id is 'openenv-validate-3'"),
        (
            bad.SharingUnseen,
            "session.isolated",
            "session 2 of 4 is not what it is alone: step 1: observation.message_length",
        ),
        (bad.RaisingOnClose, "session.released", "close() raised OSError: the door is stuck"),
    ],
)
def test_a_broken_rule_is_found_by_name(environment: Any, rule: str, evidence: str) -> None:
    found = results(environment)[rule]
    assert found.status is Status.FAIL
    assert any(evidence in line for line in found.outcome.evidence), found.outcome.evidence


@pytest.mark.parametrize(
    ("environment", "broken"),
    [
        (bad.TextReward, {"session.step", "reward.finite"}),
        (bad.DishonestObservation, {"schema.observation"}),
        (bad.DishonestState, {"schema.state"}),
        (bad.Uncounted, {"state.contract"}),
        (bad.Random, {"seed.deterministic"}),
        (bad.Sharing, {"session.isolated"}),
    ],
)
def test_no_other_rule_is_blamed(environment: Any, broken: set[str]) -> None:
    assert {name for name, status in statuses(environment).items() if status is Status.FAIL} == broken


def test_what_cannot_be_told_is_not_passed() -> None:
    found = results(bad.SharingByChance)["session.isolated"]
    assert found.status is Status.NOT_CHECKED
    assert "nothing would tell of sharing" in found.outcome.evidence[0]


def test_actions_that_nobody_takes_are_not_checked_and_say_what_to_do() -> None:
    found = results(bad.Unwilling)
    assert found["session.step"].status is Status.NOT_CHECKED
    assert "step 1: EXECUTION_ERROR: not this one" in found["session.step"].outcome.evidence
    assert found["session.step"].outcome.remedy == "give some actions that your environment takes"
    assert found["seed.deterministic"].outcome.evidence == ("session.step did not pass",)


class Patterned(Action):
    message: str

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        schema = super().model_json_schema(*args, **kwargs)
        schema["properties"]["message"]["pattern"] = "^x{5}$"
        return schema


def test_actions_that_cannot_be_made_up_may_be_given() -> None:
    found = results(EchoEnvironment, Patterned)["session.step"]
    assert found.status is Status.NOT_CHECKED
    assert "does not match '^x{5}$'" in found.outcome.evidence[0]
    given = results(EchoEnvironment, Patterned, [{"message": "xxxxx"}])
    assert {name: result.status for name, result in given.items() if result.status is not Status.PASS} == {}


def test_an_action_class_that_takes_everything_can_be_given_no_bad_one() -> None:
    found = results(bad.Credulous, bad.AnythingGoes)["fault.bad_action"]
    assert (found.status, found.outcome.evidence) == (
        Status.PASS,
        ("the schema takes every object, so no action can be bad",),
    )


class Lying(bad.AnythingGoes):
    """Says that it needs a message, and does not."""

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}


def test_a_bad_action_that_is_taken_is_found() -> None:
    found = results(bad.Credulous, Lying)["fault.bad_action"]
    assert found.status is Status.FAIL
    assert "does not fit the schema, and was taken" in found.outcome.evidence[0]


class OverAtOnce(EchoEnvironment):
    def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().reset(**options).model_copy(update={"done": True})


class OverAfterTwo(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        observation = super().step(action)
        return observation.model_copy(update={"done": self._state.step_count == 2})


class OverByChance(OverAfterTwo):
    """Every other episode is shorter."""

    episodes = 0

    def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        type(self).episodes += 1
        return super().reset(**options)

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        observation = super().step(action)
        return observation.model_copy(update={"done": self.episodes % 2 == 0 or observation.done})


class WithoutState(EchoEnvironment):
    @property
    def state(self) -> State:
        raise OSError("nothing to tell")


def test_an_episode_may_end() -> None:
    found = statuses(OverAfterTwo)
    assert {name: status for name, status in found.items() if status is not Status.PASS} == {}


def test_an_episode_that_is_over_when_it_begins_has_no_steps_to_judge() -> None:
    found = results(OverAtOnce)["session.step"]
    assert found.status is Status.NOT_CHECKED
    assert "over after its reset" in found.outcome.evidence[0]


def test_episodes_of_different_length_are_not_the_same() -> None:
    found = results(OverByChance)["seed.deterministic"]
    assert found.status is Status.FAIL
    assert "done is" in found.outcome.evidence[0]


def test_a_state_that_cannot_be_read_breaks_its_rules_alone() -> None:
    found = statuses(WithoutState)
    assert {name for name, status in found.items() if status is Status.FAIL} == {
        "schema.state", "state.contract", "reset.again", "fault.bad_action",
    }  # fmt: skip


class Beyond(EchoObservation):
    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().model_json_schema(*args, **kwargs), "unevaluatedProperties": False}


def test_a_schema_that_is_not_understood_passes_nothing() -> None:
    subject = LocalSubject(EchoEnvironment, EchoAction, Beyond, None)
    found = {result.id: result for result in run(RULES, subject)}["schema.observation"]
    assert found.status is Status.NOT_CHECKED
    assert "'unevaluatedProperties', which is not known here" in found.outcome.evidence[0]
