"""`openenv.scaffold.taken`: what can be imported here already."""

import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from openenv.scaffold.taken import InstalledNames


def test_every_installed_package_counts() -> None:
    packages = [name.lower() for name in packages_distributions() if name.isidentifier()]
    assert packages
    assert [name for name in packages if name not in InstalledNames()] == []


def test_unknown_names_and_other_things_do_not_count() -> None:
    assert "no_such_package_anywhere" not in InstalledNames()
    assert 3 not in InstalledNames()


@pytest.mark.parametrize(
    ("entry", "counts"),
    [
        ("thing/", True),
        ("Thing/", True),
        ("thing.py", True),
        ("thing.cpython-311-x86_64-linux-gnu.so", True),
        ("thing", False),
        ("thing.txt", False),
        ("thing-1.0.dist-info/", False),
    ],
)
def test_modules_of_a_search_folder_count_and_programs_do_not(
    entry: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path / entry, is_folder=entry.endswith("/"))
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing")])
    assert ("thing" in InstalledNames()) is counts


@pytest.mark.parametrize("spelling", ["", ".", "absolute"])
def test_working_directory_does_not_count(spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thing").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path) if spelling == "absolute" else spelling])
    assert "thing" not in InstalledNames()


def test_packages_only_a_finder_knows_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class EditableFinder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return ModuleSpec(name, None, origin=str(tmp_path / "thing.py")) if name == "thing" else None

    monkeypatch.setattr(sys, "meta_path", [EditableFinder()])
    assert "thing" in InstalledNames()


def test_module_that_says_nothing_of_itself_does_not_break_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    half_made = type(sys)("thing")
    half_made.__spec__ = None
    monkeypatch.setitem(sys.modules, "thing", half_made)
    assert "thing" not in InstalledNames()


def _put(path: Path, *, is_folder: bool) -> None:
    if is_folder:
        path.mkdir()
    else:
        path.touch()
