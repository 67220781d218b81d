"""Modules that are lists of names: imported, reloaded, patched, pickled and looked through like any others."""

import importlib
import multiprocessing
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

import openenv
import openenv.core
from openenv.compat import Alias, AliasFinder, install
from openenv.types import Action, StepResult


def run(program: str, *options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, cwd=cwd)


def test_a_submodule_is_an_attribute_though_nobody_imported_it() -> None:
    said = run("import openenv; print(openenv.core.env_server.types.Action is openenv.Action, openenv.cli.__name__)")
    assert said.stdout.split() == ["True", "openenv.cli"], said.stderr


def test_a_star_import_brings_every_name() -> None:
    names: dict[str, object] = {}
    exec("from openenv.core.env_server.types import *", names)
    assert names["Action"] is Action
    assert {"WSErrorCode", "ConcurrencyConfig", "EnvironmentMetadata"} <= names.keys()


def test_a_star_import_of_everything_needs_no_extra() -> None:
    missing = "".join(
        f"sys.modules[{name!r}] = None; " for name in ("fastmcp", "mcp", "gradio", "docker", "kubernetes")
    )
    said = run(f"import sys; {missing}from openenv.core import *; print(MCPEnvironment, create_app)")
    assert said.returncode == 0, said.stderr


def test_a_module_can_be_imported_under_another_name() -> None:
    import openenv.core.env_client as clients

    assert clients.StepResult is StepResult
    assert isinstance(clients, Alias)


def test_what_is_not_there_is_an_attribute_error_or_an_import_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'openenv.core' has no attribute 'Enviroment'"):
        _ = openenv.core.Enviroment  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match=r"cannot import name 'Enviroment' from 'openenv\.core'"):
        exec("from openenv.core import Enviroment")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'openenv.core.env_srever'"):
        importlib.import_module("openenv.core.env_srever")
    assert importlib.util.find_spec("openenv.core.env_srever") is None


@pytest.mark.parametrize("old", ["from core.env_server import Action", "from envs.echo_env import EchoEnv"])
def test_a_ladder_of_imports_goes_on_where_a_path_is_ancient(old: str, tmp_path: Path) -> None:
    ladder = f"try:\n    {old}\nexcept ImportError:\n    from openenv.core.env_server import Action\nprint(Action)"
    assert run(ladder, cwd=tmp_path).stdout == "<class 'openenv.types.Action'>\n"


def test_a_patched_name_is_what_is_imported_until_it_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("openenv.core.env_client.EnvClient", "another")
        names: dict[str, object] = {}
        exec("from openenv.core.env_client import EnvClient", names)
        assert names["EnvClient"] == "another"
    assert importlib.import_module("openenv.core.env_client").EnvClient is openenv.EnvClient
    with mock.patch("openenv.core.rubrics.base.Rubric", "another"):
        assert importlib.import_module("openenv.core.rubrics.base").Rubric == "another"
    assert (
        importlib.import_module("openenv.core.rubrics.base").Rubric
        is importlib.import_module("openenv.env.rubrics").Rubric
    )


def test_reloading_looks_the_names_up_anew() -> None:
    module = importlib.import_module("openenv.core.sync_client")
    module.SyncEnvClient = "stale"  # type: ignore[attr-defined]
    again = importlib.reload(module)
    assert again is module
    assert module.SyncEnvClient is openenv.client.SyncEnvClient


def test_what_was_pickled_under_an_old_path_is_read() -> None:
    # Protocol 0 is text: module and name, as another package wrote them.
    stored = b"copenenv.core.env_server.types\nAction\n(tR."
    assert pickle.loads(stored) == Action()
    assert pickle.loads(pickle.dumps(StepResult(1, 2.0, True))) == StepResult(1, 2.0, True)


def _found_in_a_new_process(path: str) -> str:
    module, _, name = path.partition(":")
    return str(getattr(importlib.import_module(module), name))


@pytest.mark.timeout(60)
def test_a_spawned_process_finds_the_paths() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_found_in_a_new_process, ("openenv.core.env_server.interfaces:State",))
    assert found == "<class 'openenv.types.State'>"


def test_running_one_as_a_program_is_refused_and_looking_through_packages_is_quiet() -> None:
    ran = subprocess.run([sys.executable, "-m", "openenv.core.client_types"], capture_output=True, text=True)
    assert ran.returncode == 1
    assert "No code object available for openenv.core.client_types" in ran.stderr
    assert "core" not in {module.name for module in pkgutil.iter_modules(openenv.__path__)}
    assert list(pkgutil.walk_packages(openenv.core.__path__)) == []


def test_the_finder_is_installed_once_and_before_folders_are_searched() -> None:
    install()
    assert sys.meta_path.count(AliasFinder) == 1  # the class is the finder
    names = [getattr(finder, "__name__", "") for finder in sys.meta_path]
    assert names.index("AliasFinder") < names.index("PathFinder")


def test_other_imports_are_left_to_others() -> None:
    assert AliasFinder.find_spec("openenv.client") is None
    assert AliasFinder.find_spec("openenv.corefu") is None
    assert AliasFinder.find_spec("json") is None


def test_an_error_behind_a_name_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openenv.compat.extras", None)
    module = importlib.reload(importlib.import_module("openenv.core.utils"))
    with pytest.raises(ImportError, match=r"openenv.compat.extras"):
        module.hf_space_subdomain("a/b")
