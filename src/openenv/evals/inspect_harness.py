"""Evaluations by Inspect AI, which is imported when one is run."""

from collections import Counter
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from openenv.errors import ConfigurationError, NotInstalled
from openenv.evals.harness import EvalFailed, EvalHarness

__all__ = ["InspectAIHarness", "flat_scores"]

_PASSED_ON = (
    "model_base_url", "task_args", "model_args", "solver", "epochs", "max_samples", "max_connections", "temperature",
    "max_tokens",
)  # fmt: skip
_OURS = ("model", "task", "scorer")


class InspectAIHarness(EvalHarness):
    """Runs one task of Inspect AI.

    Its `eval_parameters` are `model`, such as `openai/gpt-4o`, which must be there; `task`, by default the dataset;
    `scorer`, in place of the task's own; and `task_args`, `model_args`, `model_base_url`, `solver`, `epochs`,
    `max_samples`, `max_connections`, `temperature` and `max_tokens`, which mean what they do there.

    Args:
        log_dir: Where the logs of the evaluations go; by default where Inspect AI puts them.
    """

    def __init__(self, *, log_dir: str | Path | None = None) -> None:
        self.log_dir = log_dir

    def run(
        self,
        harness_version: str,
        library_versions: Mapping[str, str],
        dataset: str,
        eval_parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Run an evaluation and give its metrics by name; where two scorers have one of that name, as `scorer/metric`.

        Raises:
            ConfigurationError: A parameter is missing, or unknown.
            NotInstalled: Inspect AI is not installed.
            EvalFailed: The evaluation did not come to its end.
        """
        known = (*_OURS, *_PASSED_ON)
        if unknown := sorted(set(eval_parameters) - set(known)):
            raise ConfigurationError(f"no such eval_parameters: {', '.join(unknown)}; there are: {', '.join(known)}")
        given = {name: value for name, value in eval_parameters.items() if value is not None}
        if "model" not in given:
            raise ConfigurationError("eval_parameters has no model; name one, such as 'openai/gpt-4o'")
        inspect_ai = _library()
        scorer = given.get("scorer")
        options = {name: given[name] for name in _PASSED_ON if name in given}
        options |= {} if self.log_dir is None else {"log_dir": str(self.log_dir)}
        options |= {} if scorer is None else {"score": False}
        task = given.get("task", dataset)
        try:
            logs = inspect_ai.eval(task, model=given["model"], **options)
        except Exception as error:  # it documents no errors of its own; whatever it was, this is what it means
            raise EvalFailed(f"Inspect AI did not run {task!r}: {error}") from error
        log = _only(logs, task)
        if scorer is not None:
            log = inspect_ai.score(log, scorer, action="overwrite")
        return flat_scores(log)


def flat_scores(log: Any) -> dict[str, Any]:
    """Give the metrics of a log by name, or by `scorer/metric` where two scorers have one of that name."""
    scores = log.results.scores if log.results is not None else []
    times = Counter(metric for score in scores for metric in score.metrics)
    return {
        metric if times[metric] == 1 else f"{score.name}/{metric}": found.value
        for score in scores
        for metric, found in score.metrics.items()
    }


def _only(logs: list[Any], task: object) -> Any:
    if len(logs) != 1:
        raise EvalFailed(
            f"{task!r} stands for {len(logs)} tasks, and one evaluation is of one; name it as file.py@task"
        )
    (log,) = logs
    if log.status != "success":
        said = f": {log.error.message}" if log.error is not None else ""
        raise EvalFailed(f"the evaluation of {task!r} ended with {log.status}{said}")
    return log


def _library() -> ModuleType:
    try:
        return import_module("inspect_ai")
    except ImportError as error:
        raise NotInstalled("Inspect AI is not installed", hint="pip install inspect-ai") from error
