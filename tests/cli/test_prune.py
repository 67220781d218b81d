"""`openenv prune`: takes the orphans away and names them."""

import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from openenv.engine import docker
from openenv.runtimes import containers
from openenv.runtimes.owner import Owner
from tests.support.engine import BASE_IMAGE, require_engine

GONE = Owner(Owner.me().pid, "another boot 1", Owner.me().host)


def test_the_orphans_are_removed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    require_engine()
    name = "openenv-test-prune"
    labels = ["--label", "openenv.run=a_test", "--label", f"openenv.owner={GONE}"]
    made = docker(["create", "--name", name, *labels, BASE_IMAGE])
    ours = [one for one in containers.list_containers() if one.id == made]
    monkeypatch.setattr(containers, "list_containers", lambda: ours)  # other tests have orphans too
    ran = CliRunner().invoke(app, ["prune"])
    assert (ran.exit_code, ran.stdout) == (0, f"{name}\n")
    assert containers.inspect([made]) == []


def test_nothing_to_prune_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    require_engine()
    monkeypatch.setattr(containers, "list_containers", list)
    ran = CliRunner().invoke(app, ["prune"])
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", "There is nothing to prune.\n")
