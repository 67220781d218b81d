"""Environments written for OpenEnv, in tests/data/upstream, through all that is done with one: no line of them changes.

They are served by our command and by uvicorn, in both layouts; driven by their own clients, on this package and on
OpenEnv's; offered to both published clients of MCP; validated, pushed, installed, and built by a real engine.
"""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from openenv import GenericEnvClient
from tests.support.command import OPENENV, ROOT, openenv_serve, uvicorn_serve
from tests.support.engine import BASE_IMAGE, builder_environment, engine, image_name
from tests.support.hub_server import hub_server
from tests.support.mcp_clients import Talking, by_fastmcp, by_sdk
from tests.support.peer import Peer, peer
from tests.support.services import require
from tests.support.upstream import lock_on_stand_ins

__all__ = ["engine", "peer"]

pytestmark = pytest.mark.timeout(90, func_only=False)  # importing their package takes seconds

SOURCE = ROOT / "tests/data/upstream"
GUESS, LEDGER = "guess_env", "ledger_env"
LOCKED = {
    GUESS: {"openenv-core": "0.2.1", "pytest": "8.0.0"},
    LEDGER: {"openenv": "0.10.0", "fastmcp": "3.0.0"},
}
WITH_PAGE = {"ENABLE_WEB_INTERFACE": "true", "PYTHONDONTWRITEBYTECODE": "1"}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the locks were made from: wheels that hold nothing."""
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Iterator[Path]:
    """The folder of both, each with a lock as its author has one; at the end they are what they were."""
    folder = tmp_path_factory.mktemp("upstream")
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name, versions in LOCKED.items():
        lock_on_stand_ins(folder / name, wheels, versions)
    before = contents(folder)
    yield folder
    assert contents(folder) == before


def by_command(folder: Path, name: str) -> Any:
    return openenv_serve(folder / name)


def by_uvicorn(folder: Path, name: str) -> Any:
    return uvicorn_serve("server.app:app", cwd=folder / name, environ=WITH_PAGE)


def by_uvicorn_as_a_package(folder: Path, name: str) -> Any:
    return uvicorn_serve(f"{name}.server.app:app", cwd=folder, environ=WITH_PAGE)


WAYS = {each.__name__: each for each in (by_command, by_uvicorn, by_uvicorn_as_a_package)}


@pytest.fixture(scope="module")
def servers(folder: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Serve both in every way that there is, and give the URLs, by way and name."""
    with ExitStack() as stack:
        running = {
            way: {name: stack.enter_context(serve(folder, name)) for name in (GUESS, LEDGER)}
            for way, serve in WAYS.items()
        }
        yield {way: {name: serving.url for name, serving in each.items()} for way, each in running.items()}


@pytest.fixture(params=WAYS)
def urls(request: pytest.FixtureRequest, servers: dict[str, dict[str, str]]) -> dict[str, str]:
    """The URLs of one way, by name."""
    return servers[request.param]


Program = Callable[[str, str, str], Any]


def run_here(name: str, function: str, url: str) -> Any:
    return getattr(importlib.import_module(name), function)(url)


@pytest.fixture(scope="module")
def importable(folder: Path) -> Iterator[None]:
    """Have the environments and the programs that drive them imported from the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


@pytest.fixture(scope="module", params=["this package", "OpenEnv's"])
def program(request: pytest.FixtureRequest, folder: Path, importable: None) -> Program:
    """Run a function of a program written for OpenEnv on a URL, on either package."""
    if request.param == "this package":
        return run_here
    theirs: Peer = request.getfixturevalue("peer")
    return lambda name, function, url: theirs("program", folder=str(folder), name=name, function=function, url=url)


def check_guessed(told: Any) -> None:
    hints, tries_left = told["hints"], told["tries_left"]
    steps = len(hints) - 1
    assert 1 <= steps <= 6
    assert (hints[0], hints[-1]) == ("start", "found")
    assert set(hints[1:-1]) <= {"higher", "lower"}
    assert tries_left == [7 - count for count in range(steps + 1)]
    assert told["width"][0] == 41, "the transform's metadata arrives"
    assert sorted(told["width"], reverse=True) == told["width"]
    assert told["rewards"] == [None, *[0.01] * (steps - 1), 1.0]
    assert told["done"] == [False] * steps + [True]
    count, last, is_named = told["state"]
    assert (count, 10 <= last <= 50, is_named) == (steps, True, True)


@pytest.mark.parametrize("way", ["plain", "explicit", "asynchronous", "generic"])
def test_a_typed_environment_is_driven_by_its_own_client(urls: dict[str, str], program: Program, way: str) -> None:
    check_guessed(program("guessing", way, urls[GUESS]))


def test_what_it_refuses_is_told_and_the_session_goes_on(urls: dict[str, str], program: Program) -> None:
    said, told = program("guessing", "refused", urls[GUESS])
    assert "nothing is between 2 and 1" in said
    check_guessed(told)


@pytest.mark.parametrize("way", ["explicit", "asynchronous"])
def test_the_tools_of_an_environment_are_called_by_its_own_client(
    urls: dict[str, str], program: Program, way: str
) -> None:
    names, paid, balance, said = program("banking", way, urls[LEDGER])
    assert names == ["balance", "deposit"]
    assert (paid, balance) == ([5, 12], 12)
    assert "-1 cents cannot be paid in" in said


def test_the_tools_of_an_environment_are_actions(urls: dict[str, str], program: Program) -> None:
    names, result, error, *state = program("banking", "by_steps", urls[LEDGER])
    assert (names, error, state) == (["balance", "deposit"], None, ["mine", 3])
    assert "12" in result


@pytest.mark.parametrize(
    ("name", "said"),
    [(GUESS, {"name": "guess_env", "version": "2.0.1", "author": "A guesser"}), (LEDGER, {"name": "ledger_env"})],
)
def test_it_has_its_page_and_says_what_it_is(urls: dict[str, str], name: str, said: dict[str, str]) -> None:
    with httpx.Client(base_url=urls[name], trust_env=False, follow_redirects=True) as client:
        page = client.get("/")
        assert (page.status_code, page.url.path) == (200, "/web")
        assert "text/html" in page.headers["content-type"]
        metadata = client.get("/metadata").json()
        assert {key: metadata[key] for key in said} == said
        assert client.get("/health").json() == {"status": "healthy"}
        assert client.get("/list_environments").json() == [name]
        assert client.post("/reset", json={"episode_id": "mine"}).status_code == 200
        assert client.get("/state").json()["episode_id"] == "mine"


# --- Both published clients of MCP


@pytest.mark.anyio
@pytest.mark.parametrize("talking", [by_fastmcp, by_sdk])
async def test_mcp_clients_list_and_call_its_tools(urls: dict[str, str], talking: Talking) -> None:
    async with talking(urls[LEDGER], {}) as one, talking(urls[LEDGER], {}) as other:
        assert await one.tools() == ["deposit", "balance"]
        assert await one.call("deposit", account="ada", cents=5) == (False, {"result": 5}, "5")
        failed, _, said = await one.call("deposit", account="ada", cents=-1)
        assert (failed, "-1 cents cannot be paid in" in said) == (True, True)
        assert (await one.call("balance", account="ada"))[1] == {"result": 5}
        assert (await other.call("balance", account="ada"))[1] == {"result": 0}


@pytest.mark.anyio
@pytest.mark.parametrize("talking", [by_fastmcp, by_sdk])
async def test_mcp_clients_play_an_environment_without_tools(urls: dict[str, str], talking: Talking) -> None:
    async with talking(urls[GUESS], {}) as talk:
        assert await talk.tools() == ["reset", "step", "state"]
        begun = (await talk.call("reset", low=7, high=7, episode_id="mine"))[1]
        assert begun["observation"]["hint"] == "start"
        failed, told, _ = await talk.call("step", number=7)
        assert (failed, told["observation"]["hint"], told["reward"], told["done"]) == (False, "found", 1.0, True)
        assert (await talk.call("state"))[1] == {"episode_id": "mine", "step_count": 1, "last": 7}
        assert (await talk.call("step", number="seven"))[0] is True


@pytest.mark.anyio
async def test_a_tool_of_production_is_there_in_production(folder: Path) -> None:
    with openenv_serve(folder / LEDGER, "--mode", "production") as serving:
        for talking in (by_fastmcp, by_sdk):
            async with talking(serving.url, {}) as talk:
                assert sorted(await talk.tools()) == ["audit", "balance", "deposit"]
                await talk.call("deposit", account="ada", cents=5)
                assert (await talk.call("audit"))[1] == {"ada": 5}


# --- Our commands


def openenv(*arguments: str | Path, cwd: Path, **variables: str) -> str:
    ran = subprocess.run(
        [*OPENENV, *map(str, arguments)], cwd=cwd, env=os.environ | variables, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout


@pytest.mark.parametrize("name", [GUESS, LEDGER])
def test_it_passes_validation(folder: Path, wheels: Path, name: str) -> None:
    offline = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(wheels)}
    said = openenv("validate", cwd=folder / name, **offline)
    assert ": pass (" in said.splitlines()[-1], said


def pushed(folder: Path, to: Path) -> Path:
    """Push an environment to a Hub on this machine, and give what is there then."""
    with hub_server() as hub:
        openenv("push", cwd=folder, **hub.environment(home=to / "home"))
        space = hub.spaces[f"alice/{folder.name}"]
        assert space.sdk == "docker"
        space.write_to(to / folder.name)
    return to / folder.name


@pytest.mark.parametrize(
    ("name", "adapted", "installs", "instead"),
    [
        (
            GUESS,
            {"pyproject.toml", "server/requirements.txt"},
            b"uv sync --frozen --no-install-project",  # the lock names what is not installed any more
            b"uv sync --no-install-project",
        ),
        (LEDGER, {"pyproject.toml"}, b'pip install --no-cache-dir "openenv>=0.4"', b'"openenv-runtime['),
    ],
)
def test_it_is_pushed_with_this_runtime_in_place_of_theirs(
    folder: Path, tmp_path: Path, name: str, adapted: set[str], installs: bytes, instead: bytes
) -> None:
    before, after = contents(folder / name), contents(pushed(folder / name, tmp_path))
    assert {path for path, data in before.items() if after.get(path) != data} == adapted
    assert all(b"openenv-runtime[" in after[path] for path in adapted)
    assert installs in before["server/Dockerfile"]
    assert installs not in after["Dockerfile"]
    assert instead in after["Dockerfile"]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", [GUESS, LEDGER])
def test_what_is_pushed_is_installed_on_this_runtime_and_served(folder: Path, tmp_path: Path, name: str) -> None:
    space = pushed(folder / name, tmp_path)
    found = {"UV_FIND_LINKS": str(space / "openenv-wheels")} if (space / "openenv-wheels").is_dir() else {}
    sync = [sys.executable, "-m", "uv", "sync", "--no-editable", "--quiet", "--python", sys.executable]
    ran = subprocess.run(sync, cwd=space, env=os.environ | found, capture_output=True, text=True, check=False)
    require("failed to fetch" not in ran.stderr.lower(), f"needs a package index: {ran.stderr}")
    assert ran.returncode == 0, ran.stderr
    python = str(space / ".venv/bin/python")
    listed = "import importlib.metadata as m; print(*sorted({d.name.lower() for d in m.distributions()}))"
    names = subprocess.check_output([python, "-c", listed], cwd=tmp_path, text=True).split()
    assert [each for each in names if each.startswith("openenv")] == [f"openenv-{name}", "openenv-runtime"]
    with uvicorn_serve("server.app:app", cwd=space, python=python) as serving, GenericEnvClient(serving.url) as env:
        env.reset()
        arguments = {"account": "ada", "cents": 5}
        action = {"number": 0} if name == GUESS else {"tool_name": "deposit", "arguments": arguments}
        assert not env.step(action).done


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("engine", "importable")
def test_it_is_built_and_its_own_client_plays_in_the_container(folder: Path) -> None:
    with image_name() as name:
        openenv(
            "build", "--base-image", BASE_IMAGE, "--tag", name, cwd=folder / GUESS, **builder_environment("classic")
        )
        with GenericEnvClient.from_docker_image(name) as env:
            check_guessed(run_here("guessing", "plain", str(env.base_url)))
