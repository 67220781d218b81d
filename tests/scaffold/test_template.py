"""The scaffold itself: what `openenv init` makes passes its own checks, and runs every way its README says."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from openenv.dependency.wheel import Dependency
from openenv.scaffold import Created, create
from openenv.scaffold.names import MAX_LENGTH

LONGEST = "a_" * (MAX_LENGTH // 2 - 1) + "bc"
LISTENING = re.compile(r"http://127\.0\.0\.1:(\d+)")


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Created]:
    return lambda name: create(name, tmp_path, installed=(), dependency=Dependency("0.1.0"), lock=lambda _: "not now")


@pytest.fixture
def folder(make: Callable[[str], Created]) -> Path:
    return make("my_env").folder


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder of the scaffold, which is not installed."""
    command = [sys.executable, *arguments]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@contextmanager
def _serving(folder: Path, *arguments: str) -> Iterator[str]:
    """Run a server there, and yield its address once it says that it listens."""
    command = [sys.executable, *arguments, "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout
            said = []
            for line in server.stdout:
                said.append(line)
                if found := LISTENING.search(line):
                    yield found[0]
                    return
            pytest.fail("the server ended:\n" + "".join(said))
        finally:
            server.terminate()
            server.communicate(timeout=10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my_env", LONGEST])
def test_code_passes_ruff_and_mypy(name: str, make: Callable[[str], Created]) -> None:
    folder = make(name).folder
    for check in (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy", "--strict", "."]):
        ran = _python(folder, "-m", *check)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_its_own_tests_pass_before_it_is_installed(folder: Path) -> None:
    ran = _python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert ran.returncode == 0, ran.stdout
    assert "5 passed" in ran.stdout


@pytest.mark.parametrize(
    ("where", "file"), [(".", "server/my_env_environment.py"), ("server", "my_env_environment.py")]
)
def test_environment_checks_itself_from_either_folder(where: str, file: str, folder: Path) -> None:
    ran = _python(folder / where, file)
    assert ran.returncode == 0, ran.stderr
    found = [line.split(":")[0] for line in ran.stdout.splitlines()]
    assert found == ["ok   reset", "ok   step", "ok   state", "ok   rewards"]


@pytest.mark.parametrize(
    ("right", "wrong", "check"),
    [
        ("self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)", "pass", "reset"),
        ("echoed_message=action.message", "echoed_message=action.message.upper()", "step"),
        ("self._state.step_count += 1", "pass", "state"),
        ("length / 10", "min(length / 10, 1.0)", "rewards"),
    ],
)
def test_environment_that_is_wrong_fails_the_check_for_it(right: str, wrong: str, check: str, folder: Path) -> None:
    file = folder / "server/my_env_environment.py"
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))
    ran = _python(folder, "server/my_env_environment.py")
    assert ran.returncode == 1
    assert f"FAIL {check}:" in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "arguments"),
    [
        (".", ["-m", "uvicorn", "server.app:app"]),
        (".", ["-m", "server.app"]),
        (".", ["server/app.py"]),
        ("server", ["app.py"]),
        ("..", ["-m", "my_env.server.app"]),
    ],
)
def test_application_starts_wherever_it_is_started(where: str, arguments: list[str], folder: Path) -> None:
    with _serving(folder / where, *arguments) as address:
        ran = _python(folder.parent, "-c", f"from my_env import MyEnv; MyEnv(base_url='{address}').reset()")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_every_python_snippet_of_the_readme_runs(folder: Path) -> None:
    snippets = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    snippets = [snippet for snippet in snippets if "docker" not in snippet]  # test_containers.py has that one
    assert len(snippets) == 5
    with _serving(folder, "-m", "uvicorn", "server.app:app") as address:
        for snippet in snippets:
            ran = _python(folder.parent, "-c", snippet.replace("http://localhost:8000", address))
            assert ran.returncode == 0, f"{snippet}\n{ran.stderr}"
            assert ran.stderr == ""
