"""`openenv.scaffold.render`: the template with the names put in."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from openenv.dependency.wheel import Dependency, Wheel
from openenv.scaffold.names import MAX_LENGTH, Names
from openenv.scaffold.render import render, template_files

RELEASED = Dependency("1.2.3")
UNRELEASED = Dependency("1.2.3.dev0", Wheel("openenv_runtime-1.2.3.dev0-py3-none-any.whl", b"a wheel"))
SEED_TREE = {
    ".dockerignore",
    "README.md",
    "__init__.py",
    "client.py",
    "models.py",
    "openenv.yaml",
    "pyproject.toml",
    "server/Dockerfile",
    "server/__init__.py",
    "server/app.py",
    "server/my_env_environment.py",
    "tests/test_my_env.py",
}


def _render(name: str = "my_env", dependency: Dependency = RELEASED) -> dict[str, str]:
    rendered = render(Names.parse(name), dependency, template_files())
    return {path: text for path, text in rendered.items() if isinstance(text, str)}


def test_tree_is_the_seeds() -> None:
    assert set(_render()) == SEED_TREE


def test_unreleased_runtime_comes_along_as_a_wheel() -> None:
    rendered = render(Names.parse("my_env"), UNRELEASED, template_files())
    assert set(rendered) == SEED_TREE | {"wheels/openenv_runtime-1.2.3.dev0-py3-none-any.whl"}
    assert rendered["wheels/openenv_runtime-1.2.3.dev0-py3-none-any.whl"] == b"a wheel"


@pytest.mark.parametrize("dependency", [RELEASED, UNRELEASED])
def test_no_placeholder_is_left(dependency: Dependency) -> None:
    for path, text in _render(dependency=dependency).items():
        assert not re.search("__[A-Z]", path + text), path


def test_placeholder_without_a_value_is_a_bug() -> None:
    with pytest.raises(KeyError, match="__NO_SUCH_THING__"):
        render(Names.parse("my_env"), RELEASED, {"a.txt": "__NO_SUCH_THING__"})


def test_placeholder_may_touch_other_underscores() -> None:
    rendered = render(Names.parse("my_env"), RELEASED, {"__ENV_NAME___x.py": "__ENV_NAME__env __init__ __ENV_NAME___x"})
    assert rendered == {"my_env_x.py": "my_envenv __init__ my_env_x"}


def test_rendering_again_gives_the_same() -> None:
    assert _render("MyEnv") == _render("my-env")
    assert list(_render()) == sorted(_render())


def test_compiled_files_beside_the_template_are_not_rendered() -> None:
    folder = Path(str(files("openenv.scaffold").joinpath("template")))
    compiled = folder / "server" / "__pycache__"
    existed = compiled.is_dir()
    compiled.mkdir(exist_ok=True)
    (compiled / "app.cpython-311.pyc").write_bytes(b"\xff")
    try:
        assert set(_render()) == SEED_TREE
    finally:
        (compiled / "app.cpython-311.pyc").unlink()
        if not existed:
            compiled.rmdir()


@pytest.mark.parametrize("dependency", [RELEASED, UNRELEASED])
def test_project_depends_on_the_runtime_alone(dependency: Dependency) -> None:
    project = tomllib.loads(_render(dependency=dependency)["pyproject.toml"])
    assert project["project"]["name"] == "openenv-my-env"
    assert project["project"]["dependencies"] == [dependency.requirement]
    assert project["project"]["scripts"] == {"server": "my_env.server.app:main"}
    sources = project["tool"].get("uv", {}).get("sources")
    assert sources == (
        {"openenv-runtime": {"path": "wheels/openenv_runtime-1.2.3.dev0-py3-none-any.whl"}}
        if dependency.wheel
        else None
    )


def test_wheels_are_mentioned_only_where_there_are_some() -> None:
    assert not [path for path, text in _render().items() if "wheels" in text]
    unreleased = _render(dependency=UNRELEASED)
    assert "COPY wheels ./wheels\n" in unreleased["server/Dockerfile"]
    assert "├── wheels/" in unreleased["README.md"]
    assert "pip install --find-links wheels -e ." in unreleased["README.md"]


def test_manifest_says_where_the_application_is() -> None:
    assert yaml.safe_load(_render()["openenv.yaml"]) == {
        "spec_version": 1,
        "name": "my_env",
        "version": "0.1.0",
        "type": "space",
        "runtime": "fastapi",
        "app": "server.app:app",
        "port": 8000,
    }


def test_readme_opens_with_the_front_matter_of_a_space() -> None:
    names = Names.parse("my_game_env")
    front_matter = yaml.safe_load(_render("my_game_env")["README.md"].split("---\n")[1])
    assert front_matter == {
        "title": "My Game Environment Server",
        "emoji": names.emoji,
        "colorFrom": names.colour_from,
        "colorTo": names.colour_to,
        "sdk": "docker",
        "pinned": False,
        "app_port": 8000,
        "base_path": "/web",
        "tags": ["openenv"],
    }


def test_readme_draws_the_tree_that_is_made() -> None:
    drawing = _render()["README.md"].split("## Project Structure")[1]
    drawn = re.findall(r"── (\S+)", drawing)
    made = {part for path in SEED_TREE for part in path.split("/")} | {"uv.lock"}
    assert {name.rstrip("/") for name in drawn} == made


@pytest.mark.parametrize("name", ["my_env", "a" * MAX_LENGTH, "a_" * (MAX_LENGTH // 2 - 1) + "bc"])
def test_line_length_has_room_for_every_line_of_code(name: str) -> None:
    rendered = _render(name)
    limit = tomllib.loads(rendered["pyproject.toml"])["tool"]["ruff"]["line-length"]
    snippets = re.findall(r"```python\n(.*?)```", rendered["README.md"], re.DOTALL)
    code = [text for path, text in rendered.items() if path.endswith(".py")] + snippets
    assert max(len(line) for text in code for line in text.splitlines()) <= limit <= 320
