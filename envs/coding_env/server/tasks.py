"""The tasks: what is asked for, and the hidden tests. Arguments go into the sandbox; what is expected never does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TASKS", "Task", "TaskName"]

TaskName = Literal["", "fizzbuzz", "flatten", "merge_intervals", "palindrome", "primes", "roman"]
"""What `reset(task=...)` takes; empty for free play."""


@dataclass(frozen=True)
class Task:
    """A function to write.

    Attributes:
        signature: As `def` has it.
        asks: What the function shall do.
        cases: Arguments, and what it must return for them, as JSON has it: lists, not tuples.
    """

    signature: str
    asks: str
    cases: tuple[tuple[list[Any], Any], ...]

    @property
    def function(self) -> str:
        """Name of the function."""
        return self.signature.partition("(")[0]

    @property
    def prompt(self) -> str:
        """The whole task, for an agent."""
        return (
            f"Write a function `{self.signature}`. {self.asks} {len(self.cases)} hidden tests call it after each step."
        )


TASKS: Mapping[str, Task] = {
    "fizzbuzz": Task(
        "fizzbuzz(n: int) -> str",
        'It returns "Fizz" for multiples of 3, "Buzz" for those of 5, "FizzBuzz" for those of both, else n as text.',
        (([1], "1"), ([3], "Fizz"), ([10], "Buzz"), ([30], "FizzBuzz"), ([0], "FizzBuzz"), ([98], "98")),
    ),
    "flatten": Task(
        "flatten(nested: list) -> list",
        "It returns what is in a list of lists of any depth, in order, without the inner lists.",
        (
            ([[]], []),
            ([[1, 2]], [1, 2]),
            ([[1, [2, [3, [4]]]]], [1, 2, 3, 4]),
            ([[[], [[]]]], []),
            ([["ab", ["c"]]], ["ab", "c"]),
        ),
    ),
    "merge_intervals": Task(
        "merge_intervals(intervals: list[list[int]]) -> list[list[int]]",
        "It joins the intervals [first, last] that overlap or touch, and returns them sorted.",
        (
            ([[]], []),
            ([[[1, 3], [2, 6]]], [[1, 6]]),
            ([[[8, 10], [1, 3]]], [[1, 3], [8, 10]]),
            ([[[1, 4], [4, 5]]], [[1, 5]]),
            ([[[1, 9], [2, 3], [4, 5]]], [[1, 9]]),
        ),
    ),
    "palindrome": Task(
        "is_palindrome(text: str) -> bool",
        "It says whether a text reads the same backwards, letters and digits alone, whatever their case.",
        (
            (["A man, a plan, a canal: Panama"], True),
            (["palindrome"], False),
            ([""], True),
            (["1,2,1"], True),
            (["ab"], False),
        ),
    ),
    "primes": Task(
        "primes(limit: int) -> list[int]",
        "It returns all primes below limit.",
        (
            ([0], []),
            ([2], []),
            ([3], [2]),
            ([30], [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]),
            ([50], [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47]),
        ),
    ),
    "roman": Task(
        "roman(n: int) -> str",
        "It writes a number from 1 to 3999 in Roman numerals.",
        (([1], "I"), ([4], "IV"), ([9], "IX"), ([58], "LVIII"), ([1994], "MCMXCIV"), ([3999], "MMMCMXCIX")),
    ),
}
"""By name, as `reset(task=...)` has it."""
