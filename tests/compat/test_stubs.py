"""The stubs that type checkers read say what the table says. mypy reads them, and so checks the names."""

from openenv.compat.stubs import stubs
from tests.guards.sources import PACKAGE


def test_the_stubs_in_the_package_are_those_of_the_table() -> None:
    folder = PACKAGE / "core"
    written = {str(path.relative_to(PACKAGE.parent)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert written == stubs(), "run scripts/stubs"


def test_a_stub_re_exports_a_name_under_its_own() -> None:
    text = stubs()["openenv/core/env_server/exceptions.pyi"]
    assert "from openenv.errors import AtCapacity as SessionCapacityError\n" in text


def test_there_is_no_code_at_the_paths_that_could_be_found_instead() -> None:
    assert not [path for path in (PACKAGE / "core").rglob("*") if path.suffix == ".py"]
