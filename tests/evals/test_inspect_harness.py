"""`InspectAIHarness`: against a library that only records, and against Inspect AI itself where it is installed."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openenv.errors import ConfigurationError, NotInstalled
from openenv.evals import EvalFailed, InspectAIHarness

QUIZ = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate

@task
def quiz(n: int = 2):
    samples = [Sample(input="?", target="yes") for _ in range(n)]
    return Task(dataset=samples, solver=generate(), scorer=[includes(), match()])
"""


def scored(name: str, **metrics: float) -> SimpleNamespace:
    return SimpleNamespace(name=name, metrics={key: SimpleNamespace(value=value) for key, value in metrics.items()})


def log(*scores: SimpleNamespace, status: str = "success", error: str | None = None) -> SimpleNamespace:
    told = None if error is None else SimpleNamespace(message=error)
    return SimpleNamespace(status=status, error=told, results=SimpleNamespace(scores=list(scores)))


class Library:
    """As much of `inspect_ai` as is called."""

    def __init__(self, *logs: SimpleNamespace) -> None:
        self.logs = logs
        self.calls: list[Any] = []

    def eval(self, task: Any, **options: Any) -> list[SimpleNamespace]:
        self.calls.append((task, options))
        if task == "gone":
            raise OSError("no such task")
        return list(self.logs)

    def score(self, found: SimpleNamespace, scorer: Any, action: str) -> SimpleNamespace:
        self.calls.append((scorer, action))
        return log(scored("mine", accuracy=0.25))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library(log(scored("includes", accuracy=1.0, stderr=0.1)))
    monkeypatch.setitem(sys.modules, "inspect_ai", made)
    return made


def run(harness: InspectAIHarness | None = None, dataset: str = "quiz.py", **parameters: Any) -> dict[str, Any]:
    return (harness or InspectAIHarness()).run("0.3", {}, dataset, {"model": "m/1", **parameters})


def test_parameters_are_passed_on_and_metrics_come_back(library: Library, tmp_path: Path) -> None:
    harness = InspectAIHarness(log_dir=tmp_path)
    assert run(harness, task_args={"n": 3}, temperature=0.5, epochs=None) == {"accuracy": 1.0, "stderr": 0.1}
    assert run(task="other.py@quiz") == {"accuracy": 1.0, "stderr": 0.1}
    assert library.calls == [
        ("quiz.py", {"model": "m/1", "task_args": {"n": 3}, "temperature": 0.5, "log_dir": str(tmp_path)}),
        ("other.py@quiz", {"model": "m/1"}),
    ]


def test_a_scorer_takes_the_place_of_the_tasks_own(library: Library) -> None:
    assert run(scorer="mine") == {"accuracy": 0.25}
    assert library.calls == [("quiz.py", {"model": "m/1", "score": False}), ("mine", "overwrite")]


def test_metrics_of_one_name_are_told_apart(library: Library) -> None:
    library.logs = (log(scored("includes", accuracy=1.0), scored("match", accuracy=0.5, stderr=0.1)),)
    assert run() == {"includes/accuracy": 1.0, "match/accuracy": 0.5, "stderr": 0.1}


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"model": None}, "eval_parameters has no model; name one"),
        ({"colour": 1, "shape": 2}, "no such eval_parameters: colour, shape; there are: model, task, scorer, "),
    ],
)
def test_parameters_that_cannot_be_are_refused(parameters: dict[str, Any], complaint: str, library: Library) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        run(**parameters)
    assert library.calls == []


@pytest.mark.parametrize(
    ("logs", "dataset", "complaint"),
    [
        ([log(status="error", error="it broke")], "quiz", "the evaluation of 'quiz' ended with error: it broke"),
        ([log(status="cancelled")], "quiz", "ended with cancelled$"),
        ([], "quiz", "'quiz' stands for 0 tasks"),
        ([log(), log()], "quiz", "stands for 2 tasks, and one evaluation is of one; name it as file.py@task"),
        ([], "gone", "Inspect AI did not run 'gone': no such task"),
    ],
)
def test_what_does_not_end_well_is_a_failure(
    logs: list[SimpleNamespace], dataset: str, complaint: str, library: Library
) -> None:
    library.logs = tuple(logs)
    with pytest.raises(EvalFailed, match=complaint):
        run(dataset=dataset)


def test_without_inspect_ai_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inspect_ai", None)
    with pytest.raises(NotInstalled, match="Inspect AI is not installed") as raised:
        run()
    assert raised.value.hint == "pip install inspect-ai"


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore")
def test_inspect_ai_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = pytest.importorskip("inspect_ai.model", reason="Inspect AI is not installed: it brings 37 packages")

    def outputs() -> list[Any]:
        made = [model.ModelOutput.from_content("mockllm/model", text) for text in ("yes indeed", "no")]
        for each in made:
            each.usage = model.ModelUsage(
                input_tokens=1, output_tokens=1, total_tokens=2
            )  # or it would ask the network
        return made

    (tmp_path / "quiz.py").write_text(QUIZ)
    monkeypatch.chdir(tmp_path)  # it takes relative paths only
    parameters = {"model": "mockllm/model", "task_args": {"n": 2}}
    harness = InspectAIHarness(log_dir=tmp_path / "logs")
    scores = run(harness, "quiz.py", **parameters, model_args={"custom_outputs": outputs()})
    assert (scores["includes/accuracy"], scores["match/accuracy"]) == (0.5, 0.0)
    assert list((tmp_path / "logs").iterdir())
    mine = pytest.importorskip("inspect_ai.scorer").includes(ignore_case=False)
    scores = run(harness, "quiz.py", **parameters, model_args={"custom_outputs": outputs()}, scorer=mine)
    assert scores["accuracy"] == 0.5
    with pytest.raises(EvalFailed, match="did not run"):
        run(harness, "nothing.py", **parameters)
