"""Code that attacks the sandbox: whatever it does, the next step is answered, and nothing outside has changed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import pytest

from coding_env.server.sandbox import (
    _PYTHON,
    Isolation,
    IsolationUnavailable,
    Limits,
    Sandbox,
    SandboxLost,
    chosen_isolation,
)
from coding_env.server.walls import Refused, _set_attributes

LIMITS = Limits(wall_s=8, memory_mb=256, processes=16)


@pytest.fixture(scope="module")
def walled() -> Iterator[Sandbox]:
    try:
        made = Sandbox(Isolation.FULL, LIMITS)
    except IsolationUnavailable as error:
        pytest.skip(str(error))
    with made:
        yield made


@pytest.fixture
def sandbox(walled: Sandbox) -> Iterator[Sandbox]:
    """One for all tests, its files and its interpreter anew for each."""
    yield walled
    walled.run("import os\nfor name in os.listdir():\n    os.remove(name)\nos._exit(0)")


# What code does, and how it must end: its exit code, a part of what it says, and whether the interpreter is gone.
ATTACKS = {
    "memory": ("data = bytearray(10**10)", 1, "MemoryError", False),
    "memory in pieces": ("data = []\nwhile True:\n    data.append(bytearray(10**6))", 1, "MemoryError", False),
    "fork bomb": ("import os\nwhile True:\n    os.fork()", 1, "BlockingIOError", False),
    "threads": (
        "import threading, time\nfor _ in range(99): threading.Thread(target=time.sleep, args=[60], daemon=True).start()",
        1,
        "can't start new thread",
        False,
    ),
    "large file": ("open('f', 'wb').write(bytes(10**8))", 1, "File too large", False),
    "full disk": ("for n in range(99):\n    open(f'f{n}', 'wb').write(bytes(10**7))", 1, "No space left", False),
    "many files": ("for n in range(10**5):\n    open(f'f{n}', 'w').close()", 1, "No space left", False),
    "many open files": ("held = [open('/dev/null') for _ in range(999)]", 1, "Too many open files", False),
    "write outside": ("open('/usr/bin/mine', 'w')", 1, "Read-only file system", False),
    "write to Python": ("import os\nopen(os.__file__, 'w')", 1, "Errno", False),
    "read outside": ("open('/etc/passwd')", 1, "FileNotFoundError", False),
    "processes": ("import os\nos.listdir('/proc/1')", 1, "FileNotFoundError", False),
    "connect": ("import socket\nsocket.create_connection(('1.1.1.1', 53))", 1, "Network is unreachable", False),
    "loopback": ("import socket\nsocket.create_connection(('127.0.0.1', 22))", 1, "unreachable", False),
    "more privileges": ("import os\nos.setuid(0)", 1, "PermissionError", False),
    "own namespace": (
        "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000) == 0, 'refused'",
        1,
        "refused",
        False,
    ),
    "leave": ("import os\nos._exit(7)", 7, "the interpreter was left", True),
    "crash": ("import ctypes\nctypes.string_at(0)", -11, "SIGSEGV", True),
    "kill itself": ("import os\nos.kill(os.getpid(), 9)", -9, "SIGKILL", True),
    "kill everything": ("import os\nos.kill(-1, 9)", 1, "ProcessLookupError", False),
    "close stdio": ("import os\nos.close(0); os.close(1); os.close(2)", 0, "", False),
    "close everything": ("import os\nos.closerange(0, 64)", 120, "", True),
    "exit": ("import sys\nsys.exit(5)", 5, "", False),
    "huge exception": ("raise ValueError('x' * 10**7)", 1, "ValueError: xxx", False),
    "exception that raises": ("class E(Exception):\n    __str__ = None\nraise E", 1, "E", False),
    "exception that is no text": ("raise ValueError('\\ud800')", 1, "ValueError: ?", False),
    "a signal without a name": ("import os\nos.kill(os.getpid(), 40)", -40, "signal 40", True),
    "no stdout": ("import sys\nsys.stdout = sys.stderr = None", 0, "", False),
    "recursion": ("f = lambda: f()\nf()", 1, "RecursionError", False),
    "syntax": ("def f(:", 1, "SyntaxError", False),
    "null byte": ("x = '\0'", 1, "SyntaxError", False),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_ends_as_it_must_and_the_next_step_is_answered(attack: str, sandbox: Sandbox) -> None:
    code, exit_code, said, has_ended = ATTACKS[attack]

    outcome = sandbox.run(code)

    assert (outcome.exit_code, outcome.has_ended) == (exit_code, has_ended), outcome
    assert said in (outcome.exception or ""), outcome
    assert not outcome.timed_out
    assert len(outcome.stdout) + len(outcome.stderr) <= 2 * LIMITS.output_bytes
    after = sandbox.run("print('alive')")
    assert after.stdout.endswith("alive\n")
    assert after.exit_code == 0


@pytest.mark.parametrize(
    "reply",
    [
        {},
        [],
        {"id": 0},
        {"id": ..., "exit_code": float("inf"), "exception": None, "result": None},
        {"id": ..., "exit_code": "x", "exception": None, "result": None},
        {"id": ..., "exit_code": 0, "exception": "x" * 10**6, "result": None},
    ],
)
def test_a_reply_that_code_wrote_itself_is_no_proper_one(reply: object, sandbox: Sandbox) -> None:
    said = json.dumps(reply, default=lambda _: sandbox._count + 1)
    outcome = sandbox.run(
        f"import os\nfor n in range(3, 30):\n    try: os.write(n, {said!r}.encode() + b'\\n')\n    except OSError: pass"
    )
    assert outcome.has_ended
    assert outcome.exception == "the interpreter's own pipes were closed or written to"
    assert sandbox.run("print('alive')").stdout == "alive\n"


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    pass",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True:\n    pass",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "class E(Exception):\n    def __str__(self):\n        while True:\n            pass\nraise E",
        "import os\nwhile True:\n    os.write(1, bytes(10**6))",
    ],
)
def test_step_is_stopped_at_the_time_limit(code: str, sandbox: Sandbox) -> None:
    sandbox.run("kept = 1\nopen('kept', 'w').write('here')")

    outcome = sandbox.run(code, wall_s=0.3)

    assert outcome.timed_out
    assert outcome.has_ended
    after = sandbox.run("print('kept' in globals(), open('kept').read())")
    assert after.stdout == "False here\n"  # the variables are gone, the files are not


def test_a_gigabyte_of_output_is_cut(sandbox: Sandbox) -> None:
    outcome = sandbox.run("import os\npiece = b'x' * 10**6\nfor _ in range(1000):\n    os.write(1, piece)")
    assert (outcome.exit_code, outcome.truncated_output) == (0, True)
    assert outcome.stdout == "x" * LIMITS.output_bytes


def test_processor_time_has_a_limit() -> None:
    with Sandbox(Isolation.LIMITS, Limits(wall_s=8, cpu_s=1)) as sandbox:
        outcome = sandbox.run("while True:\n    pass")
        assert outcome.exception == "the interpreter was ended by SIGXCPU"


def test_secrets_of_the_server_do_not_come_in(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    with Sandbox(Isolation.FULL, LIMITS) as fresh:
        outcome = fresh.run("import os\nprint(sorted(os.environ))")
    assert outcome.stdout == "['HOME', 'LANG', 'PATH', 'PYTHONHASHSEED', 'TMPDIR']\n"


def test_hidden_tests_stay_hidden_where_the_package_is_installed_beside_python(
    walled: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Path(__file__).resolve().parents[1]
    monkeypatch.setattr("coding_env.server.sandbox._PYTHON", [*_PYTHON, str(package.parent)])
    with Sandbox(Isolation.FULL, LIMITS) as fresh:
        beside = fresh.run(f"import os\nprint({package.name!r} in os.listdir({str(package.parent)!r}))")
        within = fresh.run(f"open({str(package / 'server' / 'tasks.py')!r})")
    assert beside.stdout == "True\n"
    assert "PermissionError" in (within.exception or "")


def test_python_may_live_below_tmp(walled: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(dir="/tmp") as python:
        monkeypatch.setattr("coding_env.server.sandbox._PYTHON", [*_PYTHON, python])
        with Sandbox(Isolation.FULL, LIMITS) as fresh:
            outcome = fresh.run(
                f"import os, tempfile\nprint(os.path.dirname(tempfile.mkstemp()[1]), os.path.isdir({python!r}))"
            )
    assert outcome.stdout == "/sandbox True\n"


def test_what_outlives_a_step_stands_still_until_the_next(sandbox: Sandbox) -> None:
    code = """
import subprocess, sys, threading, time
def count():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.001)
ticks = 0
threading.Thread(target=count, daemon=True).start()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
"""
    assert sandbox.run(code).exit_code == 0
    Event().wait(0.5)
    outcome = sandbox.run("print(ticks < 250, child.poll())")
    assert outcome.stdout == "True None\n"


def test_threads_print_into_the_step_that_runs(sandbox: Sandbox) -> None:
    sandbox.run(
        "import threading\ngo, done = threading.Event(), threading.Event()\n"
        "def late():\n    go.wait()\n    print('late')\n    done.set()\nthreading.Thread(target=late).start()"
    )
    assert sandbox.run("pass").stdout == ""
    assert sandbox.run("go.set()\ndone.wait()").stdout == "late\n"


def test_the_same_seed_gives_the_same_chance() -> None:
    said = []
    for seed in (7, 7, 8):
        with Sandbox(Isolation.LIMITS, LIMITS, seed) as sandbox:
            said.append(sandbox.run("import random\nprint(random.random(), hash('x'))").stdout)
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize("isolation", Isolation)
def test_nothing_is_left_of_it(
    isolation: Isolation, walled: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Sandbox(isolation, LIMITS) as made:
        made.run("open('file', 'w').write('x')")
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["close", "kill"])
def test_processes_end_with_it(way: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    with os.fdopen(os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)) as held:
        with Sandbox(Isolation.LIMITS, LIMITS) as made:
            made.run(f"held = open({str(tmp_path / 'held')!r}, 'w')")
            if way == "kill":
                made._process.kill()
        os.set_blocking(held.fileno(), True)
        assert held.read() == ""  # comes to an end only when nobody is left who could write


def test_without_walls_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "interpreter.py").touch()
    (tmp_path / "warden.py").write_text('print(\'{"refused": "unshare: Operation not permitted"}\')')
    monkeypatch.setattr("coding_env.server.sandbox._HERE", tmp_path)
    with pytest.raises(IsolationUnavailable, match=r"unshare: Operation not permitted.*CODING_ENV_ISOLATION=limits"):
        Sandbox(Isolation.FULL)


def test_walls_say_which_call_the_kernel_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="mount_setattr .*/missing: No such file or directory"):
        _set_attributes(tmp_path / "missing", 1)


def test_sandbox_that_dies_is_a_typed_error() -> None:
    with Sandbox(Isolation.LIMITS, LIMITS) as sandbox:
        sandbox._process.kill()
        with pytest.raises(SandboxLost, match="reset to get another"):
            sandbox.run("pass")


@pytest.mark.parametrize(
    ("given", "chosen"), [(None, Isolation.FULL), ("full", Isolation.FULL), ("limits", Isolation.LIMITS)]
)
def test_isolation_is_full_unless_a_setting_says_so(
    given: str | None, chosen: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODING_ENV_ISOLATION", raising=False)
    if given is not None:
        monkeypatch.setenv("CODING_ENV_ISOLATION", given)
    assert chosen_isolation() is chosen


def test_a_setting_that_means_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODING_ENV_ISOLATION", "off")
    with pytest.raises(ValueError, match="it is 'full' or 'limits'"):
        chosen_isolation()
