"""`openenv stop`: which containers it takes away."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from openenv.engine import docker
from openenv.runtimes import containers
from tests.support.engine import BASE_IMAGE, require_engine


@pytest.fixture
def container() -> Iterator[str]:
    """A container of ours that ignores the request to end."""
    require_engine()
    command = ["python3", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
    made = docker(["run", "--detach", "--init", "--label", "openenv.run=a_test", BASE_IMAGE, *command])
    yield made
    if containers.inspect([made]):
        docker(["rm", "--force", made])


@pytest.mark.parametrize("arguments", [[], ["--all", "a_name"]])
def test_what_to_stop_is_said_once(arguments: list[str]) -> None:
    ran = CliRunner().invoke(app, ["stop", *arguments])
    assert ran.exit_code == 2
    assert ran.stderr == "error: say which containers to stop: their names, or --all\n"


def test_a_name_that_is_none_of_ours_stops_nothing(container: str) -> None:
    ran = CliRunner().invoke(app, ["stop", container[:12], "no-such-container"])
    assert ran.exit_code == 2
    assert "there is no container 'no-such-container' of ours; `openenv ps` lists them" in ran.stderr
    assert containers.inspect([container])


def test_one_that_ignores_the_request_is_killed_after_its_grace(container: str) -> None:
    (name,) = [one.name for one in containers.list_containers() if one.id == container]
    ran = CliRunner().invoke(app, ["stop", "--grace", "1", name])
    assert (ran.exit_code, ran.stdout) == (0, f"{name}\n")
    assert containers.inspect([container]) == []


def test_nothing_to_stop_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "list_containers", list)
    ran = CliRunner().invoke(app, ["stop", "--all"])
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", "There is nothing to stop.\n")


def test_all_are_those_that_are_listed(container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = [one for one in containers.list_containers() if one.id == container]
    monkeypatch.setattr(containers, "list_containers", lambda: ours)  # other tests have containers too
    ran = CliRunner().invoke(app, ["stop", "--all", "--grace", "0"])
    assert (ran.exit_code, ran.stdout) == (0, f"{ours[0].name}\n")
    assert containers.inspect([container]) == []
