"""When a runtime launches, waits, tells and removes: the part that all of them share, on servers in threads."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from openenv.errors import ConfigurationError, EngineFailed, NotReady, StartFailed, UsageError
from openenv.runtimes import contract
from openenv.runtimes.contract import Runtime, RuntimeState, is_healthy, wait_until_healthy
from tests.runtimes.waiting import until
from tests.support.command import ROOT


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


class Unhealthy(Health):
    status = 503


class Local(Runtime):
    """Serves in a thread; what goes wrong is put in by the test."""

    def __init__(
        self,
        handler: type[BaseHTTPRequestHandler] = Health,
        *,
        launch_error: BaseException | None = None,
        remove_error: Exception | None = None,
        end: str | None = None,
        start_timeout_s: float = 5,
    ) -> None:
        super().__init__(start_timeout_s=start_timeout_s)
        self.handler = handler
        self.launch_error = launch_error
        self.remove_error = remove_error
        self.end = end
        self.removed = 0
        self.looks = 0
        self.server: ThreadingHTTPServer | None = None

    def logs(self, lines: int = 100) -> str:
        return "its last words"

    def died(self) -> str | None:
        self.looks += 1
        return self.end

    def _launch(self) -> str:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        if self.launch_error:
            raise self.launch_error
        return f"http://127.0.0.1:{self.server.server_port}"

    def _remove(self) -> None:
        if self.remove_error:
            raise self.remove_error
        self.removed += 1
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
            self.server = None

    def __str__(self) -> str:
        return "the local runtime"


def test_a_launch_that_failed_half_way_is_taken_away() -> None:
    runtime = Local(launch_error=OSError("no"))
    with pytest.raises(OSError, match="no"):
        runtime.start()
    assert (runtime.removed, runtime.state, runtime.server) == (1, RuntimeState.STOPPED, None)


def test_an_interrupted_start_is_taken_away() -> None:
    runtime = Local(launch_error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        runtime.start()
    assert runtime.removed == 1


def test_a_server_that_dies_is_told_with_its_last_words() -> None:
    with pytest.raises(StartFailed, match="did not start: it fell over") as caught:
        Local(Unhealthy, end="it fell over").start()
    assert caught.value.logs == "its last words"


def test_a_server_that_is_never_healthy_is_told_with_its_last_words() -> None:
    runtime = Local(Unhealthy, start_timeout_s=0.1)
    with pytest.raises(NotReady, match=r"was not healthy within 0.1 s; allow more by start_timeout_s") as caught:
        runtime.start()
    assert caught.value.logs == "its last words"
    assert runtime.removed == 1


def test_a_log_that_cannot_be_read_does_not_hide_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(self: Local, lines: int = 100) -> str:
        raise OSError("no such file")

    monkeypatch.setattr(Local, "logs", unreadable)
    with pytest.raises(StartFailed, match="it fell over") as caught:
        Local(Unhealthy, end="it fell over").start()
    assert caught.value.logs == "(its log cannot be read: no such file)"


def test_a_removal_that_fails_does_not_hide_the_failure_and_is_not_forgotten() -> None:
    runtime = Local(Unhealthy, end="it fell over", remove_error=EngineFailed("gone away"))
    with pytest.raises(StartFailed, match="it fell over") as caught:
        runtime.start()
    assert caught.value.__notes__ == ["the local runtime could not be taken away either: gone away"]
    assert runtime.server is not None
    runtime.remove_error = None
    runtime.stop()
    assert runtime.server is None


def test_a_stop_that_failed_can_be_tried_again() -> None:
    runtime = Local()
    runtime.start()
    runtime.remove_error = EngineFailed("gone away")
    with pytest.raises(EngineFailed):
        runtime.stop()
    assert runtime.state is RuntimeState.RUNNING
    runtime.remove_error = None
    runtime.stop()
    assert (runtime.removed, runtime.state) == (1, RuntimeState.STOPPED)


def test_a_second_start_is_refused() -> None:
    with Local() as runtime:
        with pytest.raises(UsageError, match="the local runtime is running, so it cannot become starting"):
            runtime.start()
        assert is_healthy(runtime.url)


@pytest.mark.parametrize("prepare", [lambda runtime: None, lambda runtime: (runtime.start(), runtime.stop())])
def test_what_does_not_run_has_no_url(prepare: Callable[[Runtime], object]) -> None:
    runtime = Local()
    prepare(runtime)
    with pytest.raises(UsageError, match=r"so it has no URL; start\(\) it first"):
        _ = runtime.url


def test_stop_from_another_thread_ends_a_start() -> None:
    runtime = Local(Unhealthy, start_timeout_s=60)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(runtime.start)
        assert until(lambda: runtime.looks)
        runtime.stop()
        with pytest.raises(StartFailed, match="it was stopped"):
            starting.result(5)
    assert runtime.removed == 1


def test_a_stopped_runtime_starts_again() -> None:
    runtime = Local()
    for _ in range(2):
        with runtime:
            assert is_healthy(runtime.url)
    assert runtime.removed == 2


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_start_takes_time(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="start_timeout_s is"):
        Local(start_timeout_s=seconds)


def test_looks_at_what_costs_something_are_rare() -> None:
    looks = 0

    def died() -> None:
        nonlocal looks
        looks += 1

    with pytest.raises(NotReady):
        wait_until_healthy("http://127.0.0.1:1", died=died, timeout_s=0.5, died_look_s=0.2)
    assert 1 <= looks <= 4


def test_nobody_there_is_not_healthy() -> None:
    assert not is_healthy("http://127.0.0.1:1")


def test_what_answers_otherwise_is_not_healthy() -> None:
    runtime = Local(Unhealthy)
    url = runtime._launch()
    assert not is_healthy(url)
    runtime._remove()


AT_EXIT = """
import threading
from http.server import ThreadingHTTPServer
from tests.runtimes.test_contract import Health, Local

server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
threading.Thread(target=server.serve_forever, daemon=True).start()

class Elsewhere(Local):
    def _launch(self):
        return f"http://127.0.0.1:{server.server_port}"

    def _remove(self):
        print("removed")

for _ in range(2):
    Elsewhere().start()
"""


def test_what_runs_when_the_interpreter_exits_is_removed_even_if_nobody_holds_it() -> None:
    ran = subprocess.run([sys.executable, "-c", AT_EXIT], cwd=ROOT, capture_output=True, text=True, timeout=15)
    assert ran.stdout.splitlines() == ["removed", "removed"], ran.stderr


def test_one_that_cannot_be_removed_at_exit_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    broken, sound = Local(), Local()
    for runtime in (broken, sound):
        runtime.start()
    broken.remove_error = EngineFailed("gone away")
    with caplog.at_level(logging.ERROR):
        contract._stop_all()
    assert sound.state is RuntimeState.STOPPED
    assert "the local runtime could not be stopped" in caplog.text
    broken.remove_error = None
    broken.stop()


def test_a_forked_process_leaves_the_runtimes_of_its_parent_alone() -> None:
    with Local() as runtime:
        runtime._owner = os.getpid() + 1  # as a forked process sees it
        contract._stop_all()
        assert runtime.state is RuntimeState.RUNNING
