"""A scaffold passes every static check, and each way to spoil it is found by name; none of its code runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from openenv.dependency import runs_released
from openenv.errors import ConfigurationError
from openenv.hub.checks import CHECKS, static_checks
from openenv.hub.report import Result, Status
from tests.support.folders import catalogue_copy, environment_folder

Change = Callable[[Path], object]


def by_id(folder: Path, uv: Callable[[], str | None] | None = None) -> dict[str, Result]:
    return {result.id: result for result in static_checks(folder, uv=uv).results}


def replace(path: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new))

    return change


def append(path: str, text: str) -> Change:
    return lambda folder: (folder / path).write_text((folder / path).read_text() + text)


def remove(path: str) -> Change:
    return lambda folder: (folder / path).unlink()


def write(path: str, text: str) -> Change:
    return lambda folder: (folder / path).write_text(text)


def test_a_scaffold_passes_every_check_and_is_not_changed(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    told: list[str] = []
    report = static_checks(folder, on_result=lambda result: told.append(result.id))
    assert report.verdict == "pass", json.dumps(report.to_json(), indent=1)
    assert told == [check.id for check in CHECKS]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("change", "check", "evidence"),
    [
        (remove("openenv.yaml"), "static.manifest", "has no openenv.yaml"),
        (write("openenv.yaml", "port: 8000"), "static.manifest", "`name` is missing"),
        (remove("client.py"), "static.structure", "client.py is missing"),
        (remove("server/Dockerfile"), "static.structure", "server/Dockerfile or Dockerfile is missing"),
        (remove("server/__init__.py"), "static.structure", "server/__init__.py is missing"),
        (append("openenv.yaml", "\napp: server.main:app\n"), "static.app", "there is no server/main.py"),
        (replace("server/app.py", "app = create_app(", "application = create_app("), "static.app", "defines no app"),
        (append("server/app.py", "\ndef broken(:\n"), "static.app", "server/app.py:"),
        (
            append("client.py", "\nimport numpy\n"),
            "static.imports",
            "imports numpy, which no declared dependency brings",
        ),
        (append("client.py", "\nfrom .nowhere import x\n"), "static.imports", "the folder has no such file"),
        (append("client.py", "\nimport my_env.nowhere\n"), "static.imports", "the folder has no such file"),
        (append("models.py", "\nx = (\n"), "static.imports", "models.py:"),
        (
            replace("pyproject.toml", '"openenv-runtime[fast]>=0.1.0.dev0",', ""),
            "static.project",
            "no dependency brings openenv",
        ),
        (replace("pyproject.toml", 'requires-python = ">=3.11"', ""), "static.project", "has no requires-python"),
        (write("pyproject.toml", "= ="), "static.project", "is not TOML"),
        (write("pyproject.toml", "project = 5"), "static.project", "has no [project]"),
        (remove("pyproject.toml"), "static.project", "cannot be read"),
        (remove("uv.lock"), "static.lock", "uv.lock is missing"),
        (
            replace("pyproject.toml", '"openenv-runtime', '"pyyaml",\n    "openenv-runtime'),
            "static.lock",
            "does not match",
        ),
        (append("models.py", f"\nTOKEN = 'hf_{'a' * 34}'\n"), "static.secrets", ": a Hugging Face token"),
        (write("README.md", "# Nothing"), "static.readme", "has no front matter"),
        (replace("README.md", "sdk: docker", "sdk: gradio"), "static.readme", "sdk is 'gradio'"),
        (
            replace("README.md", "app_port: 8000", "app_port: 1"),
            "static.readme",
            "app_port is 1; openenv.yaml has port 8000",
        ),
        (replace("README.md", "  - openenv", "  - other"), "static.readme", "openenv must be among them"),
        (replace("README.md", "sdk: docker", "sdk: [docker"), "static.readme", "is not YAML"),
        (replace("README.md", "colorFrom: ", "colorFrom: dark"), "static.readme", "the Hub knows blue"),
    ],
)
def test_what_is_spoilt_is_found_by_name(change: Change, check: str, evidence: str, tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    change(folder)
    found = by_id(folder)[check]
    assert found.status is Status.FAIL, found
    assert any(evidence in line for line in found.outcome.evidence), found.outcome.evidence


@pytest.mark.parametrize(
    ("change", "check", "reason"),
    [
        (
            replace("server/app.py", "app = create_app(", "from x import *\nother = create_app("),
            "static.app",
            "star import",
        ),
        (
            lambda folder: (
                replace("pyproject.toml", '"openenv-runtime', '"no-such-thing",\n    "openenv-runtime')(folder),
                append("client.py", "\nimport numpy\n")(folder),
            ),
            "static.imports",
            "which no-such-thing may bring: not installed here",
        ),
        (
            lambda folder: (
                replace("pyproject.toml", "dependencies = [", "others = [")(folder),
                replace("pyproject.toml", 'version = "0.1.0"', 'version = "0.1.0"\ndynamic = ["dependencies"]')(folder),
            ),
            "static.project",
            "only a build can tell them",
        ),
    ],
)
def test_what_cannot_be_told_is_not_passed(change: Change, check: str, reason: str, tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    change(folder)
    found = by_id(folder)[check]
    assert found.status is Status.NOT_CHECKED, found
    assert any(reason in line for line in found.outcome.evidence), found.outcome.evidence


def _uv(folder: Path, script: str) -> Callable[[], str]:
    folder.mkdir()
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return lambda: str(program)


def test_a_lock_that_nobody_can_check_is_not_passed(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    programs: dict[str, Callable[[], str | None]] = {
        "uv is not installed": lambda: None,
        "does not run": lambda: str(tmp_path / "nowhere"),
        "could not tell: error: no index": _uv(tmp_path / "offline", "echo 'error: no index' >&2; exit 2"),
        "it said nothing": _uv(tmp_path / "mute", "exit 3"),
    }
    for reason, uv in programs.items():
        found = by_id(folder, uv)["static.lock"]
        assert found.status is Status.NOT_CHECKED
        assert reason in found.outcome.evidence[0]


def test_a_lock_that_could_not_name_an_unreleased_runtime_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = catalogue_copy("echo_env", tmp_path)
    found = by_id(folder)["static.lock"]
    assert found.status is (Status.FAIL if runs_released() else Status.NOT_CHECKED)
    monkeypatch.setattr("openenv.hub.checks.runs_released", lambda: True)
    assert by_id(folder)["static.lock"].outcome.evidence == ("uv.lock is missing",)
    monkeypatch.setattr("openenv.hub.checks.runs_released", lambda: False)
    assert "on no package index" in by_id(folder)["static.lock"].outcome.evidence[0]


def test_code_of_the_folder_does_not_run(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    for path in ("__init__.py", "models.py", "server/app.py"):
        append(path, f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")(folder)
    static_checks(folder)
    assert not (tmp_path / "ran").exists()


def test_an_environment_of_another_runtime_passes(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(
        text.replace("openenv-runtime[fast]>=0.1.0.dev0", "openenv-core[core]>=0.2.0")
    )
    found = by_id(folder, lambda: None)
    assert found["static.project"].status is Status.PASS
    assert found["static.imports"].status is Status.PASS


def test_secret_files_stay_here_and_are_named(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    (folder / ".dockerignore").unlink()
    (folder / ".env").write_text(f"TOKEN=hf_{'a' * 34}")
    found = by_id(folder)["static.secrets"]
    assert found.status is Status.PASS
    assert ".env would stay here" in found.outcome.evidence[0]


def test_what_tools_leave_is_not_looked_at(tmp_path: Path) -> None:
    folder = environment_folder(tmp_path)
    for name in (".venv", "env", "__pycache__"):
        (folder / name).mkdir()
        (folder / name / "broken.py").write_text("import (")
    (folder / "env" / "pyvenv.cfg").touch()
    os.symlink("/", folder / "everything")
    assert by_id(folder)["static.imports"].status is Status.PASS


def test_what_is_no_folder_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no folder"):
        static_checks(tmp_path / "nowhere")
