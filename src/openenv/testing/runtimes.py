"""Checks that every runtime has to pass, ours and those of other packages.

Subclass `RuntimeChecks` in a test file, under a name that begins with `Test`, and say how to make a runtime, how to
break it and what it leaves behind; pytest then collects the checks. They use the real thing: servers are started and
stepped.
"""

# ruff: noqa: D102  # the names of the checks say what they check

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from openenv.client import GenericEnvClient
from openenv.errors import StartFailed, UsageError
from openenv.runtimes import Runtime, RuntimeState
from openenv.runtimes.contract import is_healthy

__all__ = ["RuntimeChecks"]

E = TypeVar("E", bound=BaseException)

_PATIENCE_S = 10.0
_LOOK_S = 0.05


class RuntimeChecks(ABC):
    """The checks, and what they must be told."""

    #: Seconds within which the end of a server is seen.
    patience_s = _PATIENCE_S

    @abstractmethod
    def make(self) -> Runtime:
        """Make a runtime that starts."""

    @abstractmethod
    def make_failing(self) -> Runtime:
        """Make a runtime whose server prints something and then dies while it starts."""

    @abstractmethod
    def kill(self, runtime: Runtime) -> None:
        """End the server of a started runtime, not by the runtime."""

    @abstractmethod
    def left_behind(self) -> Sequence[str]:
        """Name what the runtimes made here have left: processes, containers, services."""

    def action(self) -> Mapping[str, Any]:
        """Give an action that the served environment takes, as JSON; it counts as a step in its state."""
        return {"message": "Hello"}

    def test_start_gives_the_url_of_a_healthy_server(self) -> None:
        with self.make() as runtime:
            assert is_healthy(runtime.url), f"{runtime.url}/health does not answer with 200, though start() returned"
            assert runtime.state is RuntimeState.RUNNING
            assert runtime.died() is None, "died() says that a running server has ended"

    def test_sessions_are_served_and_are_apart(self) -> None:
        with (
            self.make() as runtime,
            GenericEnvClient(runtime.url) as one,
            GenericEnvClient(runtime.url) as other,
        ):
            for client in (one, other):
                client.reset()
            for _ in range(3):
                one.step(self.action())
            assert (one.state()["step_count"], other.state()["step_count"]) == (3, 0)

    def test_logs_have_what_the_server_printed_and_outlive_it(self) -> None:
        with self.make() as runtime:
            assert runtime.logs().strip(), "the log of a running server is empty"
            assert len(runtime.logs(1).splitlines()) == 1, "logs(1) is not one line"
        assert runtime.logs().strip(), "the log is empty once the server was stopped"

    def test_second_start_is_refused_and_harms_nothing(self) -> None:
        with self.make() as runtime:
            url = runtime.url
            _expect(UsageError, runtime.start)
            assert runtime.url == url
            assert is_healthy(url), "the second start() has ended the first server"

    def test_stop_is_final_and_may_be_repeated(self) -> None:
        runtime = self.make()
        url = runtime.start()
        runtime.stop()
        runtime.stop()
        assert runtime.state is RuntimeState.STOPPED
        assert not is_healthy(url), "the server answers after stop()"
        assert runtime.died() is not None, "died() says that a stopped server lives"
        _expect(UsageError, lambda: runtime.url)
        self._expect_nothing_left()

    def test_stop_before_start_does_nothing(self) -> None:
        self.make().stop()
        self._expect_nothing_left()

    def test_it_can_be_started_again(self) -> None:
        runtime = self.make()
        for _ in range(2):
            with runtime:
                assert is_healthy(runtime.url)
        self._expect_nothing_left()

    def test_the_end_of_a_server_is_told_and_it_can_be_stopped(self) -> None:
        with self.make() as runtime:
            self.kill(runtime)
            deadline = time.monotonic() + self.patience_s
            while runtime.died() is None:
                assert time.monotonic() < deadline, f"died() is None {self.patience_s:g} s after the server was ended"
                time.sleep(_LOOK_S)
        self._expect_nothing_left()

    def test_failed_start_tells_the_last_lines_and_leaves_nothing(self) -> None:
        runtime = self.make_failing()
        failed = _expect(StartFailed, runtime.start)
        assert failed.logs.strip(), f"the failure does not have what the server printed: {failed}"
        assert runtime.state is RuntimeState.STOPPED
        self._expect_nothing_left()

    def _expect_nothing_left(self) -> None:
        left = list(self.left_behind())
        assert not left, f"left behind: {', '.join(left)}"


def _expect(kind: type[E], act: Callable[[], object]) -> E:
    try:
        given = act()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, but it gave {given!r}")
