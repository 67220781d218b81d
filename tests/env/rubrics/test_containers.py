"""The algebra of rubrics, for sync, async and mixed children alike."""

import asyncio
import copy
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv.env.rubrics import Gate, Rubric, RubricDict, RubricList, Sequential, WeightedSum
from openenv.errors import ConfigurationError
from openenv.types import Action, Observation

SCORES = st.floats(-1e6, 1e6)
WEIGHTS = st.lists(st.floats(0.01, 10), min_size=1, max_size=6).map(lambda given: [one / sum(given) for one in given])


class Fixed(Rubric):
    def __init__(self, score: float) -> None:
        super().__init__()
        self.score = score
        self.calls = 0

    def forward(self, action: Any, observation: Any) -> Any:
        self.calls += 1
        return self.score


class FixedAsync(Fixed):
    async def forward(self, action: Any, observation: Any) -> Any:
        self.calls += 1
        await asyncio.sleep(0)
        return self.score


class Handing(Fixed):
    """Sync to look at, and gives a coroutine."""

    def forward(self, action: Any, observation: Any) -> Any:
        return FixedAsync.forward(self, action, observation)  # type: ignore[arg-type]


QUICKLY = settings(max_examples=40, deadline=None)  # each example may take an event loop or six
KINDS = st.sampled_from([Fixed, FixedAsync, Handing])


def score(rubric: Rubric) -> float:
    given = rubric(Action(), Observation())
    return asyncio.run(given) if asyncio.iscoroutine(given) else given  # type: ignore[no-any-return]


def some(draw: st.DataObject, scores: list[float]) -> list[Fixed]:
    return [draw.draw(KINDS)(one) for one in scores]


@QUICKLY
@given(st.data(), WEIGHTS)
def test_a_weighted_sum_is_the_sum_of_scores_by_weight(draw: st.DataObject, weights: list[float]) -> None:
    scores = draw.draw(st.lists(SCORES, min_size=len(weights), max_size=len(weights)))
    rubric = WeightedSum(some(draw, scores), weights)
    expected = sum(one * weight for one, weight in zip(scores, weights, strict=True))
    assert math.isclose(score(rubric), expected, rel_tol=1e-9, abs_tol=1e-9)
    assert rubric.last_score == pytest.approx(expected)


@QUICKLY
@given(st.data(), WEIGHTS, st.floats(-10, 10))
def test_a_weighted_sum_is_linear(draw: st.DataObject, weights: list[float], factor: float) -> None:
    count = len(weights)
    one, other = (draw.draw(st.lists(SCORES, min_size=count, max_size=count)) for _ in range(2))
    added = [a + factor * b for a, b in zip(one, other, strict=True)]
    sums = [score(WeightedSum([Fixed(value) for value in values], weights)) for values in (one, other, added)]
    assert math.isclose(sums[2], sums[0] + factor * sums[1], rel_tol=1e-6, abs_tol=1e-6)


@QUICKLY
@given(WEIGHTS, SCORES)
def test_a_weighted_sum_of_equal_scores_is_that_score(weights: list[float], value: float) -> None:
    rubric = WeightedSum([Fixed(value) for _ in weights], weights)
    assert math.isclose(score(rubric), value, rel_tol=1e-6, abs_tol=1e-6)


@QUICKLY
@given(KINDS, SCORES, SCORES)
def test_a_gate_gives_the_score_from_its_threshold_on_and_zero_below(
    kind: type[Fixed], value: float, threshold: float
) -> None:
    assert score(Gate(kind(value), threshold)) == (value if value >= threshold else 0.0)
    assert score(Gate(kind(value), threshold=value)) == value


@QUICKLY
@given(KINDS, SCORES, SCORES)
def test_a_gate_behind_the_same_gate_changes_nothing(kind: type[Fixed], value: float, threshold: float) -> None:
    gate = Gate(kind(value), threshold)
    if threshold <= 0:  # above, what was let through as 0 stays 0
        assert score(Gate(gate, threshold)) == score(gate)
    assert score(Gate(Gate(kind(value), threshold), threshold)) in (score(gate), 0.0)


@QUICKLY
@given(st.data(), st.lists(st.one_of(st.just(0.0), SCORES), max_size=6))
def test_sequential_gives_the_last_score_and_stops_at_the_first_zero(draw: st.DataObject, scores: list[float]) -> None:
    rubrics = some(draw, scores)
    called = scores.index(0.0) + 1 if 0.0 in scores else len(scores)
    expected = 1.0 if not scores else 0.0 if 0.0 in scores else scores[-1]
    assert score(Sequential(*rubrics)) == expected
    assert [rubric.calls for rubric in rubrics] == [1] * called + [0] * (len(scores) - called)


@pytest.mark.parametrize(
    "container", [Sequential(), Sequential(Fixed(1)), Gate(Fixed(1)), WeightedSum([Fixed(1)], [1])]
)
def test_what_has_no_async_child_gives_a_number_also_on_a_running_loop(container: Rubric) -> None:
    async def on_a_loop() -> Any:
        return container(Action(), Observation())

    assert asyncio.run(on_a_loop()) == 1.0


@pytest.mark.parametrize("kind", [Fixed, FixedAsync, Handing])
@pytest.mark.parametrize("wrap", [Sequential, Gate, lambda child: WeightedSum([child], [1.0])])
def test_pre_hooks_of_a_container_run_before_its_children(kind: type[Fixed], wrap: Any) -> None:
    seen: list[str] = []
    child = kind(1.0)
    container = wrap(child)
    container.register_forward_pre_hook(lambda *_: seen.append("before"))
    child.register_forward_pre_hook(lambda *_: seen.append("child"))
    container.register_forward_hook(lambda *_: seen.append("after"))
    assert score(container) == 1.0
    assert seen == ["before", "child", "after"]


def test_async_children_of_a_weighted_sum_run_at_the_same_time() -> None:
    async def meet() -> Any:
        barrier = asyncio.Barrier(2)

        class Meeting(Fixed):
            async def forward(self, action: Any, observation: Any) -> Any:
                await barrier.wait()
                return self.score

        return await WeightedSum([Meeting(1), Fixed(1), Meeting(0)], [0.25, 0.25, 0.5])(Action(), Observation())

    assert asyncio.run(meet()) == 0.5


def test_when_one_child_fails_the_others_are_not_left_running() -> None:
    ended: list[str] = []

    class Endless(Fixed):
        async def forward(self, action: Any, observation: Any) -> Any:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("endless")

    class Failing(Fixed):
        def forward(self, action: Any, observation: Any) -> Any:
            raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        score(WeightedSum([FixedAsync(1), Failing(1), Endless(1)], [0.25, 0.25, 0.5]))
    assert ended in ([], ["endless"])  # never begun, or over


@pytest.mark.parametrize(
    ("scores", "weights", "complaint"),
    [
        ([1.0], [0.5, 0.5], "1 rubrics and 2 weights"),
        ([1.0, 1.0], [0.5, 0.6], "sum to 1.1; they must sum to 1"),
        ([1.0], [math.nan], "sum to nan"),
        ([1.0, 1.0], [math.inf, -math.inf], "sum to nan"),
        ([], [], "sum to 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(scores: list[float], weights: list[float], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        WeightedSum([Fixed(one) for one in scores], weights)
    assert isinstance(caught.value, ValueError)


def test_weights_are_given_as_a_copy_and_may_be_negative() -> None:
    rubric = WeightedSum([Fixed(1), Fixed(2)], [1.5, -0.5])
    rubric.weights[0] = 9.0
    assert (rubric.weights, score(rubric)) == ([1.5, -0.5], 0.5)


def test_children_of_a_container_go_by_their_number() -> None:
    first, second, other = Fixed(1), Fixed(2), Fixed(3)
    for container in (Sequential(first, second), WeightedSum([first, second], [0.5, 0.5]), RubricList([first, second])):
        assert dict(container.named_children()) == {"rubric_0": first, "rubric_1": second}
        assert (len(container), container[0], container[-1]) == (2, first, second)
        container.__setattr__("rubric_0", other)  # as a plain assignment, which a type checker does not know
        assert container[0] is other
    assert score(Sequential(first, second)) == 2
    assert dict(Gate(first).named_children()) == {"rubric": first}


def test_a_subclass_may_name_its_children_as_well_and_they_are_called_once() -> None:
    class Named(WeightedSum):
        def __init__(self) -> None:
            win = Fixed(0.5)
            super().__init__(rubrics=[win, Fixed(1.0)], weights=[0.5, 0.5])
            self.win = win

    rubric = Named()
    assert score(rubric) == 0.75
    assert rubric.win.calls == 1
    assert [name for name, _ in rubric.named_rubrics()] == ["rubric_0", "rubric_1", "win"]


def test_settings_of_containers_are_saved_and_loaded() -> None:
    saved = Sequential(Gate(Fixed(1), 0.25), WeightedSum([Fixed(1), Fixed(0)], [0.75, 0.25])).state_dict()
    assert saved == {"rubric_0.threshold": 0.25, "rubric_1.weights": [0.75, 0.25]}
    other = Sequential(Gate(Fixed(0.3)), WeightedSum([Fixed(1), Fixed(0)], [0.5, 0.5]))
    other.load_state_dict(saved)
    assert other.state_dict() == saved
    assert score(other) == 0.75
    with pytest.raises(ConfigurationError, match="2 rubrics and 1 weights"):
        other.load_state_dict({"rubric_1.weights": [1.0]})


def test_a_list_grows_and_is_gone_through() -> None:
    rubrics = [Fixed(one) for one in range(4)]
    held = RubricList()
    assert (len(held), bool(held)) == (0, False)
    held.append(rubrics[0])
    held.extend(rubrics[1:])
    assert list(held) == rubrics
    assert [name for name, _ in held.named_children()] == ["rubric_0", "rubric_1", "rubric_2", "rubric_3"]


@pytest.mark.parametrize("container", [RubricList([Fixed(1)]), RubricDict({"a": Fixed(1)})])
def test_what_only_holds_rubrics_has_no_score(container: Rubric) -> None:
    with pytest.raises(NotImplementedError, match="has no score of its own"):
        container(Action(), Observation())


def test_a_dict_is_used_like_one_and_its_rubrics_are_attributes_too() -> None:
    pong, chess = Fixed(1), Fixed(2)
    games = RubricDict({"pong": pong})
    games["chess"] = chess
    games.update({"pong": chess})
    assert (games["pong"], games.chess, "pong" in games, "go" in games, len(games)) == (chess, chess, True, False, 2)
    assert (list(games), list(games.keys()), list(games.values())) == (["pong", "chess"],) * 2 + ([chess, chess],)
    assert list(games.items()) == list(games.named_children())
    with pytest.raises(AttributeError, match="no attribute or rubric 'go'"):
        _ = games.go
    with pytest.raises(KeyError):
        _ = games["go"]


@pytest.mark.parametrize("name", ["reset", "forward", "keys", "v1.2", "ALE/Pong-v5", "", "_rubric_dict", "last_score"])
def test_any_text_may_name_a_rubric_of_a_dict(name: str) -> None:
    games = RubricDict({name: Fixed(0.5)})
    assert games[name](Action(), Observation()) == 0.5
    assert games.get_rubric(name) is games[name]
    assert games.reset() is None
    assert list(copy.deepcopy(games).keys()) == [name]
