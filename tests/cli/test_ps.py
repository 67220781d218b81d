"""`openenv ps`: the table, and what is in it."""

from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from openenv.cli.ps import age, rows, table
from openenv.engine import docker
from openenv.runtimes.containers import Container
from openenv.runtimes.owner import Owner
from tests.support.engine import BASE_IMAGE, require_engine

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ME = Owner.me()
GONE = Owner(ME.pid, "another boot 1", ME.host)
ELSEWHERE = Owner(1, "then", "elsewhere")


def test_no_engine_ends_with_1_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nothing.sock")
    ran = CliRunner().invoke(app, ["ps"])
    assert ran.exit_code == 1
    assert ran.stdout == ""
    assert "error: the Docker engine does not answer" in ran.stderr
    assert "\nhint: " in ran.stderr


def test_every_container_of_ours_is_a_row() -> None:
    require_engine()
    name = "openenv-test-ps"
    labels = ["--label", "openenv.run=a_test", "--label", f"openenv.owner={ME}"]
    docker(["create", "--name", name, *labels, BASE_IMAGE])
    try:
        ran = CliRunner().invoke(app, ["ps"])
    finally:
        docker(["rm", name])
    assert ran.exit_code == 0
    head, *lines = ran.stdout.splitlines()
    assert head.split() == ["NAME", "IMAGE", "STATUS", "URL", "OWNER", "AGE"]
    (line,) = [line for line in lines if line.startswith(f"{name} ")]
    assert line.split()[:6] == [name, BASE_IMAGE, "created", "-", "pid", str(ME.pid)]


def test_a_row_says_whether_its_owner_is_there() -> None:
    for owner, said in ((ME, f"pid {ME.pid}"), (GONE, "gone"), (ELSEWHERE, "elsewhere"), (None, "unknown")):
        one = Container("id", "a", "b", "running", "http://127.0.0.1:1", owner, NOW - timedelta(minutes=5))
        assert rows([one], now=NOW) == [("a", "b", "running", "http://127.0.0.1:1", said, "5 min")]


def test_columns_are_as_wide_as_they_need() -> None:
    assert table([("A", "BB"), ("ccc", "")]) == "A     BB\nccc"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (86400, "1 d"), (1e7, "115 d")],
)
def test_an_age_has_one_unit(seconds: float, said: str) -> None:
    assert age(seconds) == said
