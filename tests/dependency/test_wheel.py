"""`openenv.dependency.wheel`: how an environment gets the runtime that made it."""

import io
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from openenv.dependency.wheel import (
    DISTRIBUTION,
    Dependency,
    Wheel,
    build_wheel,
    installed_dependency,
    is_released,
    package_files,
    runs_released,
)
from openenv.errors import ScaffoldError

METADATA = "Metadata-Version: 2.1\nName: openenv-runtime\nVersion: 0.0.7.dev0\n"
ENTRY_POINTS = "[console_scripts]\nanswer = answering:main\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    package = tmp_path / "source/answering"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("def main():\n    print(42)\n")
    (package / "data/.hidden").parent.mkdir()
    (package / "data/.hidden").write_bytes(b"\x00")
    (package / "__pycache__/x.pyc").touch()
    (package / "old.pyc").touch()
    return build_wheel("0.0.7.dev0", package_files(package), {"METADATA": METADATA, "entry_points.txt": ENTRY_POINTS})


@pytest.mark.parametrize(
    ("installed", "direct_url", "released"),
    [
        ("1.2.3", None, True),
        ("1.2.3rc1", None, True),
        ("1.2.3.dev0", None, False),
        ("1.2.3+local", None, False),
        ("1.2.3", '{"url": "file:///somewhere"}', False),
    ],
)
def test_released_is_a_proper_version_installed_by_name(installed: str, direct_url: str | None, released: bool) -> None:
    assert is_released(installed, direct_url) is released


def test_whether_the_runtime_is_released_is_said_of_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installed(tmp_path, "1.2.3")
    monkeypatch.syspath_prepend(tmp_path)
    assert runs_released("some-runtime")
    assert not runs_released("not-installed-at-all")


def test_requirement_names_no_local_version() -> None:
    assert Dependency("1.2.3+local").requirement == "openenv-runtime[fast]>=1.2.3"
    assert Dependency("1.2.3.dev0").requirement == "openenv-runtime[fast]>=1.2.3.dev0"


def test_pip_is_told_of_the_wheel_only_where_there_is_one(wheel: Wheel) -> None:
    assert Dependency("1").pip_install == ("pip", "install", "-e", ".")
    assert Dependency("1", wheel).pip_install == ("pip", "install", "--find-links", "wheels", "-e", ".")


def test_wheel_holds_the_package_without_what_was_compiled(wheel: Wheel) -> None:
    assert wheel.filename == "openenv_runtime-0.0.7.dev0-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        assert archive.namelist() == [
            "answering/__init__.py",
            "answering/data/.hidden",
            "openenv_runtime-0.0.7.dev0.dist-info/METADATA",
            "openenv_runtime-0.0.7.dev0.dist-info/WHEEL",
            "openenv_runtime-0.0.7.dev0.dist-info/entry_points.txt",
            "openenv_runtime-0.0.7.dev0.dist-info/RECORD",
        ]


def test_same_input_gives_the_same_bytes() -> None:
    first = build_wheel("1", {"a.py": b"a", "b.py": b"b"}, {"METADATA": METADATA})
    assert first == build_wheel("1", {"b.py": b"b", "a.py": b"a"}, {"METADATA": METADATA})


def _install_with_pip(wheel: Path, into: Path) -> list[str]:
    return [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", str(into), str(wheel)]


def _install_with_uv(wheel: Path, into: Path) -> list[str]:
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--offline", "--no-deps"]
    return [*uv, "--python", sys.executable, "--target", str(into), str(wheel)]


@pytest.mark.parametrize("install", [_install_with_pip, _install_with_uv])
def test_wheel_installs_and_its_command_runs(install: object, wheel: Wheel, tmp_path: Path) -> None:
    path = tmp_path / wheel.filename
    path.write_bytes(wheel.content)
    assert callable(install)
    subprocess.run(install(path, tmp_path / "site"), check=True, capture_output=True)
    command = [sys.executable, str(tmp_path / "site/bin/answer")]
    ran = subprocess.run(
        command, env={"PYTHONPATH": str(tmp_path / "site")}, check=True, capture_output=True, text=True
    )
    assert ran.stdout == "42\n"


def test_wheel_of_this_runtime_has_the_template_and_the_command() -> None:
    dependency = installed_dependency()
    assert dependency.version == version(DISTRIBUTION)
    if dependency.wheel is None:
        pytest.skip("this runtime was installed from an index")
    info = f"openenv_runtime-{dependency.version}.dist-info"
    with zipfile.ZipFile(io.BytesIO(dependency.wheel.content)) as archive:
        assert archive.testzip() is None
        assert {
            "openenv/__init__.py",
            "openenv/core/__init__.pyi",
            "openenv/py.typed",
            "openenv_core/__init__.py",
            "openenv/scaffold/template/.dockerignore",
            "openenv/scaffold/template/server/__ENV_NAME___environment.py",
            f"{info}/licenses/LICENSE",
        } <= set(archive.namelist())
        assert not [name for name in archive.namelist() if "__pycache__" in name]
        assert archive.read(f"{info}/METADATA").decode().splitlines()[1] == "Name: openenv-runtime"
        assert b"openenv = openenv.cli.__main__:main" in archive.read(f"{info}/entry_points.txt")


def test_released_runtime_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(tmp_path, "1.2.3")
    monkeypatch.syspath_prepend(tmp_path)
    assert installed_dependency("some-runtime") == Dependency("1.2.3")


def test_metadata_that_was_not_installed_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(tmp_path, "1.2.3.dev0")
    monkeypatch.syspath_prepend(tmp_path)
    dependency = installed_dependency("some-runtime", package=tmp_path)
    assert dependency.wheel
    with zipfile.ZipFile(io.BytesIO(dependency.wheel.content)) as archive:
        info = [name.rpartition("/")[2] for name in archive.namelist() if name.startswith("openenv_runtime-")]
        assert info == ["METADATA", "WHEEL", "RECORD"]


def test_runtime_that_was_never_installed_is_a_failure_with_advice() -> None:
    with pytest.raises(ScaffoldError, match="without being installed") as failed:
        installed_dependency("no-such-distribution")
    assert failed.value.exit_code == 1
    assert failed.value.hint


def _installed(folder: Path, version: str) -> None:
    info = folder / f"some_runtime-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: some-runtime\nVersion: {version}\nLicense-File: LICENSE\n"
    )
