"""What each rubric of a tree scored in one call of its root, and how an observation comes to show it.

A card is found through the context of the call and not through the rubric, so that calls which run at the same time,
even of one shared rubric, keep their scores apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["COMPONENTS", "Scorecard", "name_of", "record", "show"]

COMPONENTS = "reward_components"
"""The key in an observation's metadata; the page at /web draws what it finds there as bars."""


class Scorecard:
    """The scores of one call of `root`: a rubric, or anything else that is called like one."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._scores: dict[int, tuple[object, float]] = {}  # with the rubric, or its id might become another's

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Record here what rubrics score inside the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def record(self, rubric: object, score: float) -> None:
        """Note what a rubric scored; when it is called twice, the later score stands."""
        self._scores[id(rubric)] = (rubric, score)

    def components(self) -> dict[str, float]:
        """Give path and score of each rubric that was called, in the order of the tree."""
        return {path: self._scores[known][1] for known, path in self.paths().items() if known in self._scores}

    def paths(self) -> dict[int, str]:
        """Name each rubric by its id. One that stands at two places goes by the name it was given last."""
        named = self._root.named_rubrics() if hasattr(self._root, "named_rubrics") else ()
        below = {id(rubric): path for path, rubric in named}
        return below or {id(self._root): type(self._root).__name__}


_current: ContextVar[Scorecard | None] = ContextVar("openenv_scorecard", default=None)


def record(rubric: object, score: float) -> None:
    """Note a score on the card of the call under way, if there is one."""
    if (card := _current.get()) is not None:
        card.record(rubric, score)


def name_of(rubric: object) -> str:
    """Name a rubric for an error: by its path in the call under way, else by its class."""
    card = _current.get()
    return (card.paths().get(id(rubric)) if card else None) or type(rubric).__name__


def show(components: dict[str, float], observation: Any) -> None:
    """Put components into an observation's metadata, whatever an observation is; one without metadata goes without."""
    if not components:
        return
    metadata = getattr(observation, "metadata", None)
    if isinstance(metadata, dict):
        metadata[COMPONENTS] = components  # in place, since an observation may be frozen
    elif metadata is None and hasattr(observation, "metadata"):
        observation.metadata = {COMPONENTS: components}
