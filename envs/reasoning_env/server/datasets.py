"""The datasets of reasoning-gym: questions by split and index, and what an answer is worth.

The package is imported when the first question is asked for, since that takes seconds.
"""

import copy
import difflib
import functools
import json
import logging
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv.errors import ConfigurationError

if TYPE_CHECKING or "." in (__package__ or ""):
    from .screening import is_harmless
    from .tasks import DEFAULT_DATASETS, SPLITS
else:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from server.screening import is_harmless
    from server.tasks import DEFAULT_DATASETS, SPLITS

__all__ = ["VARIABLE", "Question", "ask", "chosen_datasets", "require"]

logger = logging.getLogger(__name__)

VARIABLE = "REASONING_ENV_DATASETS"
_UNUSABLE = frozenset({"composite"})  # asks questions of others, and must be told of which
# These go through sets of text, or draw from a generator that is not seeded.
_VARYING = frozenset(
    {
        "codeio",
        "isomorphic_strings",
        "knight_swap",
        "list_functions",
        "polynomial_multiplication",
        "ransom_note",
        "word_ladder",
    }
)


@dataclass(frozen=True)
class Question:
    """A question, and who knows what an answer to it is worth.

    Attributes:
        text: What is asked.
        config: How the dataset is set, its difficulty included; the same for all of its questions.
        is_reproducible: Whether it is the same in every process.
    """

    text: str
    config: Mapping[str, Any]
    is_reproducible: bool
    _dataset: "_Dataset" = field(repr=False)
    _entry: dict[str, Any] = field(repr=False)

    def score(self, answer: str) -> float:
        """Say what an answer is worth, from 0 to 1, as the dataset's verifier has it."""
        if not is_harmless(self._dataset.name, answer):
            return 0.0
        try:
            given = float(self._dataset.made.score_answer(answer, copy.deepcopy(self._entry)))
        except Exception:  # some verifiers raise what their parsing of nonsense raises, be it anything
            logger.debug("the verifier of %s raised", self._dataset.name, exc_info=True)
            return 0.0
        return min(given, 1.0) if given > 0 else 0.0  # the latter for NaN, too


@dataclass(frozen=True)
class _Dataset:
    """A dataset with the seeds of a split. Some keep state of their own or of numpy's, so one thread asks at a time."""

    name: str
    made: Any  # reasoning_gym's ProceduralDataset; it has no types
    lock: threading.Lock = field(default_factory=threading.Lock)


def ask(dataset: str, split: str, index: int) -> Question:
    """Make the question of a task.

    Raises:
        ValueError: There is no such dataset, split or index.
    """
    if split not in SPLITS:
        raise ValueError(f"there is no split {split!r}; there are {', '.join(SPLITS)}")
    last = SPLITS[split].size - 1
    if not 0 <= index <= last:
        raise ValueError(f"there is no index {index} in {split}; it goes from 0 to {last}")
    require([dataset])
    found = _dataset(dataset, split)
    with found.lock:
        entry = found.made[index]
    config = {name: value for name, value in asdict(found.made.config).items() if name not in ("seed", "size")}
    # By JSON, since some configurations have times of day in them.
    config = json.loads(json.dumps(config, default=str))
    return Question(entry["question"], config, dataset not in _VARYING, found, entry)


def require(names: Iterable[str]) -> None:
    """See that there are such datasets.

    Raises:
        ValueError: There is none of a name.
    """
    known = _known()
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3) or DEFAULT_DATASETS
            raise ValueError(f"there is no dataset {name[:100]!r}; there are {len(known)}, such as {', '.join(close)}")


def chosen_datasets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Say which datasets the tasks are of: those that the variable names, with commas between them.

    Raises:
        ConfigurationError: It names one that there is not, one twice, or one whose tasks would not be the same elsewhere.
    """
    text = environ.get(VARIABLE, "").strip()
    if not text:
        return DEFAULT_DATASETS
    names = tuple(name.strip() for name in text.split(","))
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{VARIABLE} is {text!r}, which names a dataset twice")
    if varying := _VARYING & set(names):
        raise ConfigurationError(
            f"{VARIABLE} is {text!r}, but the questions of {', '.join(sorted(varying))} differ from process to process, "
            "so there are no tasks of them; reset(dataset=...) still takes them"
        )
    try:
        require(names)
    except ValueError as error:
        raise ConfigurationError(f"{VARIABLE} is {text!r}: {error}") from error
    return names


def _known() -> frozenset[str]:
    import reasoning_gym.factory  # type: ignore[import-untyped]  # here, as it takes seconds

    return frozenset(reasoning_gym.factory.DATASETS) - _UNUSABLE


@functools.lru_cache(maxsize=64)
def _dataset(name: str, split: str) -> _Dataset:
    import reasoning_gym

    seeds = SPLITS[split]
    return _Dataset(name, reasoning_gym.create_dataset(name, seed=seeds.first_seed, size=seeds.size))
