"""Which score is written down where, under which name."""

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ConfigDict

from openenv.env.rubrics import Rubric, WeightedSum
from openenv.env.rubrics.scorecard import Scorecard, name_of, record, show
from openenv.types import Action, Observation


class Fixed(Rubric):
    def __init__(self, score: float) -> None:
        self.score = score

    def forward(self, action: Any, observation: Any) -> float:
        return self.score


@dataclass
class Plain:
    metadata: Any = None


def filled(root: Any) -> dict[str, float]:
    card = Scorecard(root)
    with card.filling():
        root(Action(), Observation())
    return card.components()


def test_each_rubric_that_was_called_has_its_score_under_its_path() -> None:
    tree = WeightedSum([WeightedSum([Fixed(True), Fixed(0)], [0.5, 0.5]), Fixed(0.25)], [0.5, 0.5])
    assert list(filled(tree).items()) == [
        ("rubric_0", 0.5),
        ("rubric_0.rubric_0", 1.0),
        ("rubric_0.rubric_1", 0.0),
        ("rubric_1", 0.25),
    ]
    assert all(type(score) is float for score in filled(tree).values())


def test_a_rubric_without_children_goes_by_its_class() -> None:
    assert filled(Fixed(0.5)) == {"Fixed": 0.5}


def test_a_rubric_at_two_places_is_there_once_under_the_name_it_was_given_last() -> None:
    tree = WeightedSum([Fixed(0.5), Fixed(1.0)], [0.5, 0.5])
    tree.style = tree[0]  # type: ignore[attr-defined]
    assert filled(tree) == {"style": 0.5, "rubric_1": 1.0}


def test_what_is_called_like_a_rubric_and_is_none_has_no_components() -> None:
    assert filled(lambda action, observation: 1.0) == {}


def test_outside_of_a_call_nothing_is_written_down_and_a_rubric_goes_by_its_class() -> None:
    rubric = Fixed(1.0)
    record(rubric, 1.0)
    assert name_of(rubric) == "Fixed"
    card = Scorecard(WeightedSum([rubric], [1.0]))
    with card.filling():
        assert name_of(rubric) == "rubric_0"
    assert card.components() == {}


def test_calls_of_one_shared_rubric_at_the_same_time_keep_their_scores_apart() -> None:
    class Echo(Rubric):
        async def forward(self, action: Any, observation: Any) -> float:
            await barrier.wait()
            return float(observation.reward)

    async def one(tree: Rubric, reward: float) -> dict[str, float]:
        card = Scorecard(tree)
        with card.filling():
            await tree(Action(), Observation(reward=reward))
        return card.components()

    async def both() -> list[dict[str, float]]:
        tree = WeightedSum([Echo()], [1.0])
        return list(await asyncio.gather(one(tree, 1), one(tree, 2), one(tree, 3)))

    barrier = asyncio.Barrier(3)
    assert asyncio.run(both()) == [{"rubric_0": 1.0}, {"rubric_0": 2.0}, {"rubric_0": 3.0}]


@pytest.mark.parametrize("observation", [Observation(), Observation(metadata={"a": 1}), Plain(), Plain({"a": 1})])
def test_components_are_put_into_the_metadata_of_any_observation(observation: Any) -> None:
    before = dict(observation.metadata or {})
    show({"style": 0.5}, observation)
    assert observation.metadata == {**before, "reward_components": {"style": 0.5}}


def test_a_frozen_observation_shows_them_too() -> None:
    class Frozen(Observation):
        model_config = ConfigDict(frozen=True)

    observation = Frozen()
    show({"style": 0.5}, observation)
    assert observation.metadata == {"reward_components": {"style": 0.5}}


@pytest.mark.parametrize("observation", [None, SimpleNamespace(), SimpleNamespace(metadata="text")])
def test_what_has_no_metadata_goes_without(observation: Any) -> None:
    before = repr(observation)
    show({"style": 0.5}, observation)
    assert repr(observation) == before


def test_components_of_an_earlier_step_do_not_stay() -> None:
    observation = Observation(metadata={"reward_components": {"old": 1.0}})
    show({"new": 0.5}, observation)
    assert observation.metadata["reward_components"] == {"new": 0.5}
