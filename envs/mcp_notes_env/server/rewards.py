"""What an episode earns, once it is over: how the notes are in the end, and what was answered."""

from collections.abc import Callable, Mapping
from typing import Any

from openenv.env.rubrics import Rubric

from .desk import Desk
from .notebook import Entry
from .tasks import Task

__all__ = ["Outcome", "score"]


class Outcome(Rubric):
    """The score of an episode, made of its parts as `score` says.

    It is given once: by the step that ends the episode, or by the first one after a call beside the steps has ended it.
    Until then the parts are not called, so that an agent does not learn from them how far it is.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.kept = _Part(desk, "kept")
        self.changes = _Part(desk, "changes")
        self.answer = _Part(desk, "answer")

    def forward(self, action: Any, observation: Any) -> float:
        """Give the score if it is due, else 0."""
        if not self.desk.is_over or self.desk.state.is_rewarded:
            return 0.0
        self.desk.state.is_rewarded = True
        return _combined(_task(self.desk), lambda part: self.get_rubric(part)(action, observation))


class _Part(Rubric):
    """Judges one thing about a desk as it is now; the step that led there does not matter."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk = desk
        self.name = name

    def forward(self, action: Any, observation: Any) -> float:
        """Judge it."""
        return _JUDGES[self.name](self.desk)


def score(desk: Desk) -> float:
    """Judge a desk as it is now, from 0 to 1.

    0 if what was to be kept is not as it was; else the mean of what was asked for: changes, an answer, or both.
    """
    return _combined(_task(desk), lambda part: _JUDGES[part](desk))


def _combined(task: Task, judge: Callable[[str], float]) -> float:
    kept = judge("kept")
    asked = [part for part, is_asked in (("changes", task.before != task.after), ("answer", task.answer)) if is_asked]
    return kept * sum(map(judge, asked)) / len(asked)


def _kept(desk: Desk) -> float:
    """1 if every note that was not to be changed is as it was, and none was added; else 0."""
    task, found = _task(desk), desk.book.contents()
    kept = all(_is_same(found.get(number), entry) for number, entry in task.before.items() if _is_kept(task, number))
    return float(kept and found.keys() <= task.before.keys())


def _changes(desk: Desk) -> float:
    """The share of the changes asked for that were made."""
    task, found = _task(desk), desk.book.contents()
    asked = [number for number in task.before if not _is_kept(task, number)]
    return sum(_is_same(found.get(number), task.after.get(number)) for number in asked) / len(asked)


def _answer(desk: Desk) -> float:
    """1 for the right answer, whatever spaces are around it, and 0 for any other."""
    return float((desk.state.answer or "").strip() == _task(desk).answer)


_JUDGES: Mapping[str, Callable[[Desk], float]] = {"kept": _kept, "changes": _changes, "answer": _answer}


def _task(desk: Desk) -> Task:
    assert desk.task is not None  # nothing is over, and so judged, before there is one
    return desk.task


def _is_kept(task: Task, number: int) -> bool:
    return task.before[number] == task.after.get(number)


def _is_same(one: Entry | None, other: Entry | None) -> bool:
    """Tell whether two notes say the same; however their words are broken into lines."""
    if one is None or other is None:
        return one is other
    return one._replace(body="") == other._replace(body="") and one.body.split() == other.body.split()
