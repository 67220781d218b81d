"""`openenv.scaffold.lock`: `uv.lock`, or the reason why there is none."""

import os
import sys
import types
import zipfile
from pathlib import Path

import pytest

from openenv.dependency.wheel import build_wheel
from openenv.scaffold.lock import fetch_uv, find_uv, lock, lock_with

PROJECT = '[project]\nname = "locked"\nversion = "1"\nrequires-python = ">=3.11"\n'
LOCKS = 'test "$1" = lock && echo "locked by $0" > uv.lock || echo uv 1.0'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "environment"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    return folder


def _program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def _unreachable(_: Path) -> str | None:
    raise AssertionError("uv was there, and yet it was fetched")


def test_real_uv_locks_offline_and_leaves_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert lock(folder, fetch=_unreachable) is None
    assert sorted(os.listdir(folder)) == ["pyproject.toml", "uv.lock"]


def test_path_of_a_wheel_stays_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = "Metadata-Version: 2.1\nName: openenv-runtime\nVersion: 1.dev0\n"
    wheel = build_wheel("1.dev0", {"nothing.py": b""}, {"METADATA": metadata})
    (folder / "wheels").mkdir()
    (folder / "wheels" / wheel.filename).write_bytes(wheel.content)
    (folder / "pyproject.toml").write_text(
        f'{PROJECT}dependencies = ["openenv-runtime>=1.dev0"]\n'
        f'[tool.uv.sources]\nopenenv-runtime = {{ path = "wheels/{wheel.filename}" }}\n'
    )
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert lock(folder) is None
    locked = (folder / "uv.lock").read_text()
    assert f'source = {{ path = "wheels/{wheel.filename}" }}' in locked
    assert str(folder) not in locked


def test_reason_of_a_failure_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pyproject.toml").write_text(PROJECT + 'dependencies = ["no-such-distribution"]\n')
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    reason = lock(folder)
    assert reason
    assert "\n" not in reason
    assert os.listdir(folder) == ["pyproject.toml"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo noise >&2; echo 'error: no index' >&2; echo more >&2; exit 2", "error: no index"),
        ("echo ' × no solution' >&2; exit 1", "× no solution"),
        ("echo first >&2; echo last >&2; exit 1", "last"),
        ("exit 3", "it ended with code 3"),
        ("exit 0", "uv ended without an error and without a lock"),
    ],
)
def test_what_uv_says_becomes_the_reason(script: str, reason: str, folder: Path) -> None:
    assert lock_with(_program(folder / "uv", script), folder) == reason


def test_uv_that_takes_too_long_is_ended(folder: Path) -> None:
    uv = _program(folder / "uv", "while :; do :; done")
    assert lock_with(uv, folder, limit_s=0.1) == "it took longer than 0.1 seconds"


def test_uv_that_cannot_run_is_a_reason(folder: Path) -> None:
    assert lock_with(str(folder / "missing"), folder) == f"{folder / 'missing'} does not run: No such file or directory"


def test_uv_is_fetched_for_one_run_when_there_is_none(folder: Path) -> None:
    places = []

    def fetch(into: Path) -> str:
        places.append(into)
        return _program(into / "bin/uv", LOCKS)

    assert lock(folder, find=lambda: None, fetch=fetch) is None
    assert (folder / "uv.lock").exists()
    assert not places[0].exists()


def test_neither_uv_nor_index_is_a_reason(folder: Path) -> None:
    reason = lock(folder, find=lambda: None, fetch=lambda _: None)
    assert reason == "uv is not installed, and pip could not fetch it"


def test_pip_fetches_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / "uv-9.9-py3-none-any.whl", "w") as archive:
        program = zipfile.ZipInfo("uv-9.9.data/scripts/uv")
        program.external_attr = 0o100755 << 16  # a program that may be run
        archive.writestr(program, "#!python\nprint('uv 9.9')\n")
        archive.writestr("uv-9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 9.9\n")
        archive.writestr("uv-9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("uv-9.9.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    assert fetch_uv(tmp_path) == str(tmp_path / "bin/uv")


def test_no_uv_is_fetched_without_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert fetch_uv(tmp_path) is None


class TestFindUv:
    @pytest.fixture(autouse=True)
    def _nowhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/usr/bin:/bin:" + str(tmp_path / "path"))
        monkeypatch.setattr(sys, "executable", str(tmp_path / "beside/python"))
        monkeypatch.setitem(sys.modules, "uv", None)

    def test_nothing_is_found_where_there_is_none(self) -> None:
        assert find_uv() is None

    def test_search_path_comes_first(self, tmp_path: Path) -> None:
        _program(tmp_path / "beside/uv", LOCKS)
        assert find_uv() == str(tmp_path / "beside/uv")
        _program(tmp_path / "path/uv", LOCKS)
        assert find_uv() == str(tmp_path / "path/uv")

    def test_uv_that_does_not_run_is_passed_over(self, tmp_path: Path) -> None:
        _program(tmp_path / "path/uv", "exit 127")
        assert find_uv() is None
        _program(tmp_path / "beside/uv", LOCKS)
        assert find_uv() == str(tmp_path / "beside/uv")

    def test_package_is_asked_last(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = types.ModuleType("uv")
        found = _program(tmp_path / "elsewhere/uv", LOCKS)
        package.__dict__["find_uv_bin"] = lambda: found
        monkeypatch.setitem(sys.modules, "uv", package)
        assert find_uv() == found

    def test_package_without_its_program_is_no_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def find_uv_bin() -> str:
            raise FileNotFoundError("uv")

        package = types.ModuleType("uv")
        package.__dict__["find_uv_bin"] = find_uv_bin
        monkeypatch.setitem(sys.modules, "uv", package)
        assert find_uv() is None
