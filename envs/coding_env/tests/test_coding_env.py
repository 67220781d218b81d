"""Tests of the environment, straight on the object: no server, no network.

Run `pytest` in the environment's folder.
"""

from collections.abc import Iterator
from typing import get_args

import pytest
from openenv.testing import check_environment

from coding_env import CodeAction
from coding_env.server import CodingEnvironment
from coding_env.server.sandbox import Isolation, Limits
from coding_env.server.tasks import TASKS, TaskName

SOLUTIONS = {
    "fizzbuzz": "def fizzbuzz(n): return 'Fizz' * (n % 3 == 0) + 'Buzz' * (n % 5 == 0) or str(n)",
    "flatten": "def flatten(x): return [b for a in x for b in (flatten(a) if isinstance(a, list) else [a])]",
    "merge_intervals": """
def merge_intervals(intervals):
    merged = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    return merged
""",
    "palindrome": """
def is_palindrome(text):
    kept = [c for c in text.lower() if c.isalnum()]
    return kept == kept[::-1]
""",
    "primes": "def primes(limit): return [n for n in range(2, limit) if all(n % d for d in range(2, n))]",
    "roman": """
def roman(n):
    text = ""
    for value, sign in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1), "M CM D CD C XC L XL X IX V IV I".split()
    ):
        text += sign * (n // value)
        n %= value
    return text
""",
}


@pytest.fixture
def environment() -> Iterator[CodingEnvironment]:
    # The walls have tests of their own; here it is about what the environment makes of an outcome.
    made = CodingEnvironment(Isolation.LIMITS, Limits(wall_s=8))
    yield made
    made.close()


def test_it_keeps_the_rules_of_environments() -> None:
    actions = [{"code": "x = 1"}, {"code": "print(x)"}, {"code": "1 / 0"}]
    check_environment(lambda: CodingEnvironment(Isolation.LIMITS), CodeAction, actions=actions)


def test_variables_and_files_stay_until_the_episode_ends(environment: CodingEnvironment) -> None:
    environment.reset()
    environment.step(CodeAction(code="x = 1\nopen('f', 'w').write('here')"))
    assert environment.step(CodeAction(code="print(x, open('f').read())")).stdout == "1 here\n"
    environment.reset()
    assert environment.step(CodeAction(code="print(x)")).exception == "NameError: name 'x' is not defined"
    assert "FileNotFoundError" in (environment.step(CodeAction(code="open('f')")).exception or "")


def test_a_traceback_shows_the_line(environment: CodingEnvironment) -> None:
    environment.reset()
    observation = environment.step(CodeAction(code="x = 0\n1 / x"))
    assert 'File "<step 1>", line 2, in <module>\n    1 / x\n' in observation.stderr
    assert (observation.exit_code, observation.exception) == (1, "ZeroDivisionError: division by zero")


def test_the_time_limit_of_a_call_holds(environment: CodingEnvironment) -> None:
    environment.reset()
    observation = environment.step(CodeAction(code="while True: pass"), timeout_s=0.2)
    assert (observation.timed_out, observation.interpreter_ended) == (True, True)


def test_every_task_has_a_solution_here() -> None:
    assert SOLUTIONS.keys() == TASKS.keys() == {*get_args(TaskName)} - {""}


@pytest.mark.parametrize("task", TASKS)
def test_a_right_answer_ends_the_episode_and_a_wrong_one_does_not(
    task: TaskName, environment: CodingEnvironment
) -> None:
    first = environment.reset(task=task)
    assert TASKS[task].signature in first.prompt
    wrong = environment.step(CodeAction(code=f"def {TASKS[task].function}(*_): return None"))
    assert (wrong.reward, wrong.done, wrong.tests_passed) == (0.0, False, 0)
    right = environment.step(CodeAction(code=SOLUTIONS[task]))
    assert (right.reward, right.done, right.tests_passed) == (1.0, True, right.tests_total)


@pytest.mark.parametrize(
    ("code", "reward"),
    [
        ("def fizzbuzz(n): return str(n)", 2 / 6),
        ("def fizzbuzz(n): return 1 / 0", 0.0),
        ("class Yes(str):\n    __eq__ = lambda *_: True\ndef fizzbuzz(n): return Yes()", 0.0),
        ("def fizzbuzz(n): return object()", 0.0),
        ("import os\ndef fizzbuzz(n): os._exit(0)", 0.0),
        ("x = 1", 0.0),
        ("def fizzbuzz(n", 0.0),
    ],
)
def test_reward_is_the_share_of_tests_that_passed(code: str, reward: float, environment: CodingEnvironment) -> None:
    environment.reset(task="fizzbuzz")
    observation = environment.step(CodeAction(code=code))
    assert observation.reward == reward
    assert not observation.done


def test_a_task_that_is_not_there_is_refused(environment: CodingEnvironment) -> None:
    with pytest.raises(ValueError, match="there is no task 'sort'; there are fizzbuzz, flatten"):
        environment.reset(task="sort")  # type: ignore[arg-type]


def test_what_is_drawn_is_text(environment: CodingEnvironment) -> None:
    environment.reset(task="fizzbuzz")
    observation = environment.step(CodeAction(code="print('<script>')\n1 / 0"))
    html = environment.render_web(observation)
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "0 of 6 tests passed" in html
    assert environment.web_actions(observation)[0][0] == "Hello"
