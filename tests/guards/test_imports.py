"""Importing a room loads only what that room needs, so that it stays quick and a client needs no web framework."""

import subprocess
import sys

import pytest

WEB = {"fastapi", "starlette", "uvicorn"}
CLI = {"typer", "rich"}
CONTAINERS = {"docker", "kubernetes", "ray"}


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
