"""Tests of what verifiers that evaluate answers may see, with the real verifiers."""

import ast
import inspect
import textwrap
from pathlib import Path
from typing import Any

import pytest

from reasoning_env.server.datasets import ask
from reasoning_env.server.screening import SCREENS, is_harmless

_EVALUATES = {"eval", "exec", "parse_expr", "sympify", "Fraction"}


@pytest.mark.parametrize("dataset", SCREENS)
def test_right_answers_are_let_through(dataset: str) -> None:
    for index in range(3):
        question = ask(dataset, "train", index)
        assert is_harmless(dataset, question._entry["answer"])
        assert question.score(question._entry["answer"]) == 1.0


@pytest.mark.parametrize("dataset", SCREENS)
def test_hostile_answers_are_not_run(dataset: str, tmp_path: Path) -> None:
    question = ask(dataset, "test", 0)
    witness = tmp_path / "witness"
    for code in (
        f"open({str(witness)!r}, 'w')",
        f"[open({str(witness)!r}, 'w')]",
        f"x + open({str(witness)!r}, 'w').write('')",
        f"(lambda: open({str(witness)!r}, 'w'))()",
        f"[c for c in [open({str(witness)!r}, 'w')]]",
        f"Symbol('x', open({str(witness)!r}, 'w'))",
        "9**9**9**9",
        "((9**32)**32)**32**32",
        "2**(99999*99999*99999)",
        "2**(1/(1/99999))",
        "exp(exp(exp(exp(9999))))",
        "factorial(10**9)",
        "1e999999999",
        "nan",
        "(" * 5_000,
        "-" * 9_999 + "1",
        "['a' for a in 'aaaaaaaaa' for b in 'aaaaaaaaa' for c in 'aaaaaaaaa']" * 10,
    ):
        assert question.score(code) < 0.1, code
    assert not witness.exists()


@pytest.mark.parametrize(
    ("dataset", "answer", "may_be_seen"),
    [
        ("countdown", "(12 + 3) * 4 - 10 / 5", True),
        ("countdown", "2 ** 8", False),
        ("countdown", "x + 1", False),
        ("countdown", "sqrt(16)", False),
        ("simple_integration", "x**3/3 + 2*sin(x)**2 + C", True),
        ("simple_integration", "x**(1/2) * exp(-x**2)", True),
        ("simple_integration", "x**33", False),
        ("simple_integration", "x.subs", False),
        ("simple_integration", "x[0]", False),
        ("simple_integration", "Symbol", False),
        ("simple_integration", "sin(x, evaluate=False)", False),
        ("simple_integration", "'x'", False),
        ("simple_integration", "ｘ", False),
        ("simple_integration", "+".join("x" * 300), False),
        ("n_queens", "_ Q _\n_ _ _", True),
        ("n_queens", "[['Q', '_'], ['_', 'Q']]", True),
        ("n_queens", "[[Q]]", False),
        ("string_insertion", "ABCDE", True),
        ("coin_flip", "3/8", True),
        ("chain_sum", "anything(at)[all]", True),
    ],
)
def test_what_may_be_seen(dataset: str, answer: str, may_be_seen: bool) -> None:
    assert is_harmless(dataset, answer) is may_be_seen


def test_every_verifier_that_evaluates_answers_is_known() -> None:
    import reasoning_gym.factory  # type: ignore[import-untyped]

    found = {name for name, (made, _) in reasoning_gym.factory.DATASETS.items() if _evaluates(made)}
    # That of number_sorting evaluates the right answer, its own; that of complex_arithmetic is here for NaN.
    assert found - {"number_sorting"} == SCREENS.keys() - {"complex_arithmetic"}


def _evaluates(made: Any) -> bool:
    """Whether a verifier calls what evaluates text."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(made.score_answer)))
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(getattr(each, "id", getattr(each, "attr", "")) in _EVALUATES for each in called)
