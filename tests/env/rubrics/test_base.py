"""What a rubric is: its tree, its hooks, its score, and when a call of it must be awaited."""

import asyncio
import copy
import pickle
from typing import Any

import numpy as np
import pytest

from openenv.env.rubrics import BadScore, Rubric
from openenv.types import Action, Observation

ACTION, OBSERVATION = Action(), Observation()


class Fixed(Rubric):
    def __init__(self, score: Any = 1.0) -> None:  # without super().__init__()
        self.score = score

    def forward(self, action: Any, observation: Any) -> Any:
        return self.score


class FixedAsync(Fixed):
    async def forward(self, action: Any, observation: Any) -> Any:
        await asyncio.sleep(0)
        return self.score


class Parent(Rubric):
    def __init__(self) -> None:
        super().__init__()
        self.first = Fixed(0.25)
        self.second = Fixed(0.5)

    def forward(self, action: Any, observation: Any) -> Any:
        return self.second(action, observation)


class Grandparent(Fixed):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Parent()


def test_a_rubric_must_have_a_forward() -> None:
    with pytest.raises(TypeError, match="forward"):
        Rubric()  # type: ignore[abstract]


def test_a_call_gives_the_score_and_remembers_it() -> None:
    rubric = Fixed(0.75)
    assert rubric.last_score is None
    assert rubric(ACTION, OBSERVATION) == 0.75 == rubric.last_score


def test_a_call_of_an_async_rubric_is_awaited_and_does_nothing_before() -> None:
    rubric = FixedAsync(0.75)
    seen: list[str] = []
    rubric.register_forward_pre_hook(lambda *_: seen.append("before"))
    waiting = rubric(ACTION, OBSERVATION)
    assert seen == []
    assert asyncio.run(waiting) == 0.75 == rubric.last_score


def test_a_sync_forward_that_hands_on_an_async_rubric_is_awaited_too() -> None:
    parent = Parent()
    parent.second = FixedAsync(0.5)
    assert asyncio.run(parent(ACTION, OBSERVATION)) == 0.5 == parent.last_score


def test_children_are_the_rubrics_that_are_attributes_in_their_order() -> None:
    tree = Grandparent()
    assert [name for name, _ in tree.named_children()] == ["inner"]
    assert list(tree.inner.children()) == [tree.inner.first, tree.inner.second]
    assert [path for path, _ in tree.named_rubrics()] == ["inner", "inner.first", "inner.second"]
    assert [path for path, _ in tree.named_rubrics("root")] == ["root.inner", "root.inner.first", "root.inner.second"]
    assert list(tree.rubrics()) == [tree.inner, tree.inner.first, tree.inner.second]
    assert tree.get_rubric("inner.second") is tree.inner.second


@pytest.mark.parametrize("path", ["", "inner.", "inner.third", "second", "score"])
def test_a_path_that_leads_nowhere_is_a_key_error_that_says_which_there_are(path: str) -> None:
    with pytest.raises(KeyError, match=r"Grandparent has no rubric .*; it has inner, inner.first, inner.second"):
        Grandparent().get_rubric(path)
    with pytest.raises(KeyError, match="it has none"):
        Fixed().get_rubric("x")


def test_a_child_that_was_replaced_or_deleted_is_none_any_more() -> None:
    parent = Parent()
    parent.first = Fixed(0.9)
    assert dict(parent.named_children())["first"].score == 0.9  # type: ignore[attr-defined]
    parent.first = None  # type: ignore[assignment]
    assert [name for name, _ in parent.named_children()] == ["second"]
    del parent.second
    assert list(parent.children()) == []


def test_an_author_may_call_an_attribute_like_a_method_of_ours() -> None:
    parent = Parent()
    parent.children = parent.rubrics = [parent.first]  # type: ignore[method-assign,assignment]
    assert parent.reset() is None
    assert parent.get_rubric("first") is parent.first


def test_hooks_run_around_the_call_and_see_it() -> None:
    seen: list[Any] = []
    parent = Parent()
    parent.register_forward_pre_hook(lambda *args: seen.append(("before", *args)))
    parent.second.register_forward_hook(lambda rubric, *_: seen.append(rubric))
    parent.register_forward_hook(lambda *args: seen.append(("after", *args)))
    parent(ACTION, OBSERVATION)
    assert seen == [("before", parent, ACTION, OBSERVATION), parent.second, ("after", parent, ACTION, OBSERVATION, 0.5)]


@pytest.mark.parametrize("rubric", [Fixed(0.5), FixedAsync(0.5)])
def test_async_hooks_are_awaited_around_either_kind_of_rubric(rubric: Rubric) -> None:
    seen: list[str] = []

    async def before(*_: Any) -> None:
        await asyncio.sleep(0)
        seen.append("before")

    async def after(*_: Any) -> None:
        await asyncio.sleep(0)
        seen.append("after")

    rubric.register_forward_pre_hook(before)
    rubric.register_forward_hook(after)
    assert asyncio.run(rubric(ACTION, OBSERVATION)) == 0.5
    assert seen == ["before", "after"]


@pytest.mark.parametrize("score", [True, 0, -3, 2.5, 10**300])
def test_numbers_are_given_as_they_are(score: Any) -> None:
    given = Fixed(score)(ACTION, OBSERVATION)
    assert given == score
    assert type(given) is type(score)


def test_other_numbers_become_floats() -> None:
    given = Fixed(np.float32(0.5))(ACTION, OBSERVATION)
    assert (given, type(given)) == (0.5, float)


@pytest.mark.parametrize(
    ("score", "complaint"),
    [
        (float("nan"), "rubric 'Fixed' gave nan; a score must be finite"),
        (float("-inf"), "gave -inf"),
        (np.float64("nan"), "gave nan"),
        (None, "gave NoneType instead of a number"),
        ("0.5", "gave str instead of a number"),
        (10**400, "gave a int that is no float"),
        (np.ones(2), "gave a ndarray that is no float"),
    ],
)
def test_a_score_that_is_no_finite_number_is_an_error_that_names_the_rubric(score: Any, complaint: str) -> None:
    rubric = Fixed(score)
    with pytest.raises(BadScore, match=complaint) as caught:
        rubric(ACTION, OBSERVATION)
    assert isinstance(caught.value, ValueError)
    assert caught.value.component == "Fixed"
    assert rubric.last_score is None


def test_what_forward_raises_comes_out_as_it_is_and_hooks_after_it_do_not_run() -> None:
    class Failing(Fixed):
        def forward(self, action: Any, observation: Any) -> Any:
            raise LookupError("no such game")

    rubric = Failing()
    rubric.register_forward_hook(lambda *_: pytest.fail("there is no score"))
    with pytest.raises(LookupError, match="no such game"):
        rubric(ACTION, OBSERVATION)


def test_reset_reaches_every_rubric_of_the_tree_sync_or_async() -> None:
    reset: list[str] = []

    class Leaf(Fixed):
        def reset(self) -> None:
            reset.append("sync")

    class AsyncLeaf(Fixed):
        async def reset(self) -> None:
            reset.append("async")

    tree = Grandparent()
    tree.inner.first = Leaf()
    assert tree.reset() is None
    tree.inner.second = AsyncLeaf()
    asyncio.run(tree.reset())
    assert reset == ["sync", "sync", "async"]


def test_settings_of_the_tree_are_saved_and_loaded_by_dotted_names() -> None:
    class Tuned(Fixed):
        def state_dict(self) -> dict[str, Any]:
            return {"score": self.score}

        def load_state_dict(self, state: Any) -> None:
            self.score = state["score"]

    tree, other = Grandparent(), Grandparent()
    tree.inner.first, other.inner.first = Tuned(0.1), Tuned(0.9)
    assert tree.state_dict() == {"inner.first.score": 0.1}
    other.load_state_dict({**tree.state_dict(), "unknown.score": 5})
    assert other.inner.first.score == 0.1
    other.load_state_dict({})
    assert other.inner.first.score == 0.1
    assert Fixed().state_dict() == {}


def test_a_rubric_can_be_copied_and_pickled_with_its_tree() -> None:
    tree = Grandparent()
    for twin in (copy.deepcopy(tree), pickle.loads(pickle.dumps(tree))):
        assert twin(ACTION, OBSERVATION) == 1.0
        assert twin.inner.first is not tree.inner.first
        assert [path for path, _ in twin.named_rubrics()] == [path for path, _ in tree.named_rubrics()]
