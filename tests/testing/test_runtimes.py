"""The checks of runtimes: a sound one passes all of them, and each finds what it is for."""

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from openenv import create_app
from openenv.runtimes import Runtime
from openenv.testing.runtimes import RuntimeChecks
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


class Threaded(Runtime):
    """Serves in a thread of this process."""

    def __init__(self, *, end: str | None = None) -> None:
        super().__init__(start_timeout_s=5)
        self.end: str | None = end
        self.dies_at_start = end is not None
        self.stack = ExitStack()

    def logs(self, lines: int = 100) -> str:
        return "it starts"

    def died(self) -> str | None:
        return self.end

    def _launch(self) -> str:
        if self.dies_at_start:
            return "http://127.0.0.1:1"
        self.end = None
        return self.stack.enter_context(serving(create_app(EchoEnvironment, EchoAction, EchoObservation)))

    def _remove(self) -> None:
        self.stack.close()
        self.end = self.end or "it was stopped"

    def __str__(self) -> str:
        return "the threaded runtime"


class TestSound(RuntimeChecks):
    """A runtime that is as it should be passes."""

    kind: type[Threaded] = Threaded
    left: Sequence[str] = ()

    def make(self) -> Runtime:
        return self.kind()

    def make_failing(self) -> Runtime:
        return self.kind(end="it fell over")

    def kill(self, runtime: Runtime) -> None:
        assert isinstance(runtime, Threaded)
        runtime.end = "it was killed"

    def left_behind(self) -> Sequence[str]:
        return self.left


class Mute(Threaded):
    def logs(self, lines: int = 100) -> str:
        return ""


class Forgetful(Threaded):
    def logs(self, lines: int = 100) -> str:
        return "it starts" if self.died() is None else ""


class Talkative(Threaded):
    def logs(self, lines: int = 100) -> str:
        return "it\nstarts"


class Immortal(Threaded):
    def died(self) -> str | None:
        return None


class Doomed(Threaded):
    def died(self) -> str | None:
        return "it is as good as dead"


class Eager(Threaded):
    def start(self) -> str:
        self.stop()
        return super().start()


class Broken(Threaded):
    def _launch(self) -> str:
        self.end = None
        self.dies_at_start = False
        return super()._launch()


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Doomed, "test_start_gives_the_url_of_a_healthy_server"),
        (Mute, "test_logs_have_what_the_server_printed_and_outlive_it"),
        (Talkative, "test_logs_have_what_the_server_printed_and_outlive_it"),
        (Forgetful, "test_logs_have_what_the_server_printed_and_outlive_it"),
        (Eager, "test_second_start_is_refused_and_harms_nothing"),
        (Immortal, "test_stop_is_final_and_may_be_repeated"),
        (Immortal, "test_the_end_of_a_server_is_told_and_it_can_be_stopped"),
        (Mute, "test_failed_start_tells_the_last_lines_and_leaves_nothing"),
        (Broken, "test_failed_start_tells_the_last_lines_and_leaves_nothing"),
    ],
)
def test_each_check_finds_what_it_is_for(kind: type[Threaded], check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Threaded] = []

    class Recorded(kind):  # type: ignore[valid-type,misc]  # one of the above
        def _launch(self) -> str:
            started.append(self)
            return str(super()._launch())

    checks = TestSound()
    checks.kind, checks.patience_s = Recorded, 0.1
    with pytest.raises(AssertionError):
        getattr(checks, check)()
    for runtime in started:
        runtime.stop()


@pytest.mark.parametrize(
    "check",
    [
        "test_stop_is_final_and_may_be_repeated",
        "test_stop_before_start_does_nothing",
        "test_it_can_be_started_again",
        "test_the_end_of_a_server_is_told_and_it_can_be_stopped",
        "test_failed_start_tells_the_last_lines_and_leaves_nothing",
    ],
)
def test_what_is_left_behind_is_named(check: str) -> None:
    checks = TestSound()
    checks.left = ["a_container"]
    with pytest.raises(AssertionError, match="left behind: a_container"):
        getattr(checks, check)()


def test_sessions_that_are_not_apart_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = EchoEnvironment()
    monkeypatch.setattr(EchoEnvironment, "state", property(lambda self: shared._state))
    with pytest.raises(AssertionError):
        TestSound().test_sessions_are_served_and_are_apart()
