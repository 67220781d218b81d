"""Images for tests of runtimes: a stand-in that misbehaves on request, and a scaffolded environment as it is built."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openenv.engine import docker
from openenv.runtimes.containers import list_containers
from tests.support.command import OPENENV
from tests.support.engine import BASE_IMAGE, image_name
from tests.support.services import require

__all__ = ["containers_of", "scaffold", "scaffold_image", "stand_in_image"]

_BUILD_S = 120
_STAND_IN = f"""
FROM {BASE_IMAGE}
COPY stand_in.py /
CMD ["python3", "/stand_in.py"]
"""


@contextmanager
def stand_in_image(folder: Path) -> Iterator[str]:
    """Build the stand-in in an empty folder, and give the name of the image."""
    shutil.copy(Path(__file__).with_name("stand_in.py"), folder)
    (folder / "Dockerfile").write_text(_STAND_IN)
    with image_name() as name:
        docker(["build", "--quiet", "--tag", name, str(folder)], timeout_s=_BUILD_S)
        yield name


def scaffold(parent: Path) -> Path:
    """Scaffold an environment, my_env, and give its folder."""
    ran = subprocess.run([*OPENENV, "init", "my_env"], cwd=parent, capture_output=True, text=True, timeout=_BUILD_S)
    assert ran.returncode == 0, ran.stderr
    return parent / "my_env"


@contextmanager
def scaffold_image(parent: Path) -> Iterator[str]:
    """Build a scaffolded environment as its user does, and give the name of the image."""
    folder = scaffold(parent)
    require((folder / "uv.lock").exists(), "the package index cannot be reached, so uv.lock was not made")
    with image_name() as name:
        command = [*OPENENV, "build", "--network", "host", "--tag", name]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_BUILD_S)
        assert ran.returncode == 0, ran.stderr
        yield name


def containers_of(image: str) -> list[str]:
    """Name the containers of ours that were made from an image."""
    return [one.name for one in list_containers() if one.image == image]
