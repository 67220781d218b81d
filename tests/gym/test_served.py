"""`openenv serve gym:...`, as its user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from openenv.errors import ConfigurationError
from openenv.gym import make, make_vec, served
from tests.support.command import OPENENV, ROOT, openenv_serve


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--isolation", "process")])
def test_registered_id_is_served_without_a_folder(options: tuple[str, ...], tmp_path: Path) -> None:
    target = "gym:FrozenLake-v1?is_slippery=false&map_name=8x8"
    with openenv_serve(target, "--max-sessions", "3", *options, cwd=tmp_path) as serving:
        assert serving.said.startswith("Serving FrozenLake-v1 at ")
        local = gymnasium.make("FrozenLake-v1", is_slippery=False, map_name="8x8")
        remote, vector = make(serving.url), make_vec(serving.url, 2)
        assert remote.observation_space == local.observation_space
        assert remote.reset(seed=1) == local.reset(seed=1)
        for action in (1, 1, 2):
            assert remote.step(action) == local.step(action)
        vector.reset(seed=1)
        assert vector.step(np.array([1, 2]))[0].tolist() == [8, 1]
        vector.close()
        remote.close()
        assert serving.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--isolation", "process")])
def test_vector_is_served_where_the_id_says_of_how_many(options: tuple[str, ...], tmp_path: Path) -> None:
    with openenv_serve("gym:CartPole-v1?num_envs=3", "--max-sessions", "2", *options, cwd=tmp_path) as serving:
        local = gymnasium.make_vec("CartPole-v1", num_envs=3)
        one, two = make_vec(serving.url), make_vec(serving.url, 3)
        for remote in (one, two):
            assert np.array_equal(remote.reset(seed=1)[0], local.reset(seed=1)[0])
            actions = np.array([0, 1, 1])
            assert np.array_equal(remote.step(actions)[0], local.step(actions)[0])
            remote.close()
        assert serving.stop() == 0


def test_environment_of_a_module_in_the_current_folder_is_served(tmp_path: Path) -> None:
    (tmp_path / "my_world.py").write_text(
        "import gymnasium\nfrom tests.gym.worlds import Mixed\n\ngymnasium.register('MyWorld-v0', Mixed)\n"
    )
    with openenv_serve("gym:my_world:MyWorld-v0?render_mode=ansi", cwd=tmp_path) as serving:
        remote = make(serving.url)
        remote.reset(seed=1)
        assert remote.render() == "a <b>\n& c"
        remote.close()


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("gym:NoSuchEnv-v0", "Gymnasium cannot make 'NoSuchEnv-v0'"),
        ("gym:", "names no environment; write gym:ID"),
        ("gym:CartPole-v1?a", "write its arguments as name=value"),
        ("gym:CartPole-v1?num_envs=none", "num_envs='none': must be a number of 1 or more"),
        ("gym:no_such_module:Env-v0", "there is no module 'no_such_module'"),
    ],
)
def test_what_cannot_be_served_is_one_sentence_with_exit_2(target: str, complaint: str, tmp_path: Path) -> None:
    command = [*OPENENV, "serve", target, "--port", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=15, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert any(part in ran.stderr for part in complaint.split("|")), ran.stderr


def test_missing_extra_names_the_command_that_installs_it(tmp_path: Path) -> None:
    (tmp_path / "gymnasium.py").write_text("raise ImportError('not here')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(
        [*OPENENV, "serve", "gym:CartPole-v1"], env=environment, capture_output=True, text=True, timeout=15, check=False
    )
    assert ran.returncode != 0
    assert ran.stderr == (
        "error: openenv.gym needs the extra 'gym', which is not installed\nhint: pip install \"openenv-runtime[gym]\"\n"
    )
    program = (
        "from openenv.errors import MissingExtra\ntry:\n    import openenv.gym\nexcept MissingExtra as e: print(e.hint)"
    )
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == 'pip install "openenv-runtime[gym]"\n'


def test_nothing_to_serve_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="OPENENV_GYM is not set"):
        _ = served.app
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = served.no_such_name


def test_app_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENENV_GYM", "CartPole-v1")
    try:
        assert served.app is served.app
    finally:
        vars(served).pop("app")
