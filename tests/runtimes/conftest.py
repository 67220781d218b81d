"""The images that tests of runtimes share, built once in each process that runs tests."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtimes import images
from tests.support.engine import require_engine
from tests.support.services import require

_REGISTRY = """
version: 0.1
storage: {filesystem: {rootdirectory: ROOT}}
http: {addr: "127.0.0.1:0"}
"""
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image whose server misbehaves on request."""
    require_engine()
    with images.stand_in_image(tmp_path_factory.mktemp("stand_in")) as name:
        yield name


@pytest.fixture(scope="session")
def environment_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of a scaffolded environment."""
    require_engine()
    with images.scaffold_image(tmp_path_factory.mktemp("environment_image")) as name:
        yield name


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """A registry of images on loopback: host and port."""
    require(command := shutil.which("docker-registry"), "needs Debian's docker-registry")
    (tmp_path / "registry.yml").write_text(_REGISTRY.replace("ROOT", str(tmp_path / "registry")))
    assert command is not None
    with subprocess.Popen(
        [command, "serve", str(tmp_path / "registry.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := _LISTENING.search(line):
                    yield found[1]
                    break
        finally:
            process.kill()
