"""What a runtime is: something that starts a server for an environment, says where it is, and takes it away again.

Blocking, since starting a process or a container is; async code runs it in a thread. A subclass says how to launch,
how to tell that it has died, what it has logged and how to remove it; when each happens is decided here, once. Removing
is idempotent and may be called in any state, from any thread, and when the interpreter exits.
"""

import atexit
import enum
import http.client
import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from openenv.errors import ConfigurationError, NotReady, StartFailed, UsageError
from openenv.runtimes import watchdog

__all__ = ["Runtime", "RuntimeState", "is_healthy", "wait_until_healthy"]

_FIRST_LOOK_S = 0.005
_LONGEST_LOOK_S = 0.1
_PAUSE_SHARE = 0.04
"""Of the time that a start has taken so far: what a pause may add to it."""
_PROBE_S = 2.0
_LOG_LINES = 20

_log = logging.getLogger(__name__)


class RuntimeState(enum.Enum):
    """Where a runtime stands."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"


_MOVES: dict[RuntimeState, frozenset[RuntimeState]] = {
    RuntimeState.NEW: frozenset({RuntimeState.STARTING, RuntimeState.STOPPED}),
    RuntimeState.STARTING: frozenset({RuntimeState.RUNNING, RuntimeState.STOPPED}),
    RuntimeState.RUNNING: frozenset({RuntimeState.STOPPED}),
    RuntimeState.STOPPED: frozenset({RuntimeState.STARTING}),
}


class Runtime(ABC):
    """Starts a server for an environment and stops it.

    Args:
        start_timeout_s: Seconds from the launch to a healthy answer.
    """

    #: While it starts, seconds between two looks at whether it has died; more than 0 where looking costs something.
    _DIED_LOOK_S = 0.0

    def __init__(self, *, start_timeout_s: float = 60.0) -> None:
        if not start_timeout_s > 0:
            raise ConfigurationError(f"start_timeout_s is {start_timeout_s!r}; it must be a number of seconds above 0")
        self._start_timeout_s = start_timeout_s
        self._stopping = threading.Event()
        self._owner = os.getpid()
        self._state = RuntimeState.NEW
        self._url: str | None = None
        self._lock = threading.RLock()

    @property
    def state(self) -> RuntimeState:
        """Where the runtime stands."""
        return self._state

    @property
    def url(self) -> str:
        """Where the server is.

        Raises:
            UsageError: It is not running.
        """
        if self._url is None or self._state is not RuntimeState.RUNNING:
            raise UsageError(f"{self} is {self._state.value}, so it has no URL; start() it first")
        return self._url

    def start(self) -> str:
        """Start the server, wait until it is healthy, and give its URL.

        Raises:
            NotInstalled: What it runs on is not there.
            StartFailed: It could not be started, or died; with its last log lines.
            NotReady: It was not healthy in time; with its last log lines.
        """
        with self._lock:
            self._move(RuntimeState.STARTING)
            self._stopping.clear()
            self._owner = os.getpid()
            _running.add(self)
            try:
                self._url = self._launch()
                self._wait_for(self._url)
            except BaseException as error:  # Ctrl-C too: what was launched is taken away
                if isinstance(error, StartFailed | NotReady):
                    error.logs = error.logs or self._last_words()
                # A launch that failed half-way, or was interrupted, may have left something running.
                self._stop_after(error)
                raise
            self._move(RuntimeState.RUNNING)
            return self._url

    def stop(self) -> None:
        """Take away whatever was started. Does nothing when there is nothing; ends a start in another thread.

        Raises:
            RuntimeFailed: It could not be taken away; it is not forgotten, and another `stop()` tries again.
        """
        self._stopping.set()
        with self._lock:
            if self._state in (RuntimeState.STARTING, RuntimeState.RUNNING):
                self._remove()
                self._state = RuntimeState.STOPPED
            _running.discard(self)

    @abstractmethod
    def logs(self, lines: int = 100) -> str:
        """Give the last lines of what the server has printed, also after it was stopped."""

    @abstractmethod
    def died(self) -> str | None:
        """Say how the server came to its end, as "it exited with code 1"; None while it lives."""

    @abstractmethod
    def _launch(self) -> str:
        """Start the server and give the URL it will answer at; need not wait for it."""

    def _wait_for(self, url: str) -> None:
        """Wait until the server that was launched is healthy. Raises as `wait_until_healthy` does."""
        wait_until_healthy(url, died=self._ended, timeout_s=self._start_timeout_s, died_look_s=self._DIED_LOOK_S)

    @abstractmethod
    def _remove(self) -> None:
        """Take away what `_launch` made, also when that failed half-way. Never raises for what is gone already.

        Whatever it raises leaves the runtime as it was, to be stopped again.
        """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _move(self, state: RuntimeState) -> None:
        if state not in _MOVES[self._state]:
            raise UsageError(f"{self} is {self._state.value}, so it cannot become {state.value}")
        self._state = state

    def _ended(self) -> str | None:
        return "it was stopped" if self._stopping.is_set() else self.died()

    def _stop_after(self, error: BaseException) -> None:
        try:
            self.stop()
        except Exception as second:  # noqa: BLE001  # what went wrong first is what the caller must hear
            error.add_note(f"{self} could not be taken away either: {second}")

    def _last_words(self, lines: int = _LOG_LINES) -> str:
        try:
            return self.logs(lines)
        except Exception as error:  # noqa: BLE001  # the failure being reported is worth more than its log
            return f"(its log cannot be read: {error})"


def wait_until_healthy(url: str, *, died: Callable[[], str | None], timeout_s: float, died_look_s: float = 0.0) -> None:
    """Wait until `/health` answers, looking often at first and less often later.

    Args:
        url: Where the server will be.
        died: Says how it ended; None while it lives.
        timeout_s: Seconds until it must be healthy.
        died_look_s: Least seconds between two calls of `died`.

    Raises:
        StartFailed: The server died; noticed at the next look.
        NotReady: It was not healthy in time.
    """
    begun = time.monotonic()
    deadline, next_look = begun + timeout_s, begun + died_look_s
    while not is_healthy(url, timeout_s=min(_PROBE_S, max(deadline - time.monotonic(), 0.05))):
        now = time.monotonic()
        if now >= min(next_look, deadline):
            if (how := died()) is not None:
                raise StartFailed(f"the server at {url} did not start: {how}")
            next_look = time.monotonic() + died_look_s
        if now >= deadline:
            raise NotReady(f"the server at {url} was not healthy within {timeout_s:g} s; allow more by start_timeout_s")
        time.sleep(min(max((now - begun) * _PAUSE_SHARE, _FIRST_LOOK_S), _LONGEST_LOOK_S))


def is_healthy(url: str, *, timeout_s: float = _PROBE_S) -> bool:
    """Ask `/health` once. No proxy is asked: what we start is near."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# Not weak: what runs is there to be stopped, whether or not somebody still holds its object.
_running: set[Runtime] = set()


def _stop_all() -> None:
    """What is still running when the interpreter exits would run on. What a forked process inherited is not its own."""
    for runtime in list(_running):
        if runtime._owner == os.getpid():
            try:
                runtime.stop()
            except Exception:  # noqa: BLE001  # the others must go all the same
                _log.exception("%s could not be stopped", runtime)


# The watchdog was imported first, so at exit it is dismissed last: it does what could not be done here.
atexit.register(watchdog.dismiss)
atexit.register(_stop_all)
