"""`openenv.scaffold.create`: the steps from a name to a folder."""

import os
from pathlib import Path

import pytest

from openenv.dependency.wheel import Dependency, installed_dependency
from openenv.errors import ScaffoldError
from openenv.scaffold import create

RELEASED = Dependency("1.2.3")


def _lock(folder: Path) -> None:
    assert (folder / "pyproject.toml").is_file()
    (folder / "uv.lock").touch()


def test_folder_is_named_after_the_package_and_listed_whole(tmp_path: Path) -> None:
    created = create("MyEnv", tmp_path / "envs", installed=(), dependency=RELEASED, lock=_lock)
    assert created.folder == tmp_path / "envs/my_env"
    assert created.lock_problem is None
    on_disk = {path.relative_to(created.folder).as_posix() for path in created.folder.rglob("*") if path.is_file()}
    assert set(created.files) == on_disk
    assert "uv.lock" in created.files


def test_missing_lock_is_reported_and_no_error(tmp_path: Path) -> None:
    created = create("my_env", tmp_path, installed=(), dependency=RELEASED, lock=lambda _: "no index")
    assert created.lock_problem == "no index"
    assert "uv.lock" not in created.files


def test_lock_is_made_before_the_folder_appears(tmp_path: Path) -> None:
    def lock(folder: Path) -> None:
        assert folder.name == "my_env"
        assert not (tmp_path / "my_env").exists()

    create("my_env", tmp_path, installed=(), dependency=RELEASED, lock=lock)


def test_nothing_is_left_when_the_lock_is_interrupted(tmp_path: Path) -> None:
    def lock(_: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create("my_env", tmp_path / "envs", installed=(), dependency=RELEASED, lock=lock)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["pytest", "class", "a/b"])
def test_refused_name_writes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError):
        create(name, tmp_path / "envs", lock=_lock)
    assert os.listdir(tmp_path) == []


def test_installed_runtime_is_what_it_depends_on(tmp_path: Path) -> None:
    created = create("my_env", tmp_path, lock=_lock)
    assert created.dependency == installed_dependency()
    carried = [name for name in created.files if name.startswith("wheels/")]
    assert carried == ([f"wheels/{created.dependency.wheel.filename}"] if created.dependency.wheel else [])
