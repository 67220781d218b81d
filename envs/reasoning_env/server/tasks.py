"""The tasks: which datasets, in which splits, how many of each. Pure: no question is asked for it.

A task is `{"dataset": ..., "split": ..., "index": ...}`, which is what `reset` takes. The question is made from the seed
of that index, and the seeds of no two splits are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["DEFAULT_DATASETS", "SPLITS", "Split", "Tasks"]

DEFAULT_DATASETS = (
    "bitwise_arithmetic",
    "decimal_arithmetic",
    "family_relationships",
    "knights_knaves",
    "letter_jumble",
    "number_sorting",
    "shortest_path",
    "string_manipulation",
    "survo",
    "word_sorting",
)
"""Of many kinds, each made in milliseconds, and none with a question of the test split in its train split as well."""


@dataclass(frozen=True)
class Split:
    """The tasks of a split, in each of the datasets.

    Attributes:
        first_seed: Seed of the task at index 0; that of the others is as much higher as their index.
        size: How many there are.
    """

    first_seed: int
    size: int


SPLITS = MappingProxyType(
    {"train": Split(0, 10_000), "validation": Split(1_000_000, 1_000), "test": Split(2_000_000, 1_000)}
)
"""By name, as `reset(split=...)` has it."""


class Tasks:
    """The tasks of some datasets, those of all datasets in turn, so that any range has some of each.

    Args:
        datasets: Their names.
    """

    def __init__(self, datasets: Sequence[str]) -> None:
        self._datasets = datasets

    def count(self, split: str) -> int:
        """Count the tasks of a split. Raises KeyError when there is no such split."""
        return SPLITS[split].size * len(self._datasets)

    def range(self, split: str, start: int | None, stop: int | None) -> list[dict[str, Any]]:
        """Give tasks as a slice does. Raises KeyError when there is no such split."""
        return [self._at(split, position) for position in range(self.count(split))[start:stop]]

    def at(self, split: str, position: int) -> dict[str, Any]:
        """Give one task. Raises KeyError when there is no such split, and IndexError when it has no such task."""
        return self._at(split, range(self.count(split))[position])

    def _at(self, split: str, position: int) -> dict[str, Any]:
        index, which = divmod(position, len(self._datasets))
        return {"dataset": self._datasets[which], "split": split, "index": index}
