"""What of an environment written for OpenEnv changes on the way into an image or a Space, and what stays."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from openenv import GenericEnvClient
from openenv.dependency import Dependency, Wheel
from openenv.hub.image import build_context
from openenv.hub.override import WHEELS, is_concerned, runtime_notes, with_runtime
from openenv.hub.space import contents_of
from tests.support.command import OPENENV
from tests.support.engine import BASE_IMAGE, builder_environment, engine, image_name  # noqa: F401  # a fixture
from tests.support.folders import catalogue_copy
from tests.support.upstream import lock_upstream, write_environment

RELEASED = Dependency("1.2.3")
WHEEL = f"{WHEELS}/openenv_runtime-1.2.3-py3-none-any.whl"
CARRIED = Dependency("1.2.3", Wheel("openenv_runtime-1.2.3-py3-none-any.whl", b"wheel"))
OURS = '[project]\nname = "x"\nversion = "0"\ndependencies = ["openenv-runtime[fast]>=0.1.0.dev0"]\n'
PYPROJECT = '[project]\nname = "openenv-old"\nversion = "0"\ndependencies = ["openenv-core[core]>=0.2.1"]\n'
DOCKERFILE = """\
ARG BASE_IMAGE=python:3.11
FROM ${BASE_IMAGE} AS builder
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/var/cache/uv \\
    if [ -f uv.lock ]; then \\
        uv sync --frozen --no-install-project --no-editable; \\
    else \\
        uv sync --no-install-project; \\
    fi
RUN echo --frozen && uv  sync --no-editable --locked && uv lock --locked
FROM ${BASE_IMAGE}
COPY --from=builder /app /app
CMD ["uv", "run", "--frozen", "server"]
"""


def changed(texts: dict[str, str], dependency: Dependency = RELEASED, dockerfile: str = "Dockerfile") -> dict[str, str]:
    return {path: data.decode() for path, data in with_runtime(texts, dockerfile, lambda: dependency).items()}


def no_dependency() -> Dependency:
    raise AssertionError("nothing asks for it")


def locked(source: str) -> str:
    return f'version = 1\n[[package]]\nname = "openenv-runtime"\nversion = "1"\nsource = {{ {source} }}\n'


@pytest.mark.parametrize(
    ("sources", "lock"),
    [
        ('openenv-runtime = { path = "wheels/x.whl" }', "version = 1\n"),
        ('OpenEnv_Runtime = { index = "mine" }', "version = 1\n"),
        ('x = { path = "x" }', locked('registry = "https://pypi.org/simple"')),
        ("", locked('git = "ssh://git@example.org/me/runtime?rev=main#1"')),
    ],
)
def test_an_environment_that_says_where_ours_is_is_left_alone_and_no_wheel_is_made(sources: str, lock: str) -> None:
    project = f"{OURS}[tool.uv.sources]\n{sources}\n"
    assert (
        with_runtime(
            {"pyproject.toml": project, "Dockerfile": DOCKERFILE, "uv.lock": lock}, "Dockerfile", no_dependency
        )
        == {}
    )


@pytest.mark.parametrize(
    "texts",
    [
        {"pyproject.toml": OURS},
        {"pyproject.toml": f"{OURS}[tool.uv.sources]\nx = {{ path = 'x' }}\n"},
        {"pyproject.toml": OURS, "uv.lock": locked('registry = "../dist"')},
        {"pyproject.toml": OURS, "uv.lock": locked('registry = "file:///dist"')},
        {"pyproject.toml": OURS, "uv.lock": "not toml ["},
        {"pyproject.toml": "[dependency-groups]\nall = [\"OpenEnv.Runtime [mcp] ; python_version > '3'\"]\n"},
        {"server/requirements.txt": "x\n  openenv_runtime==1.2.3\n"},
        {"Dockerfile": "FROM a\nRUN pip install 'openenv-runtime[fast]>=1'\n"},
    ],
)
def test_what_leaves_ours_to_an_index_gets_it_carried_along_unless_it_was_released(texts: dict[str, str]) -> None:
    texts = {"Dockerfile": "FROM a\nRUN uv sync --frozen\n", "uv.lock": "version = 1\n"} | texts
    assert changed(texts, RELEASED) == {}
    after = changed(texts, CARRIED)
    assert after[WHEEL] == "wheel"
    assert after["Dockerfile"].startswith(f"FROM a\nCOPY {WHEELS} /opt/{WHEELS}\nARG PIP_FIND_LINKS")
    assert "--frozen" not in after["Dockerfile"]
    assert after.keys() <= {WHEEL, "Dockerfile", "uv.toml"}


@pytest.mark.parametrize(
    "text",
    ["-e ./openenv-runtime", "openenv-my_env", "openenv-runtime-tools", "openenv-runtime @ https://h/a.whl",
     "openenv-runtime[fast] @ file:///a.whl"],
)  # fmt: skip
def test_what_has_an_address_or_another_name_is_not_sought(text: str) -> None:
    texts = {"requirements.txt": f"{text}\n# openenv-runtime\n", "Dockerfile": f"FROM a\nRUN pip install {text}\n"}
    assert with_runtime(texts, "Dockerfile", no_dependency) == {}


def test_uv_finds_the_wheel_in_a_copy_of_the_folder_and_no_settings_are_hidden_for_that() -> None:
    assert changed({"pyproject.toml": OURS}, CARRIED)["uv.toml"] == f'find-links = ["{WHEELS}"]\n'
    assert "uv.toml" in changed({"pyproject.toml": f"{OURS}[tool.uv.sources]\nx = {{ path = 'x' }}\n"}, CARRIED)
    assert "uv.toml" not in changed({"pyproject.toml": f"{OURS}[tool.uv]\nprerelease = 'allow'\n"}, CARRIED)
    assert "uv.toml" not in changed({"pyproject.toml": OURS, "uv.toml": "offline = true\n"}, CARRIED)
    assert "uv.toml" not in changed({"requirements.txt": "openenv-runtime"}, CARRIED)


@pytest.mark.parametrize("dependency", [RELEASED, CARRIED])
def test_a_lock_that_is_not_there_is_neither_copied_nor_obeyed(dependency: Dependency) -> None:
    texts = {"pyproject.toml": OURS, "Dockerfile": DOCKERFILE}
    after = changed(texts, dependency)
    assert "COPY pyproject.toml ./\n" in after["Dockerfile"]
    assert re.findall(r"uv  ?sync.*", after["Dockerfile"]) == [
        "uv sync --no-install-project --no-editable; \\",
        "uv sync --no-install-project; \\",
        "uv  sync --no-editable && uv lock --locked",
    ]
    *others, last = runtime_notes(texts, with_runtime(texts, "Dockerfile", lambda: dependency), "Dockerfile")
    assert last == "there is no uv.lock, so the image gets the versions that are the newest when it is built"
    assert [WHEELS in each for each in others] == ([] if dependency is RELEASED else [True])


def test_what_does_without_a_lock_is_left_alone() -> None:
    texts = {"pyproject.toml": OURS, "Dockerfile": "FROM a\nCOPY . .\nRUN [ -f uv.lock ] && uv sync --frozen\n"}
    assert changed(texts, RELEASED) == {}
    assert runtime_notes(texts, {}, "Dockerfile") == ()


def test_a_released_runtime_is_asked_for_by_name_and_the_lock_may_be_brought_up_to_date() -> None:
    after = changed({"pyproject.toml": PYPROJECT, "Dockerfile": DOCKERFILE, "uv.lock": ""})
    assert tomllib.loads(after["pyproject.toml"])["project"]["dependencies"] == [RELEASED.in_place]
    expected = DOCKERFILE.replace("uv sync --frozen", "uv sync").replace("--no-editable --locked", "--no-editable")
    assert after["Dockerfile"] == expected
    assert after.keys() == {"pyproject.toml", "Dockerfile"}


def test_another_runtime_is_carried_along_to_the_stages_that_install() -> None:
    ignored = {".dockerignore": "*\n!server\n", "Dockerfile.dockerignore": ".*"}
    after = changed({"pyproject.toml": PYPROJECT, "Dockerfile": DOCKERFILE, **ignored}, CARRIED)
    assert after[WHEEL] == "wheel"
    head, builder, last = after["Dockerfile"].split("FROM ")
    assert builder.splitlines()[1:4] == [
        "COPY openenv-wheels /opt/openenv-wheels",
        "ARG PIP_FIND_LINKS=/opt/openenv-wheels",
        "ARG UV_FIND_LINKS=/opt/openenv-wheels",
    ]
    assert WHEELS not in head + last
    assert after[".dockerignore"].splitlines() == ["*", "!server", f"!{WHEELS}", f"!{WHEELS}/**"]
    assert after["Dockerfile.dockerignore"].splitlines()[-1] == f"!{WHEELS}/**"


def test_a_list_of_requirements_or_a_command_is_enough() -> None:
    files = {"server/requirements.txt": "openenv-core>=0.1\nx\n", "Dockerfile": "FROM a\nRUN pip install -r r\n"}
    after = changed(files)
    assert after == {"server/requirements.txt": f"{RELEASED.in_place}\nx\n"}
    after = changed({"server/Dockerfile": "FROM a\r\nRUN pip install openenv"}, CARRIED, "server/Dockerfile")
    assert after["server/Dockerfile"].startswith("FROM a\r\nCOPY openenv-wheels /opt/openenv-wheels\r\nARG PIP")
    assert after["server/Dockerfile"].endswith(f'\r\nRUN pip install "{CARRIED.in_place}"')


@pytest.mark.parametrize(
    ("path", "concerned"),
    [
        ("pyproject.toml", True),
        ("packages/a/pyproject.toml", True),
        ("requirements.txt", True),
        ("server/requirements-dev.txt", True),
        ("dev-requirements.in", True),
        ("server/Dockerfile", True),
        (".dockerignore", True),
        ("Dockerfile", False),
        ("requirements.md", False),
        ("my_requirements_of_life.csv", False),
        ("uv.lock", True),
        ("uv.toml", True),
        ("a/uv.lock", False),
    ],
)
def test_the_files_that_are_looked_into_are_few(path: str, concerned: bool) -> None:
    assert is_concerned(path, "server/Dockerfile") is concerned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "openenv.yaml").write_text("name: old\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "requirements.txt").write_bytes(b"\xff not text")
    (tmp_path / "server").mkdir()
    (tmp_path / "server/Dockerfile").write_text("FROM a\nCOPY . .\nRUN uv sync --frozen\n")
    return tmp_path


def test_the_context_of_an_image_has_the_changes_and_the_folder_has_not(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    context = build_context(folder, "server/Dockerfile", base_image="python:3.12")
    assert b"openenv-runtime" in context.replaced["pyproject.toml"]
    assert context.replaced["server/Dockerfile"].startswith(b"FROM python:3.12\n")
    assert b"--frozen" not in context.replaced["server/Dockerfile"]
    assert "requirements.txt" not in context.replaced
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert context.notes == (
        "the image gets this openenv-runtime in place of openenv-core, which pyproject.toml asks for",
    )


def test_a_space_has_the_changes_and_says_which_files_were_adapted(folder: Path) -> None:
    (folder / "requirements.txt").unlink()
    files = {file.path: file for file in contents_of(folder).files}
    assert files["pyproject.toml"].made_from == "pyproject.toml"
    assert b"openenv-runtime" in bytes(files["pyproject.toml"].content)
    assert files["Dockerfile"].made_from == "server/Dockerfile"
    assert b"--frozen" not in bytes(files["Dockerfile"].content)
    assert files["server/Dockerfile"].made_from is None


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("engine")
def test_an_environment_written_for_openenv_is_built_with_no_line_changed_and_runs_on_this_distribution(
    tmp_path: Path,
) -> None:
    folder = write_environment(tmp_path / "who_env", "openenv>=0.4")
    lock_upstream(folder, "0.10.0")
    with image_name() as name:
        command = [*OPENENV, "build", "--base-image", BASE_IMAGE, "--tag", name]
        built = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=os.environ | builder_environment("classic")
        )
        assert built.returncode == 0, built.stdout + built.stderr
        with GenericEnvClient.from_docker_image(name) as env:
            env.reset()
            assert env.step({"message": "who?"}).observation["installed"] == ["openenv-runtime"]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("engine")
def test_an_environment_of_the_catalogue_is_built_without_an_index_that_has_this_runtime(tmp_path: Path) -> None:
    folder = catalogue_copy("chess_env", tmp_path)
    with image_name() as name:
        command = [*OPENENV, "build", "--base-image", BASE_IMAGE, "--tag", name]
        built = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, env=os.environ | builder_environment("classic")
        )
        assert built.returncode == 0, built.stdout + built.stderr
        assert re.findall(
            "^hint: (?:there is no uv.lock|the openenv-runtime that runs here)", built.stderr, re.MULTILINE
        )
        with GenericEnvClient.from_docker_image(name) as env:
            assert "e2e4" in env.reset(seed=1).observation["legal_moves"]
            assert env.step({"move": "e4"}).observation["reply"]
    assert not [path for path in (WHEELS, "uv.lock", "uv.toml") if (folder / path).exists()]
