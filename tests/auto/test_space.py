"""`openenv.auto.space`: Spaces on a Hub of this machine, installed into a Python of their own."""

import io
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv import AutoEnv, GenericEnvClient
from openenv.auto.space import hosted_at, install_space, installed_from, pip_command, space_in
from openenv.errors import ConfigurationError
from tests.support.installed import CLIENT, MODELS, from_git, install
from tests.support.space_git import SpaceGit, space_git

FILES = {
    "far_env/__init__.py": CLIENT.replace(".models", "far_env.models"),
    "far_env/models.py": MODELS,
    "far_env/openenv.yaml": "name: far_env\n",
}
PYTHON = sys.executable
RUNNING = {"host": "https://alice-far-env.hf.space", "runtime": {"stage": "RUNNING"}}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpaceGit]:
    """A Hub with nothing on it."""
    with space_git(tmp_path / "hub") as hub:
        for name in ("http_proxy", "HTTP_PROXY", "OPENENV_TRUST_REMOTE_CODE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python of its own, which sees all that this one has installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    (packages / "all.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return tmp_path / "venv/bin/python"


def run(python: Path, program: str, **variables: str) -> list[Any]:
    """Run a program that calls `tell(...)`, and give what it told."""
    head = """
import json, sys
from openenv import AutoAction, AutoEnv
from openenv.errors import OpenEnvError
def tell(value): print("TOLD", json.dumps(value))
def refused(call, *args, **options):
    try: call(*args, **options)
    except OpenEnvError as error: tell([type(error).__name__, str(error)])
"""
    env = {**os.environ, "UV_CACHE_DIR": str(python.parents[2] / "cache"), **variables}
    ran = subprocess.run(
        [python, "-c", head + program], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line[5:]) for line in ran.stdout.splitlines() if line.startswith("TOLD ")]


@pytest.mark.timeout(60)
def test_a_space_is_installed_once_somebody_trusts_it_and_another_owner_does_not_stand_in(
    hub: SpaceGit, python: Path
) -> None:
    hub.add("alice/far_env", FILES, name="openenv-far-env", needs=("openenv-core[core]>=0.2", "openenv>=0.3"))
    hub.add("bob/far_env", FILES, name="openenv-far-env")
    hub.told["alice/far_env"] = RUNNING
    told = run(
        python,
        """
refused(AutoEnv.from_env, "alice/far_env")
refused(AutoEnv.get_env_info, "alice/far_env")
env = AutoEnv.from_env("alice/far_env", trust_remote_code=True)
tell([type(env).__name__, env.base_url])
tell(AutoAction.from_env("alice/far_env").__name__)  # is installed, so nobody is asked
tell(AutoEnv.from_env("far", "http://localhost:1").base_url)
tell(AutoEnv.get_env_info("alice/far_env")["origin"])
refused(AutoEnv.from_env, "bob/far_env", trust_remote_code=True)
from importlib.metadata import distributions
tell([each.name for each in distributions() if each.name in ("openenv", "openenv-core")])
""",
    )
    untrusted, unknown, *done, other, theirs = told
    where = f"{hub.url}/spaces/alice/far_env"
    assert untrusted[0] == "ConfigurationError"
    assert f"read it at {where}, then say trust_remote_code=True or set OPENENV_TRUST_REMOTE_CODE=1" in untrusted[1]
    assert "alice/far_env is not installed" in unknown[1]
    assert done == [["MoveEnv", RUNNING["host"]], "MoveAction", "http://localhost:1", where]
    assert "openenv-far-env is installed, and not from bob/far_env but from" in other[1]
    assert theirs == []


@pytest.mark.timeout(60)
def test_what_cannot_be_installed_leaves_nothing_behind(hub: SpaceGit, python: Path, tmp_path: Path) -> None:
    hub.add("alice/far_env", FILES, name="openenv-far-env", needs=(f"gone @ file://{tmp_path}/gone.whl",))
    hub.add("alice/tool", {"tool/__init__.py": ""}, name="some-tool")
    told = run(
        python,
        """
from openenv.hub.discovery import list_installed
for space in ("alice/far_env", "alice/tool", "alice/nothing"):
    refused(AutoEnv.from_env, space)
tell([each.name for each in list_installed()])
""",
        OPENENV_TRUST_REMOTE_CODE="yes",
    )
    assert [kind for kind, _ in told[:3]] == ["HubError", "ConfigurationError", "HubError"]
    assert "what alice/far_env depends on could not be installed" in told[0][1]
    assert "its package is no environment" in told[1][1]
    assert "alice/nothing could not be installed" in told[2][1]
    assert told[3] == []


@pytest.mark.parametrize(
    ("uv", "arguments", "command"),
    [
        (
            "/uv",
            ["install", "x"],
            ["/uv", "pip", "install", "--quiet", "--python", PYTHON, "--overrides", "o.txt", "x"],
        ),
        ("/uv", ["uninstall", "x"], ["/uv", "pip", "uninstall", "--quiet", "--python", PYTHON, "x"]),
        (None, ["install", "x"], [PYTHON, "-m", "pip", "install", "--quiet", "x"]),
        (None, ["uninstall", "x"], [PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", "x"]),
    ],
)
def test_uv_installs_or_else_pip(uv: str | None, arguments: list[str], command: list[str]) -> None:
    assert pip_command(uv, arguments, Path("o.txt")) == command


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yep\n"])
def test_at_a_terminal_somebody_is_asked(answer: str, hub: SpaceGit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))
    shown = _Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    with pytest.raises(ConfigurationError, match="installing it runs it"):
        install_space("alice/asked_env", trusted=False)
    assert shown.getvalue() == (
        f"Installing alice/asked_env runs the code at {hub.url}/spaces/alice/asked_env on this machine. Go on? [y/N] "
    )


def test_what_is_installed_from_the_space_is_used_without_asking(hub: SpaceGit, site: Path) -> None:
    install(site, "openenv-far-env", FILES, metadata=from_git(f"{hub.url}/spaces/Alice/far_env.git"))
    assert install_space("alice/far_env", trusted=False) == installed_from("alice/far_env")
    assert installed_from("bob/far_env") is None


def test_a_running_space_is_driven_where_it_is(hub: SpaceGit) -> None:
    hub.told["alice/far_env"] = RUNNING
    env = AutoEnv.from_env("alice/far_env", skip_install=True)
    assert (type(env), env.base_url) == (GenericEnvClient, RUNNING["host"])
    assert AutoEnv.from_env(f"{hub.url}/spaces/alice/far_env", skip_install=True).base_url == RUNNING["host"]


@pytest.mark.parametrize(
    "told",
    [
        None,
        b"not json",
        [],
        "text",
        {"host": "https://x", "runtime": {"stage": "SLEEPING"}},
        {"host": "https://x", "runtime": None},
        {"host": 5, "runtime": {"stage": "RUNNING"}},
        {"host": "file:///etc/passwd", "runtime": {"stage": "RUNNING"}},
        {"runtime": {"stage": "RUNNING"}},
    ],
)
def test_a_space_that_does_not_run_is_nowhere(hub: SpaceGit, told: object) -> None:
    hub.told["alice/far_env"] = told
    assert hosted_at("alice/far_env") is None


def test_a_hub_that_cannot_be_reached_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert hosted_at("alice/far_env") is None


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("alice/my-env", "alice/my-env"),
        ("https://huggingface.co/spaces/alice/my_env", "alice/my_env"),
        ("https://huggingface.co/alice/my_env/", "alice/my_env"),
        ("https://alice-my-env.hf.space", None),
        ("http://localhost:8000/a/b", None),
        ("my_env", None),
        ("../my_env", None),
        ("-x/y", None),
        ("a/b/c", None),
        ("a b/c", None),
    ],
)
def test_spaces_are_told_from_other_names(name: str, space: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert space_in(name) == space
