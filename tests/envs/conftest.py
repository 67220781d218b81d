"""The catalogue as its tests see it: each package found in its folder, and served as its user would serve it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import ROOT, openenv_serve

_ENVS = ROOT / "envs"
sys.path.append(str(_ENVS))  # so that the modules here can import them


def pytest_collection_modifyitems() -> None:
    """Take it all back once they have: to tests of what is installed, nothing of the catalogue is."""
    sys.path.remove(str(_ENVS))
    names = {path.name for path in _ENVS.iterdir()}
    for module in [module for module in sys.modules if module.partition(".")[0] in names]:
        del sys.modules[module]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a `folder` once for each environment of the catalogue, or for the one its module names."""
    if "folder" in metafunc.fixturenames:
        named = getattr(metafunc.module, "ENVIRONMENT", None)
        found = sorted(path.parent for path in _ENVS.glob(f"{named or '*'}/openenv.yaml"))
        metafunc.parametrize("folder", found, ids=[path.name for path in found], scope="session", indirect=True)


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def url(folder: Path) -> Iterator[str]:
    """Address of a server that serves it."""
    with openenv_serve(folder) as serving:
        yield serving.url
