"""What the first README promised of containers, and what the generated one does, on a real engine and to the letter."""

import asyncio
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from openenv import GenericEnvClient
from openenv.engine import docker
from openenv.errors import SessionLost
from openenv.launch import space_image
from openenv.scaffold import Names, create
from tests.guards.snippets import parse
from tests.support.engine import builder_environment, engine, remove_image  # noqa: F401  # a fixture
from tests.support.hub_server import hub_server
from tests.support.registry import registry
from tests.support.services import require

SEED = (Path(__file__).parents[1] / "data/seed-containers.md").read_text()
LIMIT_S = 240

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_S)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scaffold with a name of its own, since images are the whole machine's."""
    created = create(f"x{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("containers"))
    require(created.lock_problem is None, f"needs a package index: {created.lock_problem}")
    return created.folder


@pytest.fixture(scope="module")
def image(engine: None, environment: Path) -> Iterator[str]:  # noqa: F811
    """The image, built by the seed's command."""
    (command,) = [snippet.text for snippet in parse(filled(SEED, environment)) if snippet.language == "bash"]
    tag = f"{environment.name}-env:latest"
    try:
        run(["bash", "-ec", command], cwd=environment, env=os.environ | builder_environment("classic"))
        yield tag
    finally:
        remove_image(tag)


@pytest.fixture(autouse=True)
def _no_container_is_left(image: str) -> Iterator[None]:
    yield
    assert docker(["ps", "--all", "--quiet", "--filter", f"ancestor={image}"]) == ""


OPENENV = [sys.executable, "-m", "openenv.cli"]


def filled(page: str, environment: Path) -> str:
    prefix = Names.parse(environment.name).class_prefix
    return page.replace("__ENV_NAME__", environment.name).replace("__ENV_CLASS_NAME__", prefix)


def run(command: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_first_quick_start_runs_as_it_stands(image: str, environment: Path) -> None:
    (snippet,) = [snippet.text for snippet in parse(filled(SEED, environment)) if snippet.language == "python"]
    printed = run([sys.executable, "-c", snippet], cwd=environment.parent)
    assert printed.splitlines()[1:5] == [
        "Sent: 'Hello, World!'",
        "  → Echoed: 'Hello, World!'",
        "  → Length: 13",
        "  → Reward: 1.3",
    ]
    assert re.findall(r"Reward: (\S+)", printed) == ["1.3", "1.2", "1.3"]


def test_what_the_generated_readme_says_of_containers_runs_as_it_stands(image: str, environment: Path) -> None:
    snippets = [s for s in parse((environment / "README.md").read_text()) if "docker" in s.text]
    assert [s.language for s in snippets] == ["bash", "python"]
    assert snippets[0].text.strip() in SEED.replace("__ENV_NAME__", environment.name)  # the fixture has run it
    printed = run([sys.executable, "-c", snippets[1].text], cwd=environment.parent)
    assert printed == "Hello from a container 2.2\n"


def test_the_client_of_a_container_can_be_awaited(image: str) -> None:
    async def play() -> float | None:
        env = await GenericEnvClient.from_docker_image(image, message_timeout_s=10)
        try:
            await env.reset()
            return (await env.step({"message": "Hi"})).reward
        finally:
            await env.close()

    assert asyncio.run(play()) == 0.2


def test_an_image_pushed_to_a_registry_is_pulled_and_stepped(image: str, environment: Path, tmp_path: Path) -> None:
    with registry(tmp_path) as address:
        tag = f"{address}/you/{image}"
        command = [*OPENENV, "push", "--registry", f"{address}/you"]
        try:
            said = run(command, cwd=environment, env=os.environ | builder_environment("classic"))
            assert tag in said
            remove_image(tag)
            with GenericEnvClient.from_docker_image(tag, pull="always") as env:
                env.reset()
                assert env.step({"message": "Hello, World!"}).reward == 1.3
            remove_image(tag)
            checked = subprocess.run(
                [*OPENENV, "validate", "--image", tag], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr
            assert f"Pulling from you/{image.removesuffix(':latest')}" in checked.stderr
            assert "server.start" in checked.stdout
        finally:
            remove_image(tag)


def test_a_pushed_space_is_read_back_built_and_stepped(engine: None, environment: Path, tmp_path: Path) -> None:  # noqa: F811
    tag = f"{environment.name}-space:latest"
    with hub_server() as hub:
        said = run([*OPENENV, "push"], cwd=environment, env=os.environ | hub.environment(home=tmp_path))
        assert f"spaces/alice/{environment.name}" in said
        hub.spaces[f"alice/{environment.name}"].write_to(tmp_path / "space")
    try:
        build = ["docker", "build", "-t", tag, "."]  # as a Space does: the Dockerfile at its root
        run(build, cwd=tmp_path / "space", env=os.environ | builder_environment("classic"))
        with GenericEnvClient.from_docker_image(tag) as env:
            env.reset()
            assert env.step({"message": "Hi"}).reward == 0.2
            page = httpx.get(f"{env.base_url}/", follow_redirects=True)
            assert (page.status_code, page.url.path) == (200, "/web")
    finally:
        remove_image(tag)


def test_a_space_is_run_by_its_image(image: str) -> None:
    tag = space_image("alice/by_image")
    docker(["tag", image, tag])  # as if it had been pulled
    try:
        with GenericEnvClient.from_env("alice/by_image") as env:
            env.reset()
            assert env.step({"message": "Hi"}).reward == 0.2
    finally:
        remove_image(tag)


GREEDY = """
        if action.message == "eat":
            kept = []
            while True:
                kept.append(bytearray(1 << 20))
"""


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_server_that_runs_out_of_memory_during_a_step_is_a_typed_error_that_says_so(
    is_async: bool, greedy: str
) -> None:
    def play() -> None:
        with GenericEnvClient.from_docker_image(greedy, memory="128m") as env:
            env.reset()
            env.step({"message": "eat"})

    async def play_async() -> None:
        async with GenericEnvClient.from_docker_image(greedy, memory="128m") as env:
            await env.reset()
            await env.step({"message": "eat"})

    with pytest.raises(SessionLost, match="out of memory, limit 128 MB"):
        asyncio.run(play_async()) if is_async else play()


@pytest.fixture(scope="module")
def greedy(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: F811
    """The image of an environment that eats all memory when it is told to."""
    created = create(f"g{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("greedy"))
    require(created.lock_problem is None, f"needs a package index: {created.lock_problem}")
    source = created.folder / f"server/{created.folder.name}_environment.py"
    text, changed = re.subn(
        r"(    def step\(.*?\).*?:\n(?:        \"\"\".*?\"\"\"\n)?)",
        rf"\1{GREEDY}",
        source.read_text(),
        flags=re.DOTALL,
    )
    assert changed == 1
    source.write_text(text)
    tag = f"{created.folder.name}-env:latest"
    try:
        run([*OPENENV, "build"], cwd=created.folder, env=os.environ | builder_environment("classic"))
        yield tag
    finally:
        remove_image(tag)
