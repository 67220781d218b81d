"""The watchdog: what is guarded is cleaned up however the process ends, and what was released is not."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from openenv.runtimes import watchdog
from openenv.runtimes.watchdog import Task, clean_up
from tests.runtimes.waiting import until

PROGRAM = """
import os, sys
from openenv.runtimes import watchdog

def touch(name, **options):
    watchdog.guard(name, ["touch", os.path.join(sys.argv[1], name)], **options)

"""


def run(program: str, folder: Path, *, number: int | None = None) -> None:
    """Run a program that guards; end it by a signal once it says something, or let it end."""
    command = [sys.executable, "-c", PROGRAM + textwrap.dedent(program), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if number is not None:
            process.send_signal(number)
        process.communicate(timeout=15)


WAIT = "\nprint('ready', flush=True); input()"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_is_guarded_is_cleaned_up_however_the_process_ends(number: int, tmp_path: Path) -> None:
    run("touch('one')" + WAIT, tmp_path, number=number)
    assert until((tmp_path / "one").exists)


def test_what_was_released_is_left_alone(tmp_path: Path) -> None:
    run("touch('one'); touch('other'); watchdog.release('one')" + WAIT, tmp_path, number=signal.SIGKILL)
    assert until((tmp_path / "other").exists)
    assert not (tmp_path / "one").exists()


def test_what_is_guarded_anew_after_all_was_released_is_cleaned_up(tmp_path: Path) -> None:
    run("touch('one'); watchdog.release('one'); touch('other')" + WAIT, tmp_path, number=signal.SIGKILL)
    assert until((tmp_path / "other").exists)
    assert not (tmp_path / "one").exists()


def test_the_last_to_be_guarded_is_the_first_to_be_cleaned_up(tmp_path: Path) -> None:
    program = """
        log = os.path.join(sys.argv[1], "log")
        for name in ("first", "second"):
            watchdog.guard(name, ["sh", "-c", 'echo "$0" >> "$1"', name, log])
    """
    run(textwrap.dedent(program) + WAIT, tmp_path, number=signal.SIGKILL)
    log = tmp_path / "log"
    assert until(lambda: log.exists() and log.read_text() == "second\nfirst\n")


def test_a_watchdog_that_was_killed_is_replaced_by_one_that_knows_all(tmp_path: Path) -> None:
    program = """
        touch('one')
        watchdog._process.kill()
        watchdog._process.wait()
        touch('other')
    """
    run(textwrap.dedent(program) + WAIT, tmp_path, number=signal.SIGKILL)
    assert until(lambda: (tmp_path / "one").exists() and (tmp_path / "other").exists())


def test_a_forked_process_that_lives_on_does_not_hold_the_watchdog_back(tmp_path: Path) -> None:
    program = """
        touch('one')
        child = os.fork()
        if child == 0:
            os.close(0); os.close(1)
            import time
            time.sleep(60)
        with open(os.path.join(sys.argv[1], "child"), "w") as file:
            file.write(str(child))
    """
    run(textwrap.dedent(program) + WAIT, tmp_path, number=signal.SIGKILL)
    try:
        assert until((tmp_path / "one").exists)
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_forked_process_that_ends_cleans_up_nothing_of_its_parents(tmp_path: Path) -> None:
    program = """
        touch('one')
        child = os.fork()
        if child == 0:
            sys.exit()
        os.waitpid(child, 0)
        print('exists' if os.path.exists(os.path.join(sys.argv[1], 'one')) else 'ready', flush=True)
        watchdog.release('one')
    """
    run(program, tmp_path)
    assert not (tmp_path / "one").exists()


@pytest.fixture
def guarded() -> Iterator[None]:
    """Something guarded, and with it a watchdog."""
    watchdog.guard("it", ["true"])
    yield
    watchdog.release("it")


def test_with_the_last_thing_released_the_watchdog_goes(guarded: None) -> None:
    process = watchdog._process
    assert process is not None
    watchdog.release("it")
    assert process.returncode == 0
    watchdog.release("it")
    assert watchdog._process is None


def test_what_fails_is_tried_again_for_as_long_as_it_asks(tmp_path: Path) -> None:
    script = 'test -e "$0/seen" && touch "$0/done"; r=$?; touch "$0/seen"; exit $r'
    once, again = tmp_path / "once", tmp_path / "again"
    for folder in (once, again):
        folder.mkdir()
    clean_up([Task(("sh", "-c", script, str(once))), Task(("sh", "-c", script, str(again)), 10)])
    assert not (once / "done").exists()
    assert (again / "done").exists()


def test_a_command_that_cannot_be_run_does_not_keep_the_others(tmp_path: Path) -> None:
    clean_up([Task(("no-such-command",)), Task(("touch", str(tmp_path / "one")))])
    assert (tmp_path / "one").exists()
