"""Runtimes by name."""

import sys
from pathlib import Path
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.runtimes import ProcessRuntime, Runtime, runtime
from openenv.runtimes.registry import OURS, runtime_class

THEIRS = """
from openenv.runtimes import ProcessRuntime

class Theirs(ProcessRuntime):
    pass

class Broken(ProcessRuntime):
    def __init__(self):
        len(1)

no_runtime = dict
"""
ENTRY_POINTS = """
[openenv.runtimes]
theirs = their_runtimes:Theirs
broken = their_runtimes:Broken
nothing = their_runtimes:no_runtime
process = their_runtimes:Theirs
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution, installed, that brings runtimes."""
    (tmp_path / "their_runtimes.py").write_text(THEIRS)
    (info := tmp_path / "theirs-1.0.dist-info").mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_runtimes", raising=False)


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_are_found(name: str) -> None:
    assert issubclass(runtime_class(name), Runtime)


def test_an_unknown_name_lists_those_there_are(theirs: None) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no runtime 'podman'; there are: .*docker.*process.*theirs"):
        runtime("podman")


@pytest.mark.parametrize("options", [{"wait_timeout": 3}, {"folder": "twice"}])
def test_an_option_that_it_does_not_take_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"the runtime 'process' does not take .*{next(iter(options))}"):
        runtime("process", "my_env", **options)


def test_runtimes_of_other_packages_are_found(theirs: None) -> None:
    assert type(runtime("theirs", "my_env")).__name__ == "Theirs"


def test_ours_go_before_those_of_other_packages(theirs: None) -> None:
    assert runtime_class("process") is ProcessRuntime


def test_what_is_no_runtime_is_refused(theirs: None) -> None:
    with pytest.raises(ConfigurationError, match="their_runtimes:no_runtime is no subclass of Runtime"):
        runtime("nothing")


def test_a_mistake_inside_a_runtime_is_not_taken_for_a_wrong_option(theirs: None) -> None:
    with pytest.raises(TypeError, match="has no len"):
        runtime("broken")
