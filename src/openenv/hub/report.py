"""What a check is, how it can end, and the report of many: values, and the loop that fills them in.

Decides the JSON shape of a report (`REPORT_VERSION`) and when a check is not made. What is checked is decided where the
lists are: `hub/checks.py` for what needs no running code, `testing/` for what does.
"""

import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from openenv.errors import OpenEnvError

__all__ = [
    "REPORT_VERSION",
    "CannotTell",
    "Check",
    "Outcome",
    "Report",
    "Result",
    "Status",
    "failed",
    "not_checked",
    "passed",
    "run",
]

REPORT_VERSION = 1

SubjectT = TypeVar("SubjectT")
SubjectT_contra = TypeVar("SubjectT_contra", contravariant=True)

_MAX_LINE = 500


class CannotTell(OpenEnvError):
    """Raised inside a check that cannot be made.

    Attributes:
        hint: What would make it possible, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Status(enum.StrEnum):
    """How a check ended. There is no third word for "left out": what was not checked has not passed."""

    PASS = "pass"
    FAIL = "fail"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        status: How it ended.
        evidence: What was seen, a line each.
        remedy: What to do about it; None when there is nothing to do.
    """

    status: Status
    evidence: tuple[str, ...] = ()
    remedy: str | None = None


def passed(*evidence: str) -> Outcome:
    """Say that the rule holds."""
    return Outcome(Status.PASS, _cut(evidence))


def failed(*evidence: str, remedy: str | None = None) -> Outcome:
    """Say that the rule is broken."""
    return Outcome(Status.FAIL, _cut(evidence), remedy)


def not_checked(*evidence: str, remedy: str | None = None) -> Outcome:
    """Say that nobody can tell, and why."""
    return Outcome(Status.NOT_CHECKED, _cut(evidence), remedy)


@dataclass(frozen=True, kw_only=True)
class Check(Generic[SubjectT_contra]):
    """One rule.

    Attributes:
        id: Its name in reports, which never changes its meaning.
        title: The rule in words.
        run: Finds out. An `OpenEnvError` that it raises is a failure with that sentence, `CannotTell` apart.
        needs: Ids of the checks without which this one says nothing; unless they passed it is not made.
        is_required: Whether the verdict depends on it; else it only informs.
    """

    id: str
    title: str
    run: Callable[[SubjectT_contra], Outcome]
    needs: tuple[str, ...] = ()
    is_required: bool = True


@dataclass(frozen=True, kw_only=True)
class Result:
    """One check that was made, or was not and says why."""

    id: str
    title: str
    outcome: Outcome
    is_required: bool
    duration_s: float

    @property
    def status(self) -> Status:
        """How it ended."""
        return self.outcome.status

    def to_json(self) -> dict[str, Any]:
        """Give its entry in the JSON report."""
        return {
            "id": self.id,
            "title": self.title,
            "status": self.status.value,
            "required": self.is_required,
            "evidence": list(self.outcome.evidence),
            "remedy": self.outcome.remedy,
            "duration_s": round(self.duration_s, 3),
        }


@dataclass(frozen=True)
class Report:
    """Everything that was found about one target.

    Attributes:
        target: A folder or a URL, as the reader knows it.
        results: In the order of the checks.
    """

    target: str
    results: tuple[Result, ...]

    @property
    def failures(self) -> tuple[Result, ...]:
        """The required checks that failed."""
        return tuple(r for r in self.results if r.is_required and r.status is Status.FAIL)

    @property
    def unchecked(self) -> tuple[Result, ...]:
        """The required checks that could not be made."""
        return tuple(r for r in self.results if r.is_required and r.status is Status.NOT_CHECKED)

    @property
    def verdict(self) -> str:
        """`fail` if a required check failed, `incomplete` if one could not be made, else `pass`."""
        if self.failures:
            return "fail"
        return "incomplete" if self.unchecked else "pass"

    def to_json(self) -> dict[str, Any]:
        """Give the JSON report. A reader must accept keys it does not know."""
        return {
            "report_version": REPORT_VERSION,
            "target": self.target,
            "checks": [result.to_json() for result in self.results],
            "verdict": self.verdict,
        }


def run(
    checks: Sequence[Check[SubjectT]],
    subject: SubjectT,
    *,
    before: Sequence[Result] = (),
    on_result: Callable[[Result], None] | None = None,
    obstacle: Callable[[], str | None] | None = None,
) -> tuple[Result, ...]:
    """Make the checks in their order.

    Args:
        checks: What to find out.
        subject: About what.
        before: Results of earlier checks, which these may need.
        on_result: Told of each as it is known.
        obstacle: Says why no further check can be made; None while they can.
    """
    made = {result.id: result.status for result in before}
    results = []
    for check in checks:
        begun = time.monotonic()
        outcome = _obstructed(check, made, obstacle) or _outcome(check, subject)
        result = Result(
            id=check.id,
            title=check.title,
            outcome=outcome,
            is_required=check.is_required,
            duration_s=time.monotonic() - begun,
        )
        made[check.id] = result.status
        results.append(result)
        if on_result is not None:
            on_result(result)
    return tuple(results)


def _obstructed(
    check: Check[SubjectT], made: dict[str, Status], obstacle: Callable[[], str | None] | None
) -> Outcome | None:
    missing = [name for name in check.needs if made.get(name) is not Status.PASS]
    if missing:
        return not_checked(f"{missing[0]} did not pass")
    why = obstacle() if obstacle is not None else None
    return None if why is None else not_checked(why)


def _outcome(check: Check[SubjectT], subject: SubjectT) -> Outcome:
    try:
        return check.run(subject)
    except CannotTell as error:
        return not_checked(str(error), remedy=error.hint)
    except OpenEnvError as error:
        return failed(str(error), remedy=getattr(error, "hint", None))


def _cut(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Keep lines readable, whatever a server put into them: what a terminal would obey is shown as a code."""
    parts = (part for line in lines for part in line.splitlines() if part.strip())
    shown = ("".join(c if c.isprintable() else repr(c)[1:-1] for c in part) for part in parts)
    return tuple(line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}..." for line in shown)
