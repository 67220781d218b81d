"""coding_env over a live server: sandboxes of several sessions, and a server that refuses to go without them."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest
from coding_env import CodeAction, CodingEnv

from openenv.errors import EnvironmentFailed
from tests.support.command import OPENENV
from tests.support.services import require

ENVIRONMENT = "coding_env"


def test_sessions_do_not_see_each_other_nor_the_server(url: str) -> None:
    with CodingEnv(url) as one, CodingEnv(url) as other:
        one.reset()
        other.reset()
        one.step(CodeAction(code="x = 1\nopen('mine', 'w').write('secret')"))
        seen = other.step(
            CodeAction(code="import os\nprint(os.listdir(), 'x' in globals(), os.getpid() < 100)")
        ).observation
        assert seen.stdout == "[] False True\n"
        hostile = other.step(CodeAction(code="import os\nos.kill(-1, 9)")).observation
        assert hostile.exception == "ProcessLookupError: [Errno 3] No such process"
        assert one.step(CodeAction(code="print(x)")).observation.stdout == "1\n"


def test_a_hanging_step_is_stopped_by_the_sandbox_and_the_session_goes_on(url: str) -> None:
    with CodingEnv(url) as env:
        env.reset()
        env.step(CodeAction(code="begun = True"))
        result = env.step(CodeAction(code="while True: pass"), timeout_s=2)
        assert (result.observation.timed_out, result.observation.interpreter_ended) == (True, True)
        assert env.step(CodeAction(code="print('back')")).observation.stdout == "back\n"


def test_a_task_is_rewarded(url: str) -> None:
    with CodingEnv(url) as env:
        first = env.reset(task="palindrome")
        assert "is_palindrome(text: str) -> bool" in first.observation.prompt
        result = env.step(CodeAction(code="def is_palindrome(text): return text == text[::-1]"))
        assert (result.reward, result.done) == (4 / 5, False)
        solution = "def is_palindrome(text):\n    t = [c for c in text.lower() if c.isalnum()]\n    return t == t[::-1]"
        result = env.step(CodeAction(code=solution))
        assert (result.reward, result.done) == (1.0, True)
        with pytest.raises(EnvironmentFailed, match="there is no task 'sort'"):
            env.reset(task="sort")
        assert env.reset().observation.prompt == ""


def test_what_is_enforced_is_said(url: str) -> None:
    said = httpx.get(f"{url}/metadata", trust_env=False).json()
    assert "Enforced here: no network" in said["description"]
    with CodingEnv(url) as env:
        assert env.reset().metadata == {"isolation": "full"}


_AS_ANOTHER_USER = """
import sys
sys.path.insert(0, sys.argv[1])
from sandbox import Isolation, Limits, Sandbox
with Sandbox(Isolation.FULL, Limits(processes=8)) as sandbox:
    for code in ("import os; print(os.getuid(), os.getgid())", "open('/usr/mine', 'w')", "open('/sandbox/mine', 'w')",
                 "import os\\nwhile True: os.fork()", "import os; os.setuid(0)"):
        outcome = sandbox.run(code)
        print((outcome.exception or outcome.stdout).split(":")[0].strip())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as an ordinary user then")
def test_walls_hold_for_a_user_who_is_not_root(folder: Path) -> None:
    # Another Python, as ours may be where only root can read.
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin")
    require(python and subprocess.run([python, "-c", "import enum; enum.StrEnum"]).returncode == 0, "needs Python 3.11")
    with tempfile.TemporaryDirectory() as copied:
        shutil.copytree(folder / "server", copied, dirs_exist_ok=True)
        Path(copied).chmod(0o755)
        command = [str(python), "-B", "-c", _AS_ANOTHER_USER, copied]
        ran = subprocess.run(
            command, user=61234, group=61235, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
        )
    assert ran.stdout.splitlines() == ["61234 61235", "OSError", "", "BlockingIOError", "OSError"], ran.stderr


def serve(folder: Path, *, isolation: str, may_mount: bool) -> subprocess.CompletedProcess[str]:
    """Serve it where it will not start."""
    environ = os.environ | {"CODING_ENV_ISOLATION": isolation}
    command = [*OPENENV, "serve", str(folder), "--port", "0"]
    give_up = None if may_mount else _give_up_mounting
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, preexec_fn=give_up)


def _give_up_mounting() -> None:
    drop, right_to_mount = 24, 21  # PR_CAPBSET_DROP, CAP_SYS_ADMIN
    assert ctypes.CDLL(None).prctl(drop, right_to_mount, 0, 0, 0) == 0


def test_it_does_not_start_with_a_setting_that_means_nothing(folder: Path) -> None:
    ran = serve(folder, isolation="off", may_mount=True)
    assert ran.returncode == 1
    assert "CODING_ENV_ISOLATION is 'off'; it is 'full' or 'limits'" in ran.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up the right to build walls")
def test_it_does_not_start_where_code_cannot_be_isolated(folder: Path) -> None:
    ran = serve(folder, isolation="full", may_mount=False)
    assert ran.returncode == 1
    assert "code cannot be isolated here (unshare: Operation not permitted)" in ran.stderr
    assert "CODING_ENV_ISOLATION=limits" in ran.stderr
