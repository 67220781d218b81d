"""A real Docker engine for tests, started by `scripts/engine`, and the removal of all they make with it.

Tests build on one image; its label is inherited by every image and container that is made from it.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openenv.engine import docker, is_running
from tests.support.services import require

__all__ = [
    "BASE_IMAGE",
    "BUILDERS",
    "LABEL",
    "builder_environment",
    "engine",
    "image_name",
    "remove_image",
    "require_engine",
]

BASE_IMAGE = "openenv-test-base:bookworm"
LABEL = "org.openenv.test"
BUILDERS = ("classic", "buildkit")

_IN_USE = Path(tempfile.gettempdir()) / "openenv-tests-use-docker"


def require_engine() -> None:
    """Go on if a Docker engine runs that has the image tests build on; else skip, or fail where CI=true."""
    require(is_running(), "needs a Docker engine; `scripts/engine` starts one on Debian, as root")
    has_image = docker(["image", "ls", "--quiet", BASE_IMAGE])
    require(has_image, f"needs the image {BASE_IMAGE}, which `scripts/engine` makes")


@pytest.fixture(scope="module")
def engine() -> Iterator[None]:
    """Have an engine; the last module that has one takes away what builds have left without a name.

    To be imported by the test file, and used by `pytestmark = pytest.mark.usefixtures("engine")` or by name.
    """
    require_engine()
    with _IN_USE.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another process is building, and what it builds on has no name yet
        docker(["image", "prune", "--force", "--filter", f"label={LABEL}"])


def builder_environment(builder: str) -> dict[str, str]:
    """Give the variables with which `docker build` uses that builder; skip or fail where no `docker` here has it."""
    if builder == "classic":
        return {"DOCKER_BUILDKIT": "0"}
    folder = next((folder for folder in os.get_exec_path() if _has_buildkit(folder)), None)
    require(folder, "needs a docker command with BuildKit: version 18 to 22, or the buildx plugin")
    return {"DOCKER_BUILDKIT": "1", "PATH": f"{folder}:{os.environ['PATH']}"}


def _has_buildkit(folder: str) -> bool:
    if (command := shutil.which("docker", path=folder)) is None:
        return False
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    brings_it = "18" <= version.removeprefix("Docker version ")[:2] <= "22"
    return brings_it or subprocess.run([command, "buildx", "version"], capture_output=True, timeout=10).returncode == 0


@contextmanager
def image_name() -> Iterator[str]:
    """Give a name for an image, and remove whatever bears it then, with the containers made from it."""
    name = f"openenv-test-{uuid.uuid4().hex[:12]}:latest"
    try:
        yield name
    finally:
        remove_image(name)


def remove_image(name: str) -> None:
    """Remove an image, if there is one, with the containers made from it.

    Those made from it by its name: the same files give the same image, so another test may use it under another one.
    """
    if not docker(["image", "ls", "--quiet", name]):
        return
    listed = docker(["ps", "--all", "--no-trunc", "--format", "{{.Image}} {{.ID}}"]).splitlines()
    if made := [line.split()[1] for line in listed if line.split()[0] in (name, name.removesuffix(":latest"))]:
        docker(["rm", "--force", "--volumes", *made])
    docker(["image", "rm", "--force", name])
