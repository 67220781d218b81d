"""Telling whether the process that a container belongs to is still there."""

import dataclasses
import os
import subprocess
import sys

import pytest

from openenv.runtimes import owner
from openenv.runtimes.owner import Owner

ENDED = "import os; from openenv.runtimes.owner import Owner; print(Owner.me(), flush=True); input()"


def test_this_process_is_alive() -> None:
    assert Owner.me().pid == os.getpid()
    assert Owner.me().is_alive() is True


def test_a_process_that_ended_is_gone_also_before_anybody_waits_for_it() -> None:
    with subprocess.Popen([sys.executable, "-c", ENDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        other = Owner.parse(process.stdout.readline().decode())
        assert other is not None
        assert other.is_alive() is True
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert other.is_alive() is False
    assert other.is_alive() is False


def test_another_process_of_the_same_number_is_another() -> None:
    assert dataclasses.replace(Owner.me(), started="another boot 12345").is_alive() is False


def test_a_process_of_another_machine_cannot_be_told() -> None:
    assert dataclasses.replace(Owner.me(), host="elsewhere pid:[1]").is_alive() is None


def test_what_is_written_is_read_again() -> None:
    assert Owner.parse(str(Owner.me())) == Owner.me()


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"pid": "x", "started": "", "host": ""}', "null"])
def test_anything_else_is_nobody(text: str) -> None:
    assert Owner.parse(text) is None


def test_without_proc_it_is_asked_of_ps() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert owner._asked(process.pid) == owner._asked(process.pid) is not None
        process.kill()
        process.wait()
        assert owner._asked(process.pid) is None
