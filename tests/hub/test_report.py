"""What a check finds becomes a result, results a report, and a report JSON of a shape that is promised."""

import pytest

from openenv.errors import OpenEnvError
from openenv.hub.report import CannotTell, Check, Outcome, Report, Status, failed, not_checked, passed, run


def check(
    name: str, outcome: Outcome | Exception, *, needs: tuple[str, ...] = (), is_required: bool = True
) -> Check[None]:
    def made(subject: None) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Check(id=name, title=f"About {name}", run=made, needs=needs, is_required=is_required)


def report(*checks: Check[None]) -> Report:
    return Report("it", run(checks, None))


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([], "pass"),
        ([passed()], "pass"),
        ([passed(), not_checked()], "incomplete"),
        ([not_checked(), failed()], "fail"),
    ],
)
def test_verdict_is_that_of_the_worst(outcomes: list[Outcome], verdict: str) -> None:
    assert report(*(check(str(n), outcome) for n, outcome in enumerate(outcomes))).verdict == verdict


def test_what_only_informs_does_not_count() -> None:
    found = report(check("a", failed(), is_required=False), check("b", not_checked(), is_required=False))
    assert (found.verdict, found.failures, found.unchecked) == ("pass", (), ())


def test_errors_in_a_check_are_its_failure_and_mistakes_of_ours_are_not() -> None:
    found = report(check("a", OpenEnvError("no")), check("b", CannotTell("who knows", hint="ask")))
    assert [(r.status, r.outcome.evidence, r.outcome.remedy) for r in found.results] == [
        (Status.FAIL, ("no",), None),
        (Status.NOT_CHECKED, ("who knows",), "ask"),
    ]
    with pytest.raises(ZeroDivisionError):
        report(check("a", ZeroDivisionError()))


@pytest.mark.parametrize("outcome", [failed(), not_checked()])
def test_a_check_is_not_made_without_what_it_needs(outcome: Outcome) -> None:
    found = report(check("a", outcome), check("b", passed(), needs=("a",)), check("c", passed(), needs=("nowhere",)))
    assert [r.outcome.evidence for r in found.results[1:]] == [("a did not pass",), ("nowhere did not pass",)]
    assert {r.status for r in found.results[1:]} == {Status.NOT_CHECKED}


def test_earlier_results_count_as_made() -> None:
    before = run([check("a", passed())], None)
    (result,) = run([check("b", passed(), needs=("a",))], None, before=before)
    assert result.status is Status.PASS


def test_an_obstacle_ends_the_making_and_every_result_is_told() -> None:
    told: list[str] = []
    obstacles = iter([None, "it is gone"])
    checks = [check("a", passed()), check("b", passed())]
    results = run(checks, None, on_result=lambda result: told.append(result.id), obstacle=lambda: next(obstacles))
    assert told == ["a", "b"]
    assert results[1].outcome.evidence == ("it is gone",)


def test_evidence_is_lines_that_a_terminal_may_show() -> None:
    outcome = failed("one\ntwo\x1b[31m", "x" * 1000)
    assert outcome.evidence[:2] == ("one", "two\\x1b[31m")
    assert len(outcome.evidence[2]) == 503


def test_the_shape_of_the_json_report() -> None:
    shown = report(check("a", failed("seen", remedy="mend it"), is_required=False)).to_json()
    (made,) = shown["checks"]
    assert isinstance(made.pop("duration_s"), float)
    assert shown == {
        "report_version": 1,
        "target": "it",
        "checks": [
            {
                "id": "a",
                "title": "About a",
                "status": "fail",
                "required": False,
                "evidence": ["seen"],
                "remedy": "mend it",
            }
        ],
        "verdict": "pass",
    }
