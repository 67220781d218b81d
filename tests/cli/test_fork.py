"""`openenv fork`, run as a command against a Hub on this machine."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import OPENENV
from tests.support.hub_server import HubServer, Space, hub_server

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def server() -> Iterator[HubServer]:
    """A Hub with one Space, of somebody else."""
    with hub_server() as server:
        server.spaces["bob/echo_env"] = Space("docker", False, commits=[{"README.md": b"x"}])
        yield server


def fork(
    server: HubServer, home: Path, *arguments: str, token: str | None = "hf_alice", **variables: str
) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return subprocess.run(
        [*OPENENV, "fork", *arguments],
        env=own | server.environment(home, token) | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_fork_is_yours_under_its_name(server: HubServer, tmp_path: Path) -> None:
    ran = fork(server, tmp_path, "bob/echo_env")
    assert (ran.returncode, ran.stdout) == (
        0,
        f"Forked bob/echo_env as alice/echo_env: {server.url}/spaces/alice/echo_env\n"
        "  web     https://alice-echo-env.hf.space/web\n"
        "  docs    https://alice-echo-env.hf.space/docs\n"
        "  health  https://alice-echo-env.hf.space/health\n"
        "  socket  wss://alice-echo-env.hf.space/ws\n",
    ), ran.stderr
    assert server.spaces["alice/echo_env"] == Space("docker", False, "cpu-basic", commits=[{"README.md": b"x"}])


def test_settings_reach_the_fork_and_secrets_nobody_else(server: HubServer, tmp_path: Path) -> None:
    settings = ["-e", "A=b=c", "--set-env", "B=", "-s", "KEY", "--secret", "OTHER=told", "--set-secret", "THIRD"]
    where = ["-r", "my-org/mine", "--private", "-H", "t4-small"]
    ran = fork(server, tmp_path, "bob/echo_env", *settings, *where, KEY="hush", THIRD="quiet")
    assert ran.returncode == 0, ran.stderr
    made = server.spaces["my-org/mine"]
    assert (made.private, made.hardware, made.variables) == (True, "t4-small", {"A": "b=c", "B": ""})
    assert made.secrets == {"KEY": "hush", "OTHER": "told", "THIRD": "quiet"}
    assert "as my-org/mine (private): " in ran.stdout
    assert "a secret on the command line shows" in ran.stderr
    assert not [value for value in ("hush", "told", "quiet") if value in ran.stdout + ran.stderr]


@pytest.mark.parametrize(
    ("arguments", "token", "code", "said"),
    [
        (["echo_env"], "hf_alice", 2, "'echo_env' is no Space; write it as owner/name, such as openenv/echo_env"),
        (["a/b/c"], "hf_alice", 2, "'a/b/c' is no Space"),
        (["bob/echo_env", "-r", "x/y/z"], "hf_alice", 2, "'x/y/z' cannot be a Space"),
        (["bob/echo_env", "-e", "nothing"], "hf_alice", 2, "--set-env 'nothing' is no variable; write NAME=VALUE"),
        (["bob/echo_env", "-s", "sk-123=4"], "hf_alice", 2, "--set-secret is no name of a variable"),
        (["bob/echo_env", "-s", "GONE"], "hf_alice", 2, "takes the value from the variable GONE, which is not set"),
        (["bob/echo_env"], None, 1, "nobody is logged in to the Hugging Face Hub"),
        (["bob/echo_env"], "hf_reader", 1, "the token of alice may only read"),
        (["bob/echo_env"], "hf_bob", 1, "the Space bob/echo_env exists already"),
        (["bob/gone"], "hf_alice", 1, "could not duplicate bob/gone as alice/gone"),
    ],
)
def test_what_cannot_be_is_told(
    server: HubServer, tmp_path: Path, arguments: list[str], token: str | None, code: int, said: str
) -> None:
    ran = fork(server, tmp_path, *arguments, token=token)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "sk-123" not in ran.stderr
