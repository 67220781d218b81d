"""`openenv build` and the scaffold's Dockerfile: an environment, built by the real engine, run and stepped."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openenv.cli.app import app
from openenv.client import GenericEnvClient
from openenv.engine import docker
from openenv.runtimes.contract import wait_until_healthy
from openenv.scaffold import create
from tests.support.command import OPENENV
from tests.support.engine import (
    BASE_IMAGE,
    BUILDERS,
    LABEL,
    builder_environment,
    engine,  # noqa: F401  # a fixture
    image_name,
    remove_image,
)
from tests.support.registry import registry
from tests.support.services import require

pytestmark = pytest.mark.timeout(180)

LIMIT_S = 150
MAX_ADDED_MB = 70


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scaffolded environment, its name its own, with things in its folder that have no business in an image."""
    created = create(f"x{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("environment"))
    require(created.lock_problem is None, f"needs a package index: {created.lock_problem}")
    for name in (".env", ".git/HEAD", ".venv/bin/python", "server/id_rsa", "tests/test_more.py"):
        (created.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (created.folder / name).write_text("hunter2")
    return created.folder


@pytest.fixture(scope="module", params=BUILDERS)
def builder(request: pytest.FixtureRequest) -> dict[str, str]:
    return builder_environment(request.param)


@pytest.fixture(scope="module")
def image(builder: dict[str, str], engine: None, environment: Path) -> Iterator[str]:  # noqa: F811
    """Its image, built by the command that its README gives, to the letter."""
    tag = f"{environment.name}-env:latest"
    command = f"docker build -t {tag} -f server/Dockerfile ."
    try:
        done = subprocess.run(
            command,
            shell=True,
            cwd=environment,
            env=os.environ | builder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield tag
    finally:
        remove_image(tag)


def layers(image: str) -> list[str]:
    found = json.loads(docker(["image", "inspect", "--format", "{{json .RootFS.Layers}}", image]))
    assert isinstance(found, list)
    return found


@contextmanager
def running(image: str, *options: str) -> Iterator[tuple[str, str]]:
    """Run an image and give the container and its URL, once it is healthy."""
    container = docker(["run", "--detach", "--init", "--publish", "127.0.0.1::8000", *options, image])
    try:
        url = f"http://{docker(['port', container, '8000'])}"
        wait_until_healthy(url, died=lambda: None, timeout_s=30)
        yield container, url
    finally:
        docker(["rm", "--force", "--volumes", container])


def in_container(container: str, *command: str) -> str:
    return docker(["exec", container, *command])


def test_the_image_serves_the_environment(image: str) -> None:
    with running(image) as (_, url), GenericEnvClient(base_url=url) as env:
        env.reset()
        result = env.step({"message": "Hello"})
        assert result.observation["echoed_message"] == "Hello"
        assert result.reward == pytest.approx(0.5)


def test_the_image_serves_with_everything_taken_away(image: str) -> None:
    hardened = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "64"]
    with running(image, *hardened, "--memory", "256m") as (_, url), GenericEnvClient(base_url=url) as env:
        assert env.reset().observation["echoed_message"]


def test_the_server_is_no_root_and_has_a_home_and_a_name(image: str) -> None:
    with running(image) as (container, _):
        assert in_container(container, "id", "--user", "--name") == "openenv"
        script = "import getpass, pathlib; pathlib.Path.home().joinpath('x').touch(); print(getpass.getuser())"
        assert in_container(container, "python", "-c", script) == "openenv"


def test_the_health_check_of_the_image_succeeds_and_fails_with_the_server(image: str) -> None:
    check = json.loads(docker(["image", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", image]))
    assert check[:2] == ["CMD", "python"]
    with running(image) as (container, _):
        in_container(container, *check[1:])
    with running_nothing(image) as container:
        exit_code = in_container(container, "sh", "-c", '"$@" 2>/dev/null || echo failed', "sh", *check[1:])
        assert exit_code == "failed"


@contextmanager
def running_nothing(image: str) -> Iterator[str]:
    container = docker(["run", "--detach", "--init", "--network", "none", image, "sleep", "100"])
    try:
        yield container
    finally:
        docker(["rm", "--force", container])


def test_stopping_the_container_takes_no_time(image: str) -> None:
    with running(image) as (container, _):
        since = time.monotonic()
        docker(["stop", "--time", "20", container])
        assert time.monotonic() - since < 10
        assert docker(["inspect", "--format", "{{.State.ExitCode}}", container]) in ("0", "143")


def test_nothing_private_and_no_tool_is_in_the_image(image: str) -> None:
    added = ["/app", "/opt", "/home"]
    with running_nothing(image) as container:
        search = 'grep --recursive --files-with-matches hunter2 "$@" || true'
        assert in_container(container, "sh", "-c", search, "sh", *added) == ""
        names = {path.rpartition("/")[2] for path in in_container(container, "find", *added).splitlines()}
    assert not names & {"uv", "pip", "uv_cache.json", ".git", ".venv", ".env", "id_rsa", "wheels", "test_more.py"}


def test_the_image_is_small(image: str) -> None:
    sizes = [int(docker(["image", "inspect", "--format", "{{.Size}}", name])) for name in (image, BASE_IMAGE)]
    assert (sizes[0] - sizes[1]) / 1e6 < MAX_ADDED_MB


def test_building_anew_by_our_command_gives_the_same_layers(
    image: str, builder: dict[str, str], environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in builder.items():
        monkeypatch.setenv(name, value)
    for path in environment.rglob("*"):
        os.utime(path, follow_symlinks=False)  # as after a fresh checkout
    with image_name() as name:
        done = CliRunner().invoke(app, ["build", str(environment), "--tag", name, "--no-cache"])
        assert (done.exit_code, done.stdout) == (0, f"Built {name}\n"), done.output
        assert layers(name) == layers(image)


def broken(folder: Path, *steps: str, name: str = "my_env") -> Path:
    """An environment that is a manifest and a Dockerfile."""
    (folder / "openenv.yaml").write_text(f"name: {name}\n")
    (folder / "Dockerfile").write_text("\n".join([f"FROM {BASE_IMAGE}", *steps, ""]))
    return folder


@pytest.mark.usefixtures("engine")
def test_the_folder_one_stands_in_is_built_under_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"x{uuid.uuid4().hex[:10]}"
    monkeypatch.chdir(broken(tmp_path, "RUN echo 'one step'", name=name))
    try:
        done = CliRunner().invoke(app, ["build", "."])
        assert (done.exit_code, done.stdout) == (0, f"Built {name}-env:latest\n")
        assert "one step" in done.stderr
    finally:
        remove_image(f"{name}-env:latest")


@pytest.mark.usefixtures("engine")
def test_another_base_image_and_arguments_are_used_and_the_folder_stays(tmp_path: Path) -> None:
    broken(tmp_path, "ARG NAME", "RUN echo hello $NAME")
    text = (tmp_path / "Dockerfile").read_text().replace(BASE_IMAGE, "no-such-image:0")
    (tmp_path / "Dockerfile").write_text(text)
    with image_name() as name:
        options = ["--tag", name, "--base-image", BASE_IMAGE, "--build-arg", "NAME=you", "--network", "none"]
        done = CliRunner().invoke(app, ["build", str(tmp_path), *options, "--platform", "linux/amd64"])
        assert done.exit_code == 0, done.output
    assert "hello you" in done.stderr
    assert (tmp_path / "Dockerfile").read_text() == text


@pytest.mark.usefixtures("engine")
def test_a_step_that_fails_exits_with_one_and_says_its_lines_once(tmp_path: Path) -> None:
    with image_name() as name:
        done = CliRunner().invoke(app, ["build", str(broken(tmp_path, "RUN echo because; exit 7")), "--tag", name])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(re.findall(r"^(?:#\d+ [\d.]+ )?because$", done.stderr, re.MULTILINE)) == 1
    assert done.stderr.endswith(f"error: the image {name} could not be built\n")


@pytest.mark.usefixtures("engine")
def test_what_is_withheld_and_what_leads_nowhere_is_told(tmp_path: Path) -> None:
    broken(tmp_path)
    (tmp_path / ".env").write_text("hunter2")
    (tmp_path / "out").symlink_to("/etc/hostname")
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["openenv-core"]')
    with image_name() as name:
        done = CliRunner().invoke(app, ["build", str(tmp_path), "--tag", name])
    assert done.exit_code == 0
    assert "hint: not sent, since they look like secrets: .env\n" in done.stderr
    assert "hint: links that lead out of the folder lead nowhere in the image: out\n" in done.stderr
    assert "hint: the image gets this openenv-runtime in place of openenv-core" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "has no openenv.yaml"),
        (["--tag", "My Env"], "'My Env' is no name of an image"),
        (["--build-arg", "=1"], "the build argument '' has no proper name"),
        (["--platform", "amd64"], "'amd64' is no platform"),
        (["--network", "--x"], "'--x' is no network"),
        (["--base-image", "a b"], "'a b' is no name of an image"),
        (["--push"], "names no registry to push to; --tag ghcr.io/you/my_env-env:latest would"),
    ],
)
def test_misuse_exits_with_two(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(broken(tmp_path))
    done = CliRunner().invoke(app, ["build", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_folder_without_a_dockerfile_exits_with_two(tmp_path: Path) -> None:
    (tmp_path / "openenv.yaml").write_text("name: my_env\n")
    done = CliRunner().invoke(app, ["build", str(tmp_path)])
    assert done.exit_code == 2
    assert "has no Dockerfile" in done.stderr


def test_without_an_engine_it_exits_with_one_and_says_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(shutil.which("docker"), "needs the docker command")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    done = CliRunner().invoke(app, ["build", str(broken(tmp_path))])
    assert done.exit_code == 1
    assert "error: the Docker engine does not answer" in done.stderr
    assert "hint: start it" in done.stderr


@pytest.mark.usefixtures("engine")
def test_ctrl_c_ends_the_build_and_leaves_no_container(builder: dict[str, str], tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    broken(tmp_path, f"RUN echo started-{mark} && sleep 100")
    command = [*OPENENV, "build", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env=os.environ | builder, text=True, process_group=0
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.strip().endswith(f"started-{mark}") and "RUN" not in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130
    deadline = time.monotonic() + 15
    while _built_by(mark) and time.monotonic() < deadline:
        threading.Event().wait(0.1)  # the engine removes it a moment after its client is gone
    assert _built_by(mark) == []


def _built_by(mark: str) -> list[str]:
    argv = ["ps", "--all", "--no-trunc", "--filter", f"label={LABEL}", "--format", "{{.Command}}"]
    return [line for line in docker(argv).splitlines() if mark in line]


@pytest.mark.usefixtures("engine")
def test_a_pushed_image_can_be_pulled(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    folder.mkdir()
    broken(folder)
    (folder / "Dockerfile").write_text(f"FROM scratch\nLABEL {LABEL}=pushed\nCOPY openenv.yaml /\n")
    with registry(tmp_path) as address:
        tag = f"{address}/you/my_env:1"
        try:
            done = CliRunner().invoke(app, ["build", str(folder), "--tag", tag, "--push"])
            assert (done.exit_code, done.stdout) == (0, f"Pushed {tag}\n"), done.output
            built = layers(tag)
            remove_image(tag)
            docker(["pull", tag])
            assert layers(tag) == built
        finally:
            remove_image(tag)
