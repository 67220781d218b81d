"""What Docker is told about an image, and what becomes of a build that fails; built by the real engine."""

import re
import shutil
from pathlib import Path

import pytest

from openenv.engine import docker
from openenv.errors import BuildFailed, ConfigurationError, EngineFailed, NotInstalled
from openenv.hub.image import (
    BuildPlan,
    advice,
    build_argv,
    build_context,
    build_image,
    default_tag,
    find_dockerfile,
    push_image,
)
from tests.support.engine import BASE_IMAGE, BUILDERS, LABEL, builder_environment, engine, image_name  # noqa: F401  # a fixture
from tests.support.services import require

pytestmark = pytest.mark.timeout(60)
with_engine = pytest.mark.usefixtures("engine")


@pytest.fixture(params=BUILDERS)
def builder(request: pytest.FixtureRequest, engine: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    for name, value in builder_environment(request.param).items():
        monkeypatch.setenv(name, value)


with_either_builder = pytest.mark.usefixtures("builder")


def folder_with(folder: Path, *steps: str, base: str = BASE_IMAGE) -> Path:
    (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *steps, ""]))
    return folder


def build(folder: Path, tag: str, **options: object) -> list[str]:
    lines: list[str] = []
    plan = BuildPlan(tag=tag, dockerfile="Dockerfile", network="none", **options)  # type: ignore[arg-type]
    build_image(build_context(folder, "Dockerfile"), plan, lines.append)
    return lines


def test_the_plainest_build_names_the_image_and_the_dockerfile() -> None:
    plan = BuildPlan(tag="my_env-env:latest")
    assert build_argv(plan) == [
        "build", "--tag", "my_env-env:latest", "--file", "server/Dockerfile", "--force-rm", "-",
    ]  # fmt: skip


def test_every_option_reaches_docker() -> None:
    plan = BuildPlan(
        tag="t", dockerfile="D", platform="linux/arm64", no_cache=True, build_args=["A=1 2", "B"], network="host"
    )
    assert build_argv(plan) == [
        "build", "--tag", "t", "--file", "D", "--force-rm", "--platform", "linux/arm64", "--no-cache",
        "--network", "host", "--build-arg", "A=1 2", "--build-arg", "B", "-",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "tag",
    ["a", "my_env-env:latest", "ghcr.io/you/my_env:1.0", "localhost:5000/a/b_c:x", "[::1]:5000/a", "you/env", "A.b/c"],
)
def test_a_name_of_an_image_is_taken(tag: str) -> None:
    assert BuildPlan(tag=tag).tag == tag


@pytest.mark.parametrize("tag", ["", "My_Env", "a:", "a b", "-t", "a:b:c", "a/", "/a", "a@b", "--push", "a:-x", "a\n"])
def test_a_bad_name_of_an_image_is_refused(tag: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of an image"):
        BuildPlan(tag=tag)


@pytest.mark.parametrize("argument", ["", "=1", "1A=x", "A B=x", "-x"])
def test_a_bad_build_argument_is_refused(argument: str) -> None:
    with pytest.raises(ConfigurationError, match="has no proper name"):
        BuildPlan(tag="a", build_args=[argument])


def test_the_value_of_a_bad_build_argument_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="'A-B'") as caught:
        BuildPlan(tag="a", build_args=["A-B=hunter2"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("platform", ["", "linux", "linux/amd64,linux/arm64", "--x"])
def test_a_bad_platform_is_refused(platform: str) -> None:
    with pytest.raises(ConfigurationError, match="is no platform"):
        BuildPlan(tag="a", platform=platform)


def test_a_bad_network_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no network"):
        BuildPlan(tag="a", network="--x")


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("my_env", "my_env-env:latest"),
        ("echo", "echo-env:latest"),
        ("My Env!", "my-env-env:latest"),
        ("a___b", "a-b-env:latest"),
        ("Étude", "tude-env:latest"),
    ],
)
def test_an_image_is_named_after_its_environment(name: str, tag: str) -> None:
    assert default_tag(name) == tag


def test_a_name_that_no_image_can_have_asks_for_a_tag() -> None:
    with pytest.raises(ConfigurationError, match="--tag"):
        default_tag("環境")


def test_the_dockerfile_is_found_in_the_server_folder_first(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no Dockerfile; it should be at server/Dockerfile or Dockerfile"):
        find_dockerfile(tmp_path)
    folder_with(tmp_path)
    assert find_dockerfile(tmp_path) == "Dockerfile"
    (tmp_path / "server").mkdir()
    folder_with(tmp_path / "server")
    assert find_dockerfile(tmp_path) == "server/Dockerfile"


def test_another_base_image_changes_what_is_sent_and_not_the_folder(tmp_path: Path) -> None:
    folder_with(tmp_path, "RUN true", base="python:3.11")
    context = build_context(tmp_path, "Dockerfile", base_image="python:3.12")
    assert context.replaced == {"Dockerfile": b"FROM python:3.12\nRUN true\n"}
    assert (tmp_path / "Dockerfile").read_text() == "FROM python:3.11\nRUN true\n"


def test_a_dockerfile_that_is_no_text_cannot_have_another_base_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="Dockerfile cannot be read"):
        build_context(tmp_path, "Dockerfile", base_image="python:3.12")


@pytest.mark.parametrize(
    ("logs", "hint"),
    [
        ("write /x: no space left on device", "docker system prune"),
        ("the --mount option requires BuildKit.", "docker-buildx"),
        ("COPY failed: file not found in build context: stat uv.lock: file does not exist", "uv lock"),
        ("pull access denied for nothing, repository does not exist", "--base-image"),
        ("Temporary failure in name resolution", "--network host"),
    ],
)
def test_a_failure_that_is_known_says_what_to_do(logs: str, hint: str) -> None:
    assert hint in str(advice(logs))


def test_a_failure_that_is_not_known_says_nothing() -> None:
    assert advice("make: *** [all] Error 2") is None


@with_either_builder
def test_lines_are_handed_over_and_the_image_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    folder_with(tmp_path, "ARG NAME", "COPY file /file", "RUN echo hello $NAME")
    with image_name() as name:
        lines = build(tmp_path, name, build_args=["NAME=world"])
        assert any(line.endswith("hello world") for line in lines)
        assert docker(["run", "--rm", "--network", "none", name, "cat", "/file"]) == "content"


@with_either_builder
def test_a_build_argument_without_a_value_takes_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "variable")
    folder_with(tmp_path, "ARG NAME", "RUN echo hello $NAME")
    with image_name() as name:
        assert any(line.endswith("hello variable") for line in build(tmp_path, name, build_args=["NAME"]))


@with_either_builder
def test_a_step_that_fails_is_quoted_and_leaves_nothing(tmp_path: Path) -> None:
    folder_with(tmp_path, "RUN echo the reason; exit 7")
    with image_name() as name:
        with pytest.raises(BuildFailed, match=rf"the image {name} could not be built") as caught:
            build(tmp_path, name)
        assert caught.value.exit_code in (1, 7)  # one builder passes the code on, the other does not
        assert "the reason" in caught.value.logs
        assert re.search("code: 7$", caught.value.logs, re.MULTILINE)
        assert docker(["image", "ls", "--quiet", name]) == ""
    # Containers of a build have the label of what they are built on.
    exited = docker(["ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Command}}", "--no-trunc"])
    assert "the reason" not in exited


@with_either_builder
def test_a_full_disk_is_named_and_says_what_to_do(tmp_path: Path) -> None:
    # In a build, /dev/shm is a file system of 64 MB.
    folder_with(tmp_path, "RUN dd if=/dev/zero of=/dev/shm/fill bs=1M count=100")
    with image_name() as name, pytest.raises(BuildFailed, match="No space left on device") as caught:
        build(tmp_path, name)
    assert "docker system prune" in str(caught.value.hint)


@with_engine
def test_a_base_image_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    folder_with(tmp_path, base="localhost:1/no/such:image")
    with image_name() as name, pytest.raises(BuildFailed, match="connection refused"):
        build(tmp_path, name)


@with_either_builder
def test_a_file_that_is_gone_fails_the_build(tmp_path: Path) -> None:
    folder_with(tmp_path, "COPY . /all")
    (tmp_path / "file").write_text("")
    context = build_context(tmp_path, "Dockerfile")
    (tmp_path / "file").unlink()
    with image_name() as name:
        plan = BuildPlan(tag=name, dockerfile="Dockerfile", network="none")
        with pytest.raises(BuildFailed, match="file could not be sent"):
            build_image(context, plan, lambda line: None)
        assert docker(["image", "ls", "--quiet", name]) == ""


@with_engine
def test_a_registry_that_does_not_answer_fails_the_push(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="`docker push localhost:1/"):
        push_image("localhost:1/no/such:image", lambda line: None)


def test_without_an_engine_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(shutil.which("docker"), "needs the docker command")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    context = build_context(folder_with(tmp_path), "Dockerfile")
    with pytest.raises(NotInstalled, match="does not answer") as caught:
        build_image(context, BuildPlan(tag="a"), lambda line: None)
    assert "start it" in str(caught.value.hint)
