"""Where files ask for OpenEnv's distribution, and what they say when they are to ask for this one."""

import tomllib

import pytest

from openenv.dependency import DISTRIBUTION, Dependency, asked_for, in_command, in_pyproject, in_requirements

OURS = Dependency("1.2.3").in_place

REQUIREMENTS = [
    "openenv",
    "openenv-core",
    "openenv_core",
    "OpenEnv.Core",
    "openenv-core[core]>=0.2.1",
    "openenv [all] ~= 0.4",
    "openenv==0.10.0",
    "openenv>=0.4; python_version >= '3.10'",
    "openenv-core[core] @ git+https://github.com/meta-pytorch/OpenEnv.git@v0.2#subdirectory=src",
    "openenv-core@git+https://github.com/meta-pytorch/OpenEnv.git",
    "git+https://github.com/meta-pytorch/OpenEnv.git",
    "git+ssh://git@github.com/meta-pytorch/OpenEnv@main",
    "https://files.example.org/a/openenv_core-0.3.0-py3-none-any.whl",
]
OTHERS = [
    "openenv-runtime[fast]>=0.1",
    "openenv-my_env",
    "openenvironment",
    "my-openenv",
    "fastapi>=0.116",
    "echo-env @ git+https://huggingface.co/spaces/openenv/echo_env",
    "git+https://github.com/me/OpenEnvironments.git",
]


def project(*requirements: str) -> str:
    listed = "".join(f"    {each!r},  # why\n" if '"' not in each else f"    {each},\n" for each in requirements)
    return f'[project]\nname = "openenv-old"\nversion = "0"\ndependencies = [\n{listed}]\n'


def test_ours_brings_what_theirs_had_and_leaves_older_pythons_alone() -> None:
    assert OURS == "openenv-runtime[fast,mcp]>=1.2.3 ; python_version >= '3.11'"


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_a_requirement_is_replaced_in_a_project_and_in_a_list(requirement: str) -> None:
    text = project(requirement, *OTHERS).replace(repr(requirement), f'"{requirement}"')
    after = in_pyproject(text, OURS)
    assert tomllib.loads(after)["project"]["dependencies"] == [OURS, *OTHERS]
    assert after == text.replace(f'"{requirement}"', f'"{OURS}"')
    lines = "\n".join(["# openenv", requirement, *OTHERS, ""])
    assert in_requirements(lines, OURS) == "\n".join(["# openenv", OURS, *OTHERS, ""])


@pytest.mark.parametrize("requirement", OTHERS)
def test_what_is_only_called_alike_stays(requirement: str) -> None:
    assert in_pyproject(project(requirement), OURS) == project(requirement)
    assert in_requirements(f"{requirement}\n", OURS) == f"{requirement}\n"
    command = f'RUN pip install "{requirement}" -e ./openenv -r openenv/requirements.txt && openenv validate'
    assert in_command(command, OURS) == command


def test_extras_groups_and_uvs_own_lists_are_replaced_too_and_keywords_are_not() -> None:
    text = (
        '[project]\nkeywords = ["openenv-like"]\n[project.optional-dependencies]\ndev = [\'openenv[all]\', "x"]\n'
        '[dependency-groups]\ntest = ["openenv-core>=0.2", {include-group = "dev"}]\n'
        '[tool.uv]\ndev-dependencies = ["openenv"]\n'
    )
    after = tomllib.loads(in_pyproject(text, OURS))
    assert after["project"]["optional-dependencies"]["dev"] == [OURS, "x"]
    assert after["dependency-groups"]["test"][0] == OURS
    assert after["tool"]["uv"]["dev-dependencies"] == [OURS]
    assert after["project"]["keywords"] == ["openenv-like"]


def test_a_string_with_escapes_is_read_as_toml_reads_it() -> None:
    text = project(r'"openenv; python_version >= \"3.10\""')
    assert tomllib.loads(in_pyproject(text, OURS))["project"]["dependencies"] == [OURS]


@pytest.mark.parametrize("text", ["", "not toml [", "project = 3", "[project]\ndependencies = 3", "[tool]\nuv = []"])
def test_a_project_that_cannot_be_read_stays_as_it_is(text: str) -> None:
    assert in_pyproject(text, OURS) == text
    assert asked_for(text) == frozenset()


def test_a_list_keeps_its_line_ends_and_what_is_installed_in_place_or_with_hashes_is_replaced_whole() -> None:
    text = "openenv==0.4 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nx==1 \\\n    --hash=sha256:cc\r\n"
    assert in_requirements(text, OURS) == f"{OURS}\nx==1 \\\n    --hash=sha256:cc\r\n"
    assert in_requirements("openenv\r\nx\r\n", OURS) == f"{OURS}\r\nx\r\n"
    assert in_requirements("-e git+https://h/OpenEnv#egg=openenv", OURS) == OURS


@pytest.mark.parametrize(
    ("command", "after"),
    [
        ("RUN pip install openenv", "RUN pip install '#'"),
        ("RUN pip install openenv-core[core]==0.2.1 x", "RUN pip install '#' x"),
        ("RUN uv pip install --system 'openenv>=0.4' x", "RUN uv pip install --system '#' x"),
        ('RUN pip3.11 install "openenv>=0.4; a != \'x\'" && openenv ps', "RUN pip3.11 install '#' && openenv ps"),
        ("RUN pip install x \\\n    openenv-core \\\n    y\n", "RUN pip install x \\\n    '#' \\\n    y\n"),
        ("RUN uv add openenv; pip install openenv", "RUN uv add '#'; pip install '#'"),
        ("RUN pip install git+https://github.com/meta-pytorch/OpenEnv.git@main", "RUN pip install '#'"),
        ("RUN pip install x\nopenenv serve", "RUN pip install x\nopenenv serve"),
        ("RUN openenv build openenv", "RUN openenv build openenv"),
    ],
)  # fmt: skip
def test_a_command_that_installs_it_installs_ours(command: str, after: str) -> None:
    assert in_command(command, OURS) == after.replace("'#'", f'"{OURS}"')


def test_what_a_project_asks_for_is_named_as_indexes_name_it() -> None:
    names = asked_for(project("OpenEnv_Core[core]>=0.2", "Fast.API", "openenv @ git+https://x/y"))
    assert names == {"openenv-core", "fast-api", "openenv"}
    assert DISTRIBUTION not in names
