"""The uv runtime on real uv and real git. Installing asks the package index."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from openenv import GenericEnvClient
from openenv.errors import ConfigurationError, NotInstalled, StartFailed
from openenv.runtimes import Runtime
from openenv.runtimes.uv import (
    UvRuntime,
    asks_for_upstream,
    clone_command,
    install_commands,
    lacks_runtime,
    override_commands,
)
from openenv.testing.runtimes import RuntimeChecks
from tests.support.folders import catalogue_copy
from tests.support.services import require
from tests.support.upstream import lock_upstream, write_environment

BESIDE_PYTHON = str(Path(sys.executable).parent)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scaffold, committed to a git repository of its own."""
    parent = tmp_path_factory.mktemp("uv")
    ran = subprocess.run(
        [sys.executable, "-m", "openenv.cli", "init", "my_env"], cwd=parent, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    folder = parent / "my_env"
    require((folder / "uv.lock").exists(), f"the package index cannot be reached: {ran.stderr}")
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["git", "init", "--quiet"], ["git", "add", "--all", "--force"], [*git, "commit", "-qm", "Start"]):
        subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture(autouse=True)
def _uv_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([BESIDE_PYTHON, os.environ["PATH"]]))


@pytest.mark.parametrize(
    ("source", "url", "branch"),
    [
        ("git+https://host/owner/name", "https://host/owner/name", []),
        ("git+https://host/owner/name@v1.0", "https://host/owner/name", ["--branch", "v1.0"]),
        ("git+https://user@host/owner/name", "https://user@host/owner/name", []),
        ("git+ssh://git@host/owner/name@main", "ssh://git@host/owner/name", ["--branch", "main"]),
    ],
)
def test_a_git_source_is_cloned_at_its_revision_without_history(source: str, url: str, branch: list[str]) -> None:
    command = clone_command(source, Path("x"))
    assert command == ["git", "clone", "--quiet", "--depth", "1", *branch, "--", url, "x"]


@pytest.mark.parametrize("source", ["git+", "git+host/name", "git+--upload-pack=evil://x", "https://host/name"])
def test_what_is_no_git_address_is_refused(source: str) -> None:
    with pytest.raises(ConfigurationError, match="is no git address"):
        clone_command(source, Path("x"))


def test_a_lock_file_is_installed_as_it_is_and_the_project_itself_never(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()
    [command] = install_commands("uv", tmp_path, Path("env"))
    assert {"--frozen", "--no-install-project", "--no-dev"} <= set(command)


def test_without_a_lock_file_the_requirements_are_installed(tmp_path: Path) -> None:
    make, install = install_commands("uv", tmp_path, Path("env"))
    assert make == ["uv", "venv", "--quiet", "env"]
    assert install[-2:] == ["--requirements", str(tmp_path / "pyproject.toml")]


def test_what_asks_for_openenv_by_itself_or_by_its_lock_is_seen(tmp_path: Path) -> None:
    assert not asks_for_upstream(tmp_path)
    (tmp_path / "uv.lock").write_text('[[package]]\nname = "openenv-runtime"\n[[package]]\nname = "openenv-my-env"\n')
    assert not asks_for_upstream(tmp_path)
    (tmp_path / "uv.lock").write_text('[[package]]\nname = "openenv-core"\nversion = "0.2.1"\n')
    assert asks_for_upstream(tmp_path)
    (tmp_path / "uv.lock").unlink()
    assert asks_for_upstream(write_environment(tmp_path, "openenv>=0.4"))


def test_the_lock_of_such_a_project_is_preferred_and_not_obeyed(tmp_path: Path) -> None:
    names = [command[1:3] for command in override_commands("uv", tmp_path, Path("env"), Path("files"))]
    assert [name[-1] for name in names] == ["--quiet", "compile", "install"]
    (tmp_path / "uv.lock").touch()
    commands = override_commands("uv", tmp_path, Path("env"), Path("files"))
    assert [command[1] for command in commands] == ["venv", "export", "pip", "pip"]
    assert commands[1][-1] == commands[2][-1] == commands[3][-1] == str(Path("files/pins.txt"))


def test_this_runtime_is_brought_along_where_it_is_asked_for_and_no_index_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = catalogue_copy("echo_env", tmp_path)
    monkeypatch.setattr("openenv.runtimes.uv.runs_released", lambda: False)
    assert lacks_runtime(folder)
    monkeypatch.setattr("openenv.runtimes.uv.runs_released", lambda: True)
    assert not lacks_runtime(folder)
    (folder / "uv.lock").touch()  # as one that names a folder of another machine
    _, install = install_commands("uv", folder, Path("env"), Path("wheels"))
    assert install[-4:] == ["--requirements", str(folder / "pyproject.toml"), "--find-links", "wheels"]


@pytest.mark.timeout(120)
def test_an_environment_of_the_catalogue_runs_on_this_runtime(tmp_path: Path) -> None:
    folder = catalogue_copy("echo_env", tmp_path)
    with UvRuntime(folder) as runtime, GenericEnvClient(runtime.url) as client:
        client.reset()
        assert client.step({"message": "Hi"}).observation["echoed_message"] == "Hi"
    assert not (folder / "uv.lock").exists()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("requirements", "is_locked"),
    [
        (["openenv-core[core]>=0.2.1"], False),
        (["openenv-core[core] @ git+https://127.0.0.1:9/meta-pytorch/OpenEnv.git", "openenv"], False),
        (["openenv>=0.4"], True),
    ],
)
def test_an_environment_written_for_openenv_runs_on_this_distribution(
    requirements: list[str], is_locked: bool, tmp_path: Path, environment: Path
) -> None:
    folder = write_environment(tmp_path / "who_env", *requirements)
    if is_locked:
        lock_upstream(folder, "0.10.0")
    else:
        (folder / "openenv.yaml").unlink()  # the app is named below
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with UvRuntime(folder, app="server.app:app") as runtime, GenericEnvClient(runtime.url) as client:
        client.reset()
        result = client.step({"message": "who?"})
    assert result.observation["installed"] == ["openenv-runtime"]
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert after == before


def test_without_uv_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="uv is not installed") as caught:
        UvRuntime(tmp_path).start()
    assert caught.value.hint == "pip install uv"


@pytest.mark.timeout(120)
def test_a_folder_is_served_with_its_own_dependencies_and_left_as_it_was(environment: Path) -> None:
    before = sorted(environment.rglob("*"))
    with UvRuntime(environment) as runtime, GenericEnvClient(runtime.url) as client:
        client.reset()
        assert client.step({"message": "Hi"}).reward == 0.2
        assert runtime.died() is None
    ours = [path for path in sorted(environment.rglob("*")) if "__pycache__" not in path.parts]
    assert ours == [path for path in before if "__pycache__" not in path.parts]


@pytest.mark.timeout(120)
def test_a_git_repository_is_cloned_served_and_forgotten(environment: Path) -> None:
    runtime = UvRuntime(f"git+file://{environment}")
    with runtime, GenericEnvClient(runtime.url) as client:
        assert runtime._files is not None
        clone = Path(runtime._files.name)
        client.reset()
        assert client.step({"message": "Hello, World!"}).reward == 1.3
    assert not clone.exists()
    assert "Serving my_env" in runtime.logs()


def test_a_repository_that_is_not_there_is_a_failed_start_with_the_words_of_git(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="cannot be cloned") as caught:
        UvRuntime(f"git+file://{tmp_path}/nothing").start()
    assert "does not appear to be a git repository" in caught.value.logs


def test_credentials_of_a_repository_are_not_told(tmp_path: Path) -> None:
    with pytest.raises(StartFailed) as caught:
        UvRuntime("git+http://ada:hunter2@127.0.0.1:9/owner/name").start()
    assert "hunter2" not in str(caught.value)
    assert "git+http://***@127.0.0.1:9/owner/name cannot be cloned" in str(caught.value)


@pytest.mark.timeout(60)
def test_dependencies_that_cannot_be_had_are_a_failed_start_with_the_words_of_uv(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "0"\ndependencies = ["no-such-file @ file:///no/such/file.whl"]\n'
    )
    with pytest.raises(StartFailed, match="cannot be installed") as caught:
        UvRuntime(tmp_path).start()
    assert "no/such/file.whl" in caught.value.logs


@pytest.mark.timeout(120)
def test_a_space_is_run_by_its_repository(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # git itself is told that the Hub's repositories are in a folder of this machine
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{environment.parent}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://huggingface.co/spaces/alice/")
    with GenericEnvClient.from_env("alice/my_env", use_docker=False) as env:
        env.reset()
        assert env.step({"message": "Hi"}).reward == 0.2


@pytest.mark.slow
@pytest.mark.timeout(60)
class TestUvRuntime(RuntimeChecks):
    """The checks of every runtime."""

    @pytest.fixture(autouse=True)
    def _folders(self, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # of our own, so that we know what is left
        self.folder, self.broken = environment, tmp_path / "broken"
        shutil.copytree(environment, self.broken)
        (self.broken / "server/app.py").write_text("raise RuntimeError('not today')\n")

    def make(self) -> Runtime:
        return UvRuntime(self.folder)

    def make_failing(self) -> Runtime:
        return UvRuntime(self.broken)

    def kill(self, runtime: Runtime) -> None:
        assert isinstance(runtime, UvRuntime)
        assert runtime._server is not None
        os.killpg(runtime._server._process.pid, signal.SIGKILL)

    def left_behind(self) -> Sequence[str]:
        return [str(path) for path in Path(tempfile.gettempdir()).glob("openenv-*")]
