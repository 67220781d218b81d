import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.leftovers import Holdings, leftovers

on_linux = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")


def test_nothing_is_left_by_code_that_does_nothing() -> None:
    assert leftovers(Holdings.now(), within_s=0) == []


def test_a_running_thread_is_named() -> None:
    before, release = Holdings.now(), threading.Event()
    thread = threading.Thread(target=release.wait, name="pump of session 7")
    thread.start()
    assert leftovers(before, within_s=0.02) == ["thread 'pump of session 7'"]
    release.set()
    thread.join()
    assert leftovers(before, within_s=0) == []


def test_a_thread_that_is_about_to_end_is_waited_for() -> None:
    before = Holdings.now()
    threading.Timer(0.05, lambda: None).start()
    assert leftovers(before, within_s=5) == []


@on_linux
def test_a_child_process_is_left_until_it_is_waited_for() -> None:
    before = Holdings.now()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        (running,) = leftovers(before, within_s=0)
        assert running.startswith(f"child process {child.pid} (")
        assert "input()" in running
        child.kill()
        child.wait()
        assert leftovers(before, within_s=0) == []


@on_linux
def test_an_open_socket_is_left_until_it_is_closed() -> None:
    before = Holdings.now()
    with socket.socket():
        (left,) = leftovers(before, within_s=0)
        assert left.startswith("socket:")
    assert leftovers(before, within_s=0) == []


class _Cycle:
    def __init__(self) -> None:
        self.itself = self
        self.ends = socket.socketpair()

    def __del__(self) -> None:
        for end in self.ends:
            end.close()


@on_linux
def test_a_socket_in_a_reference_cycle_is_not_left_behind() -> None:
    before = Holdings.now()
    _Cycle()
    assert leftovers(before, within_s=0) == []
