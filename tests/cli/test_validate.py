"""`openenv validate`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openenv import create_app
from openenv.cli.app import app
from openenv.cli.validate import lines
from openenv.hub.report import Outcome, Result, failed, not_checked, passed
from openenv.server import ServerConfig
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.folders import environment_folder
from tests.support.serving import serving
from tests.testing import bad


def result(outcome: Outcome, *, is_required: bool = True) -> Result:
    return Result(id="a.b", title="A rule", outcome=outcome, is_required=is_required, duration_s=1)


@pytest.mark.parametrize(
    ("outcome", "is_required", "shown"),
    [
        (passed("seen"), True, ["pass  a.b                   A rule"]),
        (
            failed("seen", "too", remedy="mend it"),
            True,
            ["FAIL  a.b                   A rule", "      seen", "      too", "      hint: mend it"],
        ),
        (failed("seen"), False, ["note  a.b                   A rule", "      seen"]),
        (not_checked("why"), True, ["????  a.b                   A rule: why"]),
        (not_checked("why"), False, ["note  a.b                   A rule: why"]),
    ],
)
def test_a_result_can_be_read_without_colour(outcome: Outcome, is_required: bool, shown: list[str]) -> None:
    assert lines(result(outcome, is_required=is_required)) == shown


@pytest.mark.timeout(60)
def test_a_scaffold_passes_and_ends_with_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(environment_folder(tmp_path))
    ran = CliRunner().invoke(app, ["validate"])
    assert ran.exit_code == 0, ran.output
    assert ran.stderr == ""
    assert ran.stdout.splitlines()[-1] == f"{tmp_path / 'my_env'}: pass (29 passed)"
    assert "FAIL" not in ran.stdout


def test_a_failure_is_shown_with_its_remedy_and_ends_with_1(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    (folder / "uv.lock").unlink()
    ran = CliRunner().invoke(app, ["validate", str(folder), "--level", "static"])
    assert ran.exit_code == 1
    shown = [
        "FAIL  static.lock           uv.lock matches pyproject.toml",
        "      uv.lock is missing",
        "      hint: run `uv lock` in the folder",
    ]
    assert "\n".join(shown) in ran.stdout
    assert ran.stdout.splitlines()[-1] == f"{folder}: fail (7 passed, 1 failed)"


def test_what_could_not_be_checked_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = environment_folder(tmp_path)
    monkeypatch.setattr("openenv.hub.checks._find_uv", lambda: None)
    ran = CliRunner().invoke(app, ["validate", str(folder), "--level", "static"])
    assert ran.exit_code == 1
    assert ran.stdout.splitlines()[-1] == f"{folder}: incomplete (7 passed, 1 could not be made)"


def test_json_is_the_report_and_nothing_else() -> None:
    served = create_app(bad.NanReward, EchoAction, EchoObservation, config=ServerConfig(queue_s=0.5))
    with serving(served) as url:
        ran = CliRunner().invoke(app, ["validate", "--url", url, "--json", "--timeout", "2"])
    assert ran.exit_code == 1
    report = json.loads(ran.stdout)
    assert (report["report_version"], report["target"], report["verdict"]) == (1, url, "fail")
    assert {check["id"] for check in report["checks"] if check["status"] == "fail" and check["required"]} == {
        "session.step",
        "reward.finite",
    }


def test_a_token_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    served = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(queue_s=0.5, token="sesame"))
    monkeypatch.setenv("OPENENV_TOKEN", "sesame")
    with serving(served) as url:
        ran = CliRunner().invoke(app, ["validate", "--url", url])
    assert ran.exit_code == 0, ran.output
    assert "sesame" not in ran.output


def test_given_actions_are_tried(tmp_path: Path) -> None:
    given = tmp_path / "actions.json"
    given.write_text('[{"message": "mine"}]')
    served = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(queue_s=0.5))
    with serving(served) as url:
        ran = CliRunner().invoke(app, ["validate", "--url", url, "--actions", str(given), "--json"])
    (step,) = (check for check in json.loads(ran.stdout)["checks"] if check["id"] == "session.step")
    assert step["evidence"] == ["1 of 1 steps carried out"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "is no folder"),
        (["--url", "ftp://x"], "is no address of a server"),
        ([".", "--url", "http://localhost"], "validate them one at a time"),
        (["--url", "http://localhost", "--level", "static"], "is about a folder"),
        (["--level", "semantic"], "semantic"),
        (["--timeout", "0"], "timeout"),
        (["--actions", "nowhere.json"], "holds no actions"),
        (["--actions", "wrong.json"], "must hold a JSON array of objects"),
        (["--actions", "broken.json"], "holds no actions"),
    ],
)
def test_misuse_ends_with_2(arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.json").write_text('["hello"]')
    (tmp_path / "broken.json").write_text("[")
    ran = CliRunner().invoke(app, ["validate", *arguments])
    assert ran.exit_code == 2, ran.output
    assert reason in ran.stderr
    assert ran.stdout == ""
