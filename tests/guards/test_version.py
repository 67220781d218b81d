"""One version, said in three places, and it is this checkout's that is installed."""

import re
import tomllib
from importlib.metadata import version

import openenv
from tests.guards.sources import PACKAGE, ROOT


def declared() -> str:
    value = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert isinstance(value, str)
    return value


def test_the_installed_version_is_the_declared_one() -> None:
    assert version("openenv-runtime") == declared(), "run: rm .venv/ready && make test"


def test_the_newest_changelog_heading_is_the_declared_version() -> None:
    heading = re.search(r"^## (\S+) - (unreleased|\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == declared()


def test_the_installed_package_is_this_checkout() -> None:
    assert [str(PACKAGE)] == list(openenv.__path__), "run: make clean && make test"
