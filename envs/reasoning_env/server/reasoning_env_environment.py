"""The environment itself: what happens on a reset and on a step. Questions and scores are reasoning-gym's."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

from openenv import Environment, State
from pydantic import Field

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, reasoning_env.server
    from ..models import ReasoningAction, ReasoningObservation
    from .datasets import Question, ask, chosen_datasets
    from .drawing import draw
    from .tasks import SPLITS, Tasks
else:  # as part of `server`, by `uvicorn server.app:app`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import ReasoningAction, ReasoningObservation
    from server.datasets import Question, ask, chosen_datasets
    from server.drawing import draw
    from server.tasks import SPLITS, Tasks

_MAX_ATTEMPTS = 100


class ReasoningEnvironment(Environment[ReasoningAction, ReasoningObservation, State]):
    """Asks questions of many kinds, made from seeds, and scores answers by the verifier of their kind."""

    # What instances share, the datasets, answers one thread at a time.
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, datasets: Sequence[str] | None = None) -> None:
        super().__init__()
        self._datasets = tuple(datasets or chosen_datasets(os.environ))
        self._tasks = Tasks(self._datasets)
        self._random = Random()
        self._state = State()
        self._question: Question | None = None
        self._metadata: dict[str, Any] = {}
        self._attempts_left = 0
        self._best = 0.0

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        dataset: str = "",
        split: Literal["train", "validation", "test"] = "train",
        index: Annotated[int | None, Field(ge=0)] = None,
        attempts: Annotated[int, Field(ge=1, le=_MAX_ATTEMPTS)] = 1,
        **options: Any,
    ) -> ReasoningObservation:
        """Ask a question.

        Args:
            seed: Of what is drawn, where no dataset or no index is given.
            episode_id: Names the episode.
            dataset: Any that reasoning-gym has; empty draws one of those that the tasks are of.
            split: The one that the index is in.
            index: Which question; the metadata says whether it is the same one on every server. None draws one.
            attempts: How many answers may be given.
        """
        if not 1 <= attempts <= _MAX_ATTEMPTS:
            raise ValueError(f"attempts is {attempts}; it is from 1 to {_MAX_ATTEMPTS}")
        if seed is not None:
            self._random = Random(seed)
        dataset = dataset or self._random.choice(self._datasets)
        if index is None and split in SPLITS:
            index = self._random.randrange(SPLITS[split].size)
        question = ask(dataset, split, index or 0)
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        self._question, self._attempts_left, self._best = question, attempts, 0.0
        self._metadata = {
            "dataset": dataset,
            "split": split,
            "index": index,
            "config": question.config,
            "reproducible": question.is_reproducible,
        }
        return self._observe(question, None, reward=0.0)

    def step(self, action: ReasoningAction, timeout_s: float | None = None, **options: Any) -> ReasoningObservation:
        """Score an answer. The reward is what it is worth above the best answer before it."""
        question = self._question
        if question is None:
            raise RuntimeError("no question was asked yet; call reset() first")
        if self._attempts_left == 0:
            return self._observe(question, None, reward=0.0)
        self._state.step_count += 1
        score = question.score(action.answer)
        gained = max(0.0, score - self._best)
        self._best = max(self._best, score)
        self._attempts_left = 0 if score == 1.0 else self._attempts_left - 1
        return self._observe(question, score, reward=gained)

    @property
    def state(self) -> State:
        """Which episode this is, and how many answers were given."""
        return self._state

    def list_splits(self) -> list[str]:
        """List the splits of the tasks."""
        return list(SPLITS)

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        """List the tasks of a split, each as `reset` takes it."""
        return self._tasks.range(split, None, None)

    def num_tasks(self, split: str) -> int:
        """Count the tasks of a split."""
        return self._tasks.count(split)

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """Give the task at a place in the list."""
        return self._tasks.at(split, index)

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, Any]]:
        """Give a part of the list."""
        return self._tasks.range(split, start, stop)

    def render_web(self, observation: ReasoningObservation) -> str:
        """Show the question, and what the answer was worth."""
        return draw(observation)

    def web_actions(self, observation: ReasoningObservation) -> list[tuple[str, ReasoningAction]]:
        """Offer what is no answer; the page has a field for one."""
        return [] if observation.done else [("Pass", ReasoningAction(answer="I do not know."))]

    def _observe(self, question: Question, score: float | None, *, reward: float) -> ReasoningObservation:
        return ReasoningObservation(
            question=question.text,
            score=score,
            best_score=self._best,
            attempts_left=self._attempts_left,
            reward=reward,
            done=self._attempts_left == 0,
            metadata=self._metadata,
        )
