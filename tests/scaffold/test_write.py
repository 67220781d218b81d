"""`openenv.scaffold.write`: all of a tree, or none of it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from openenv.errors import ScaffoldError
from openenv.scaffold.write import staged, write_files


def _write(target: Path, then: Callable[[], None] = lambda: None) -> None:
    with staged(target) as staging:
        write_files(staging, {"a.txt": "ä", "deep/er/b.bin": b"\x00"})
        then()


def test_tree_is_written_whole(tmp_path: Path) -> None:
    _write(tmp_path / "new")
    assert (tmp_path / "new/a.txt").read_text(encoding="utf-8") == "ä"
    assert (tmp_path / "new/deep/er/b.bin").read_bytes() == b"\x00"
    assert os.listdir(tmp_path) == ["new"]


def test_target_appears_only_when_all_is_done(tmp_path: Path) -> None:
    with staged(tmp_path / "new") as staging:
        assert staging.name == "new"
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new").is_dir()


def test_folder_has_ordinary_permissions(tmp_path: Path) -> None:
    _write(tmp_path / "new")
    (tmp_path / "ordinary").mkdir()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    _write(tmp_path / "new")
    assert (tmp_path / "new/a.txt").exists()


def test_link_to_an_empty_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    _write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/a.txt").exists()


def test_missing_parents_are_made(tmp_path: Path) -> None:
    _write(tmp_path / "one/two/new")
    assert (tmp_path / "one/two/new/a.txt").exists()


def test_folder_with_something_in_it_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new/mine.txt").write_text("mine")
    with pytest.raises(ScaffoldError, match="is not empty") as refused:
        _write(tmp_path / "new")
    assert refused.value.exit_code == 2
    assert os.listdir(tmp_path / "new") == ["mine.txt"]


def test_file_in_the_place_of_the_folder_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("mine")
    with pytest.raises(ScaffoldError, match="is a file") as refused:
        _write(tmp_path / "new")
    assert refused.value.exit_code == 2
    assert (tmp_path / "new").read_text() == "mine"


def test_parent_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ScaffoldError, match="nothing can be written at") as refused:
        _write(tmp_path / "file/new")
    assert refused.value.exit_code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_parent_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o555)
    with pytest.raises(ScaffoldError, match="nothing can be written at") as refused:
        _write(tmp_path / "theirs/new")
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("failure", [RuntimeError("broken"), KeyboardInterrupt()])
def test_nothing_is_left_when_writing_fails(failure: BaseException, tmp_path: Path) -> None:
    def fail() -> None:
        raise failure

    with pytest.raises(type(failure)):
        _write(tmp_path / "one/two/new", fail)
    assert os.listdir(tmp_path) == []


def test_empty_folder_outlives_a_failure(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(KeyboardInterrupt), staged(tmp_path / "new"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["new"]


def test_full_disk_is_a_failure_and_no_misuse(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="No space left") as failed, staged(tmp_path / "new"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert failed.value.exit_code == 1
    assert os.listdir(tmp_path) == []


def test_what_others_put_into_a_new_parent_is_kept(tmp_path: Path) -> None:
    def put_and_interrupt() -> None:
        (tmp_path / "one/theirs.txt").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path / "one/new", put_and_interrupt)
    assert os.listdir(tmp_path / "one") == ["theirs.txt"]


def test_target_that_was_filled_meanwhile_is_kept(tmp_path: Path) -> None:
    def fill() -> None:
        write_files(tmp_path / "new", {"theirs.txt": ""})

    with pytest.raises(ScaffoldError, match="nothing can be written at"):
        _write(tmp_path / "new", fill)
    assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(tmp_path / "new") == ["theirs.txt"]
