"""The suite as it is called: on a folder, on a server, in an author's own tests."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.hub.report import Report, Result, Status
from openenv.testing import check_environment, check_folder, check_image
from openenv.types import Observation
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.folders import environment_folder
from tests.testing import bad


def by_id(report: Report) -> dict[str, Result]:
    return {result.id: result for result in report.results}


def test_an_environment_that_keeps_the_rules_says_nothing() -> None:
    check_environment(EchoEnvironment, EchoAction)
    check_environment(lambda: EchoEnvironment(), EchoAction)
    check_environment(EchoEnvironment(), EchoAction, actions=[{"message": "hi"}])


def test_what_is_wrong_is_listed_with_its_evidence_and_remedy() -> None:
    with pytest.raises(AssertionError) as raised:
        check_environment(bad.Random, EchoAction)
    said = str(raised.value).splitlines()
    assert said[0] == "seed.deterministic fail: The same seed, the same episode"
    assert said[1].startswith("    step 1: reward is ")
    assert said[2] == "    remedy: draw all chance from a generator that reset(seed=...) seeds"
    assert len(said) == 3


def test_what_cannot_be_told_is_no_silent_success() -> None:
    with pytest.raises(AssertionError, match=r"session\.step not checked"):
        check_environment(bad.Unwilling, EchoAction)


def test_an_environment_that_cannot_be_built_says_why() -> None:
    def build() -> EchoEnvironment:
        raise OSError("no such board")

    with pytest.raises(AssertionError, match="OSError: no such board"):
        check_environment(build, EchoAction)


class Untyped:
    """An environment that is derived from nothing and says nothing of its types."""

    def __init__(self) -> None:
        self._inner = EchoEnvironment()

    def reset(self, episode_id: str | None = None) -> EchoObservation:
        return self._inner.reset(episode_id=episode_id)

    def step(self, action: EchoAction) -> EchoObservation:
        return self._inner.step(action)

    @property
    def state(self) -> object:
        return self._inner.state


def test_the_observation_class_is_given_where_nothing_says_it() -> None:
    with pytest.raises(ConfigurationError, match="or give observation_class"):
        check_environment(Untyped, EchoAction)
    check_environment(Untyped, EchoAction, observation_class=EchoObservation)


class Asking(EchoEnvironment):
    """Observes something of its own at a reset."""

    def reset(self, *args: Any, **options: Any) -> Any:
        super().reset(*args, **options)
        return Question(prompt="Well?")


class Question(Observation):
    prompt: str


def test_a_reset_may_observe_something_of_its_own() -> None:
    with pytest.raises(AssertionError, match="reset: it has 'prompt'"):
        check_environment(Asking, EchoAction)
    check_environment(Asking, EchoAction, reset_observation_class=Question)


@pytest.mark.timeout(60)
def test_a_folder_is_checked_as_it_lies_and_as_it_is_served(tmp_path: Path) -> None:
    told: list[str] = []
    report = check_folder(environment_folder(tmp_path), on_result=lambda result: told.append(result.id))
    assert report.verdict == "pass", json.dumps(report.to_json(), indent=1)
    assert told == [result.id for result in report.results]
    assert {"static.lock", "server.start", "session.isolated", "server.alive"} <= set(told)


@pytest.mark.timeout(60)
def test_a_folder_whose_app_does_not_import_says_why(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    path = folder / "server" / "app.py"
    path.write_text(
        path.read_text().replace("app = create_app(", "raise RuntimeError('no such board')\napp = create_app(")
    )
    start = by_id(check_folder(folder))["server.start"]
    assert start.status is Status.FAIL
    assert "RuntimeError: no such board" in start.outcome.evidence


def test_an_image_that_is_not_there_is_one_failure() -> None:
    """Whether there is no such image or no engine: either way nothing was started, and nothing is asked."""
    report = check_image("openenv-validate-no-such-image:latest", pull="never")
    assert [result.id for result in report.failures] == [result.id for result in report.results] == ["server.start"]
    assert report.target == "openenv-validate-no-such-image:latest"


def test_a_folder_without_an_app_is_not_started(tmp_path: Path) -> None:
    report = check_folder(tmp_path)
    assert by_id(report)["server.start"].outcome.evidence == ("static.manifest did not pass",)
    assert "server.health" not in by_id(report)
    assert report.verdict == "fail"


@pytest.mark.timeout(60)
def test_a_server_that_dies_in_mid_check_is_told_once(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    path = folder / "server" / "my_env_environment.py"
    dying = "import os; print('out of luck', flush=True); os.kill(os.getpid(), 9)"
    path.write_text(
        path.read_text().replace("length = len(action.message)", f"{dying}\n        length = len(action.message)")
    )
    report = by_id(check_folder(folder))
    assert report["session.step"].status is Status.FAIL
    assert "the server closed the connection (1006" in report["session.step"].outcome.evidence[0]
    assert report["server.alive"].status is Status.FAIL
    assert report["server.alive"].outcome.evidence[0] == "the server has died: it was killed by SIGKILL"
    assert "out of luck" in report["server.alive"].outcome.evidence


@pytest.mark.timeout(60)
def test_an_interrupted_check_leaves_no_server(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    started = threading.Event()

    def interrupt(result: Result) -> None:
        if result.id == "session.reset":
            started.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_folder(folder, on_result=interrupt)
    assert started.is_set()
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if f"serve {folder}" in line and sys.executable in line]
