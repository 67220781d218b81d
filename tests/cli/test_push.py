"""`openenv push`, run as a command against a Hub on this machine."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openenv import GenericEnvClient
from openenv.cli.app import app
from openenv.cli.push import listing, proposal, summary
from openenv.dependency import runs_released
from openenv.hub.publish import Published, SpaceSettings
from openenv.hub.space import Addresses, contents_of
from openenv.scaffold import create
from tests.support.command import uvicorn_serve
from tests.support.folders import catalogue_copy
from tests.support.hub_server import HubServer, Space, hub_server

pytestmark = pytest.mark.timeout(90)  # some tests start the command several times

PROGRAM = [sys.executable, "-m", "openenv.cli", "push"]


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as `openenv init` makes it, with a lock that nothing reads here."""

    def lock(place: Path) -> None:
        (place / "uv.lock").write_text("version = 1\n")

    return create("my_env", tmp_path_factory.mktemp("envs"), lock=lock, installed=()).folder


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as server:
        yield server


class Runner:
    """Runs the command as its user would, in a process of its own, with nothing on its input."""

    def __init__(self, server: HubServer, folder: Path, home: Path) -> None:
        self.server = server
        self.folder = folder
        self.home = home

    def environment(self, token: str | None) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return own | self.server.environment(self.home, token)

    def __call__(
        self, *arguments: str, token: str | None = "hf_alice", program: list[str] = PROGRAM, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *arguments],
            cwd=self.folder,
            env=self.environment(token) | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def push(server: HubServer, scaffolded: Path, tmp_path: Path) -> Runner:
    return Runner(server, scaffolded, tmp_path / "home")


def test_push_publishes_the_scaffold_under_its_user_and_says_where(push: Runner) -> None:
    ran = push()
    assert (ran.returncode, ran.stdout) == (
        0,
        f"Published alice/my_env: {push.server.url}/spaces/alice/my_env\n"
        "  web     https://alice-my-env.hf.space/web\n"
        "  docs    https://alice-my-env.hf.space/docs\n"
        "  health  https://alice-my-env.hf.space/health\n"
        "  socket  wss://alice-my-env.hf.space/ws\n",
    ), ran.stderr
    files = push.server.spaces["alice/my_env"].files
    assert files["README.md"] == (push.folder / "README.md").read_bytes()
    assert files["Dockerfile"].startswith((push.folder / "server/Dockerfile").read_bytes())
    assert files["Dockerfile"].endswith(b"\nENV ENABLE_WEB_INTERFACE=true\n")
    wheels = [path.relative_to(push.folder).as_posix() for path in (push.folder / "wheels").iterdir()]
    assert all(files[wheel] == (push.folder / wheel).read_bytes() for wheel in wheels)
    assert not [path for path in files if path.startswith((".git/", "tests/"))]


def test_the_examples_of_the_readme(push: Runner) -> None:
    assert push("--namespace", "my-org", "--private").returncode == 0
    assert push.server.spaces["my-org/my_env"].private
    assert push("--repo-id", "my-org/my-env", "--base-image", "custom-base:latest", "--private").returncode == 0
    assert b"custom-base:latest" in push.server.spaces["my-org/my-env"].files["Dockerfile"]
    assert push("-d", str(push.folder), "-r", "my-org/other", "-b", "x:1", "-n", "2").returncode == 0
    assert {"my-org/other-1", "my-org/other-2"} <= set(push.server.spaces)


def test_settings_reach_the_space_and_secrets_only_it(push: Runner) -> None:
    arguments = ["-e", "A=b=c", "--secret", "KEY", "--secret", "OTHER=told", "-H", "t4-small", "--no-interface"]
    ran = push(*arguments, KEY="hush")
    assert ran.returncode == 0, ran.stderr
    space = push.server.spaces["alice/my_env"]
    assert space.variables == {"A": "b=c"}
    assert space.secrets == {"KEY": "hush", "OTHER": "told"}
    assert space.hardware == "t4-small"
    assert space.files["Dockerfile"].endswith(b"\nENV ENABLE_WEB_INTERFACE=false\n")
    assert "/web" not in ran.stdout
    assert "hint: a secret on the command line shows in the list of processes; set OTHER" in ran.stderr
    assert not re.search("hush|told", ran.stdout + ran.stderr)


def test_dry_run_says_everything_and_asks_nobody(push: Runner, tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("# data\n*.lock\n!uv.lock\nmodels.py\n")
    without_library = [sys.executable, "-c", "import sys; sys.modules['huggingface_hub'] = None\n"
                       "from openenv.cli.__main__ import main; main()", "push"]  # fmt: skip
    ran = push(
        "--dry-run", "-e", "A=b", "--secret", "KEY", "--private", "-H", "t4-small",
        "--exclude", str(tmp_path / "patterns"), program=without_library, token=None, KEY="hush",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[:5] == ["Space: you/my_env", "Private: yes", "Hardware: t4-small", "Variable: A=b", "Secret: KEY"]
    assert "  Dockerfile  (from server/Dockerfile)" in lines
    assert "  README.md  (adapted)" in lines
    assert "  uv.lock" in lines
    assert "  models.py" not in lines
    assert ran.stdout.endswith((push.folder / "README.md").read_text().partition("\n---\n")[0] + "\n---\n")
    assert "hush" not in ran.stdout + ran.stderr
    assert push.server.requests == []


def test_pull_request_is_opened_and_the_space_left_alone(push: Runner) -> None:
    push.server.spaces["alice/my_env"] = Space("docker", private=False)
    ran = push("--create-pr")
    url = f"{push.server.url}/spaces/alice/my_env/discussions/1"
    assert (ran.returncode, ran.stdout) == (0, f"Opened a pull request for alice/my_env: {url}\n")
    assert push.server.spaces["alice/my_env"].commits == []


def test_nobody_logged_in_is_one_sentence_and_what_to_do(push: Runner) -> None:
    ran = push(token=None)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines()[0] == (
        "error: nobody is logged in to the Hugging Face Hub, so nothing can be published"
    )
    assert ran.stderr.splitlines()[1].startswith("hint: run `hf auth login`, or set HF_TOKEN")
    assert len(ran.stderr.splitlines()) == 2


def test_who_sits_at_a_terminal_is_asked_to_log_in_once(push: Runner) -> None:
    ran = _at_a_terminal(push, {"Paste an access token": "2", "Enter your token": "hf_alice\n"})
    assert "Published alice/my_env" in ran
    assert push(token=None).returncode == 0  # it was saved


def _at_a_terminal(push: Runner, answers: dict[str, str]) -> str:
    """Run the command on a terminal, answer each question once it is asked, and give all that was shown."""
    ours, theirs = pty.openpty()
    environment = push.environment(None) | {"TERM": "xterm"}
    ran = subprocess.Popen(
        PROGRAM, cwd=push.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = ""
    try:
        for question, answer in answers.items():
            shown += _until(question, ours)
            if not answer.endswith("\n"):
                _until_keys_are_read(ours)
            os.write(ours, answer.encode())
        return shown + _until(None, ours)
    finally:
        ran.kill()
        ran.wait()
        os.close(ours)


def _until_keys_are_read(terminal: int) -> None:
    """Wait until a menu has switched the terminal from lines to keys, for it forgets what was typed before."""
    limit = time.monotonic() + 10
    while termios.tcgetattr(terminal)[3] & termios.ICANON:
        assert time.monotonic() < limit, "no key is ever read"
        threading.Event().wait(0.01)


def _until(awaited: str | None, terminal: int) -> str:
    """Read until this is shown, or until everybody has gone."""
    shown = ""
    while awaited is None or awaited not in shown:
        assert select.select([terminal], [], [], 10)[0], f"nothing more is shown after {shown!r}"
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # how a terminal on Linux says that everybody has gone
            break
    return shown


@pytest.mark.parametrize(
    ("arguments", "token", "complaint"),
    [
        ([], "hf_reader", "the token of alice may only read"),
        ([], "hf_nobody", "the Hub could not tell whose token this is"),
        (["--namespace", "bob"], "hf_alice", "You don't have the rights"),
        (["--create-pr"], "hf_alice", "there is no Space alice/my_env to open a pull request for"),
    ],
)
def test_what_the_hub_refuses_ends_with_1_and_a_hint(
    arguments: list[str], token: str, complaint: str, push: Runner
) -> None:
    ran = push(*arguments, token=token)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert complaint in ran.stderr
    assert "\nhint: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert token not in ran.stderr


def test_no_network_ends_with_1_and_no_wait(push: Runner) -> None:
    ran = push(HF_ENDPOINT="http://127.0.0.1:9")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: the Hub at http://127.0.0.1:9 cannot be reached")


def test_without_the_library_the_command_that_installs_it_is_named(push: Runner) -> None:
    program = "import sys; sys.modules['huggingface_hub'] = None\nfrom openenv.cli.__main__ import main; main()"
    ran = push(program=[sys.executable, "-c", program, "push"])
    assert ran.returncode == 1
    assert ran.stderr.endswith('which is not installed\nhint: pip install "openenv-runtime[hub]"\n')


def test_waits_are_told(push: Runner) -> None:
    push.server.fail("commit/main", 429, headers={"Retry-After": "0"})
    ran = push()
    assert ran.returncode == 0
    assert "the Hub answered 429; trying again in 0 s\n" in ran.stderr


def test_of_several_spaces_those_done_are_told_before_one_fails(push: Runner) -> None:
    push.server.spaces["alice/my_env-2"] = Space("static", private=False)
    ran = push("--count", "2")
    assert ran.returncode == 1
    assert ran.stdout.startswith("Published alice/my_env-1: ")
    assert "alice/my_env-2 is there already" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere"], "has no openenv.yaml, so it is no environment"),
        ([".", "--directory", ".."], "the folder is said to be . and, by --directory, ..; name one of them"),
        (["--repo-id", "a/b", "--namespace", "c"], "--namespace says 'c' and --repo-id says 'a'"),
        (["--repo-id", "a/b c"], "cannot be a Space"),
        (["--base-image", "a b"], "is no name of an image"),
        (["--env-var", "A"], "--env-var 'A' is no variable; write NAME=VALUE"),
        (["--env-var", "1=2"], "--env-var '1' is no variable"),
        (["--secret", "hush-hush"], "--secret is no name of a variable"),
        (["--secret", "NOT_SET_ANYWHERE"], "which is not set"),
        (["--exclude", "*.csv"], "--exclude *.csv cannot be read"),
        (["--create-pr", "--private"], "a pull request carries files only"),
        (["--create-pr", "--count", "2"], "a pull request carries files only"),
        (["--registry", "ghcr.io/me", "--private"], "an image is no Space"),
        (["--registry", "Bad Registry"], "is no name of an image"),
    ],
)
def test_misuse_ends_with_2_before_anybody_is_asked(
    arguments: list[str], complaint: str, scaffolded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scaffolded)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    ran = CliRunner().invoke(app, ["push", *arguments])
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert complaint in ran.stderr
    assert "hush" not in ran.stderr


def test_flaws_and_secrets_that_stay_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openenv.yaml").write_text("name: my_env\n")
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    (tmp_path / ".env").write_text("A=b\n")
    ran = CliRunner().invoke(app, ["push", "--dry-run"])
    assert ran.exit_code == 0
    assert "hint: not published, since they look like secrets: .env\n" in ran.stderr
    assert "static.app: " in ran.stderr
    assert "`openenv validate` says more" in ran.stderr
    assert ".env" not in ran.stdout


def test_dry_run_of_an_image_says_its_name_and_its_files(scaffolded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scaffolded)
    ran = CliRunner().invoke(app, ["push", "--dry-run", "--registry", "localhost:5000/me/"])
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("Image: localhost:5000/me/my_env-env:latest\n\nBuilt from:\n")
    assert "  server/Dockerfile\n" in ran.stdout


def test_what_is_printed_names_what_there_is(scaffolded: Path) -> None:
    contents = contents_of(scaffolded)
    assert listing(contents, SpaceSettings(), ["a/b", "a/c"]).startswith("Space: a/b\nSpace: a/c\n\nFiles (")
    where = Addresses("https://hub/spaces/a/b", "https://a-b.hf.space")
    assert summary(Published("a/b", where, is_private=True), interface=True).startswith(
        "Published a/b (private): https://hub/spaces/a/b\n"
    )
    assert proposal(Published("a/b", where, is_private=True)).endswith("so there is nothing to propose")


def test_a_space_of_the_catalogue_holds_all_that_uv_needs_to_install_and_serve_it(
    server: HubServer, tmp_path: Path
) -> None:
    push = Runner(server, catalogue_copy("echo_env", tmp_path), tmp_path / "home")
    before = sorted(push.folder.rglob("*"))
    ran = push()
    assert ran.returncode == 0, ran.stderr
    assert ("hint: the openenv-runtime that runs here is on no package index" in ran.stderr) is not runs_released()
    assert sorted(push.folder.rglob("*")) == before
    files = server.spaces["alice/echo_env"].files
    assert "uv.lock" not in files
    assert b"uv.lock" not in files["Dockerfile"]
    clone = tmp_path / "clone"
    server.spaces["alice/echo_env"].write_to(clone)
    python = str(clone / ".venv/bin/python")
    environ = {name: value for name, value in os.environ.items() if name not in ("UV_FIND_LINKS", "VIRTUAL_ENV")}
    sync = [sys.executable, "-m", "uv", "sync", "--quiet", "--no-dev", "--python", sys.executable]
    synced = subprocess.run(sync, cwd=clone, env=environ, capture_output=True, text=True, check=False)
    assert (synced.returncode, synced.stderr) == (0, "")
    where = subprocess.check_output([python, "-c", "import openenv; print(openenv.__file__)"], text=True)
    assert where.startswith(str(clone))  # and not what runs this test
    with uvicorn_serve("server.app:app", cwd=clone, python=python) as serving, GenericEnvClient(serving.url) as env:
        env.reset()
        assert env.step({"message": "Hi"}).observation["echoed_message"] == "Hi"
