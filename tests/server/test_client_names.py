"""`openenv.server.client_names`: which client is an environment's own, by what its package's files say."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from openenv.env import spec_of
from openenv.env.mcp import CallToolAction
from openenv.server.client_names import ClientNames, client_names
from openenv.server.schema import Schemas
from tests.server.peers import http
from tests.server.stage import app_of
from tests.support.command import ROOT, openenv_serve
from tests.support.echo import EchoAction, EchoEnvironment
from tests.support.folders import environment_folder
from tests.support.serving import serving

_CLIENT = """from openenv import EnvClient, State
from .models import {0}, Seen


class {1}(EnvClient[{0}, Seen, State]):
    pass
"""
_PACKAGE = {
    "__init__.py": "from .client import OwnEnv\nfrom .models import OwnAction\n",
    "client.py": _CLIENT.format("OwnAction", "OwnEnv"),
    "models.py": "raise ImportError('nothing of the package is to be imported')\n",
    "server/__init__.py": "",
    "server/made.py": "from tests.support.echo import EchoEnvironment\nclass Made(EchoEnvironment): pass\n",
}
_PROJECT = '[tool.setuptools]\npackage-dir = { "own_env" = ".", "own_env.server" = "server" }\n'


class OwnAction(EchoAction):
    """Has the name of the action of `_PACKAGE`."""


Lay = Callable[..., type]


@pytest.fixture
def lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lay]:
    """Write a package's files, and import its environment as a served folder does: as `server_of_own.made`."""
    before = set(sys.modules)

    def lay(files: dict[str, str]) -> type:
        for path, text in (_PACKAGE | files).items():
            path = path.replace("server/", "server_of_own/")
            (tmp_path / "own" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "own" / path).write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path / "own"))
        made: type = importlib.import_module("server_of_own.made").Made
        return made

    yield lay
    for name in set(sys.modules) - before:
        if name.startswith(("server_of_own", "own_pkg")):
            del sys.modules[name]


FOUND = ClientNames("own_env", "OwnEnv", "OwnAction")


def test_module_imported_from_within_its_folder_has_the_package_that_pyproject_names(lay: Lay) -> None:
    assert client_names(lay({"pyproject.toml": _PROJECT}), OwnAction) == FOUND


def test_module_imported_as_part_of_its_package_has_that_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay: Lay
) -> None:
    lay({"__init__.py": _PACKAGE["__init__.py"].replace("from", "if 0:\n    from")})  # read, and importing nothing
    (tmp_path / "own").rename(tmp_path / "own_pkg")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = importlib.import_module("own_pkg.server_of_own.made").Made
    assert client_names(made, OwnAction) == ClientNames("own_pkg", "OwnEnv", "OwnAction")


def test_names_are_those_under_which_the_package_gives_them_away(lay: Lay) -> None:
    given = "from .client import OwnEnv as Env\nfrom .models import OwnAction as Act\n"
    made = lay({"pyproject.toml": _PROJECT, "__init__.py": given})
    assert client_names(made, OwnAction) == ClientNames("own_env", "Env", "Act")


@pytest.mark.parametrize(
    "client",
    [
        "from openenv.client import EnvClient as Base\nclass OwnEnv(Base[OwnAction, int, int]): ...\n",
        "import openenv\nclass OwnEnv(openenv.EnvClient[OwnAction, int, int]): ...\n",
    ],
)
def test_base_may_be_named_in_other_ways(lay: Lay, client: str) -> None:
    assert client_names(lay({"pyproject.toml": _PROJECT, "client.py": client}), OwnAction) == FOUND


def test_client_of_tools_takes_calls_of_tools(lay: Lay) -> None:
    client = "from openenv.client import MCPToolClient as Base\nclass OwnEnv(Base): ...\n"
    given = "from .client import OwnEnv\nfrom .models import CallToolAction, OwnAction\n"
    made = lay({"pyproject.toml": _PROJECT, "client.py": client, "__init__.py": given})
    assert client_names(made, CallToolAction) == ClientNames("own_env", "OwnEnv", "CallToolAction")
    assert client_names(made, OwnAction) is None


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pyproject.toml": "no = TOML ="},
        {"pyproject.toml": "[tool]\nsetuptools = 3\n"},
        {"pyproject.toml": "[tool.setuptools]\npackage-dir = { '' = '.', own_env = 'src' }\n"},
        {"__init__.py": "from .client import OwnEnv\n"},
        {"__init__.py": "from .models import OwnAction\n"},
        {"__init__.py": "from elsewhere import OwnEnv, OwnAction\n"},
        {"__init__.py": "this is no Python"},
        {"client.py": _CLIENT.format("OtherAction", "OwnEnv")},
        {"client.py": _CLIENT.format("OwnAction", "OtherEnv")},
        {"client.py": "class EnvClient: ...\nclass OwnEnv(EnvClient[OwnAction, int, int]): ...\n"},
        {"client.py": "from openenv import AsyncEnvClient\nclass OwnEnv(AsyncEnvClient[OwnAction, int, int]): ...\n"},
        {"client.py": "from openenv import EnvClient\nclass OwnEnv(EnvClient): ...\n"},
        {"client.py": "\0"},
    ],
    ids=str,
)
def test_client_that_cannot_be_named_for_sure_is_none(lay: Lay, files: dict[str, str]) -> None:
    assert client_names(lay(({"pyproject.toml": _PROJECT} if files else {}) | files), OwnAction) is None


def test_class_of_no_file_has_none() -> None:
    assert client_names(type("Loose", (), {"__module__": "no.such.module"}), OwnAction) is None
    assert client_names(type("Built", (), {"__module__": "builtins"}), OwnAction) is None
    assert client_names(EchoEnvironment, EchoAction) is None


def test_schemas_tell_it_once_the_class_of_the_environment_is_known(lay: Lay) -> None:
    made = lay({"pyproject.toml": _PROJECT})
    assert "client" not in Schemas(OwnAction, EchoAction, lambda: None).described()
    told = Schemas(OwnAction, EchoAction, lambda: spec_of(made)).described()["client"]
    assert told == {"package": "own_env", "client_class": "OwnEnv", "action_class": "OwnAction"}


def test_route_leaves_out_what_is_not_found() -> None:
    with serving(app_of(EchoEnvironment), log_config=None) as url, http(url) as client:
        assert "client" not in client.get("/schema").json()


@pytest.mark.slow
@pytest.mark.parametrize("app", ["server.app:app", "my_env.server.app:app"])
def test_scaffolded_environment_names_its_client_and_the_names_work(tmp_path: Path, app: str) -> None:
    folder = environment_folder(tmp_path)
    manifest = folder / "openenv.yaml"
    manifest.write_text(manifest.read_text().replace("app: server.app:app", f"app: {app}"))
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    with openenv_serve(folder, environ={"PYTHONPATH": path}) as server:
        told = httpx.get(f"{server.url}/schema", trust_env=False).json()["client"]
        assert told == {"package": "my_env", "client_class": "MyEnv", "action_class": "MyAction"}
        code = (
            f"from {told['package']} import {told['action_class']}, {told['client_class']}\n"
            f"with {told['client_class']}('{server.url}') as env:\n"
            "    env.reset()\n"
            f"    print(env.step({told['action_class']}(message='hi')).observation.echoed_message)\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
        )
    assert (ran.stdout, ran.returncode) == ("hi\n", 0), ran.stderr
