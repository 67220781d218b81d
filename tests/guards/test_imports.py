"""Importing a room loads only what that room needs, so that it stays quick and a client needs no web framework."""

import subprocess
import sys

import pytest

WEB = {"fastapi", "starlette", "uvicorn"}
CLI = {"typer", "rich"}
CONTAINERS = {"docker", "kubernetes", "ray"}
LARGE = WEB | CLI | CONTAINERS | {"fastmcp", "gradio", "mcp", "numpy", "openai"}
LIMIT_S = 0.2


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("openenv", WEB | CLI | CONTAINERS | {"pydantic", "websockets"}),
        ("openenv.client", WEB | CLI | CONTAINERS),
        ("openenv.protocol", WEB | CLI | CONTAINERS | {"pydantic", "websockets"}),
        ("openenv.cli.__main__", WEB | CONTAINERS | {"pydantic", "websockets"}),
    ],
)
def test_import_is_light(module: str, forbidden: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert forbidden & set(ran.stdout.split()) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "from openenv.core.client_types import StepResult",
        "from openenv.core.env_client import EnvClient",
        "from openenv.core.env_server.types import Action, Observation, State",
        "from openenv.core.env_server.interfaces import Environment",
        "from openenv.core import Action, EnvClient, Environment",
        "from openenv.core.containers.runtime import LocalDockerProvider",
        "from openenv.core.rubrics import Rubric",
    ],
)
def test_a_path_of_openenv_loads_only_what_the_room_behind_it_needs(statement: str) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) & LARGE == set()


def test_the_path_that_every_client_imports_takes_no_time() -> None:
    timed = "import time; begun = time.process_time(); {}; print(time.process_time() - begun)"
    program = timed.format("from openenv.core.client_types import StepResult")
    # The best of some: what else the machine does makes an import slower, and never quicker.
    took = (float(subprocess.check_output([sys.executable, "-c", program], text=True)) for _ in range(5))
    assert any(seconds < LIMIT_S for seconds in took)
