"""`openenv.server.readme`: which README is the environment's, and what of it is told."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv.env import EnvironmentMetadata
from openenv.server import ServerConfig
from openenv.server.readme import MAX_BYTES, read_readme
from tests.server.peers import http
from tests.server.stage import app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import serving


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """The class of an environment that lies as the scaffold lays it out."""
    package = tmp_path / "elsewhere" / "readme_env"
    (package / "server").mkdir(parents=True)
    for path, text in {
        "__init__.py": "",
        "openenv.yaml": "name: readme_env\n",
        "README.md": "---\ntitle: x\n---\n\n# Packaged\n",
        "server/__init__.py": "",
        "server/made.py": "from tests.support.echo import EchoEnvironment\nclass Made(EchoEnvironment): pass\n",
    }.items():
        (package / path).write_text(text)
    monkeypatch.syspath_prepend(str(package.parent))
    made: type = importlib.import_module("readme_env.server.made").Made
    yield made
    for name in [name for name in sys.modules if name.startswith("readme_env")]:
        del sys.modules[name]


def put(folder: Path, content: bytes | str, *, manifest: bool = True) -> None:
    if manifest:
        (folder / "openenv.yaml").write_text("name: here\n")
    (folder / "README.md").write_bytes(content if isinstance(content, bytes) else content.encode())


# ---- what cannot be read


@pytest.mark.parametrize("content", [b"# \xff\xfe", b"x" * (MAX_BYTES + 1)])
def test_readme_that_cannot_be_shown_is_none_and_logged(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder, content)
    assert read_readme(EchoEnvironment, None) is None
    (record,) = caplog.records
    assert str(folder / "README.md") in record.getMessage()


@pytest.mark.parametrize("given", ["nowhere.md", ".", "pipe"])
def test_given_path_that_is_no_file_is_none_and_logged(
    folder: Path, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(folder, "# Here\n")
    os.mkfifo(folder / "pipe")
    assert read_readme(EchoEnvironment, Path(given)) is None
    assert len(caplog.records) == 1


@pytest.mark.parametrize("manifest", [True, False])
def test_folder_that_is_no_environment_has_no_readme_of_one(folder: Path, manifest: bool) -> None:
    if not manifest:
        put(folder, "# Some project\n", manifest=False)
    assert read_readme(EchoEnvironment, None) is None


def test_class_of_no_module_has_none(folder: Path) -> None:
    assert read_readme(type("Loose", (), {"__module__": "no.such.module"}), None) is None


# ---- where it is


def test_readme_beside_the_manifest_of_the_package_is_the_one(folder: Path, packaged: type) -> None:
    put(folder, "# Here\n")
    assert read_readme(packaged, None) == "# Packaged\n"


def test_current_folder_comes_next(folder: Path, packaged: type) -> None:
    put(folder, "# Here\n")
    assert read_readme(EchoEnvironment, None) == read_readme(None, None) == "# Here\n"
    (folder / "elsewhere" / "readme_env" / "README.md").unlink()
    assert read_readme(packaged, None) == "# Here\n"


def test_given_path_goes_before_all(folder: Path, packaged: type) -> None:
    (folder / "other.md").write_text("# Other\n")
    assert read_readme(packaged, Path("other.md")) == "# Other\n"


# ---- what is told


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# A\n", "# A\n"),
        ("\ufeff# A\n", "# A\n"),
        ("---\ntitle: x\n---\n# A\n", "# A\n"),
        ("---\r\ntitle: x\r\n---\r\n\r\n# A\r\n", "# A\n"),
        ("\ufeff---\nt: '---'\n---  \n# A\n---\nb\n", "# A\n---\nb\n"),
        ("---\n---\n# A\n", "# A\n"),
        ("---\ntitle: x\n---", ""),
        ("---\nnever closed\n", "---\nnever closed\n"),
        ("# A\n---\nb: c\n---\n", "# A\n---\nb: c\n---\n"),
        ("", ""),
    ],
)
def test_front_matter_is_left_out(folder: Path, text: str, shown: str) -> None:
    put(folder, text)
    assert read_readme(EchoEnvironment, None) == shown


class Told(EchoEnvironment):
    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="Told", readme_content="# My own\n")


class Silent(EchoEnvironment):
    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="Silent")


@pytest.mark.parametrize(
    ("environment_class", "shown"), [(EchoEnvironment, "# Here\n"), (Silent, "# Here\n"), (Told, "# My own\n")]
)
def test_metadata_tells_it_unless_the_environment_does(
    folder: Path,
    environment_class: type[EchoEnvironment],
    shown: str,
) -> None:
    put(folder, "# Here\n")
    with serving(app_of(environment_class), log_config=None) as url, http(url) as client:
        assert client.get("/metadata").json()["readme_content"] == shown
        (folder / "README.md").write_text("# Changed\n")  # it is read once
        assert client.get("/metadata").json()["readme_content"] == shown


def test_factory_without_a_promise_has_the_readme_of_what_it_builds(folder: Path, packaged: type) -> None:
    with serving(app_of(lambda: packaged()), log_config=None) as url, http(url) as client:
        assert client.get("/metadata").json()["readme_content"] == "# Packaged\n"


def test_variable_names_the_readme(folder: Path) -> None:
    (folder / "other.md").write_text("# Other\n")
    config = ServerConfig.from_environ({"ENV_README_PATH": "other.md"})
    with serving(app_of(EchoEnvironment, readme_path=config.readme_path), log_config=None) as url, http(url) as client:
        assert client.get("/metadata").json()["readme_content"] == "# Other\n"
