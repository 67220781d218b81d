"""What a runtime is: something that starts a server for an environment, says where it is, and takes it away again.

Blocking, since starting a process or a container is; async code runs it in a thread. A subclass says how to launch,
how to tell that it has died, what it has logged and how to remove it; when each happens is decided here, once. Removing
is idempotent and may be called in any state, from any thread, and when the interpreter exits.
"""

import atexit
import enum
import http.client
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from openenv.errors import NotReady, StartFailed, UsageError

__all__ = ["Runtime", "RuntimeState", "is_healthy", "wait_until_healthy"]

_FIRST_LOOK_S = 0.005
_LONGEST_LOOK_S = 0.1
_PROBE_S = 2.0
_LOG_LINES = 20


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

    def __init__(self, *, start_timeout_s: float = 60.0) -> None:
        self._start_timeout_s = start_timeout_s
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
            _running.add(self)
            try:
                self._url = self._launch()
                wait_until_healthy(self._url, died=self.died, timeout_s=self._start_timeout_s)
            except (StartFailed, NotReady) as error:
                error.logs = error.logs or self._last_words()
                self.stop()
                raise
            except BaseException:
                # A launch that failed half-way, or was interrupted, may have left something running.
                self.stop()
                raise
            self._move(RuntimeState.RUNNING)
            return self._url

    def stop(self) -> None:
        """Take away whatever was started. Does nothing when there is nothing."""
        with self._lock:
            if self._state in (RuntimeState.STARTING, RuntimeState.RUNNING):
                self._state = RuntimeState.STOPPED
                self._remove()
            _running.discard(self)

    @abstractmethod
    def logs(self, lines: int = 100) -> str:
        """Give the last lines of what the server has printed."""

    @abstractmethod
    def died(self) -> str | None:
        """Say how the server came to its end, as "it exited with code 1"; None while it lives."""

    @abstractmethod
    def _launch(self) -> str:
        """Start the server and give the URL it will answer at; need not wait for it."""

    @abstractmethod
    def _remove(self) -> None:
        """Take away what `_launch` made, also when that failed half-way. Never raises for what is gone already."""

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

    def _last_words(self) -> str:
        try:
            return self.logs(_LOG_LINES)
        except Exception as error:  # noqa: BLE001  # the failure being reported is worth more than its log
            return f"(its log cannot be read: {error})"


def wait_until_healthy(url: str, *, died: Callable[[], str | None], timeout_s: float) -> None:
    """Wait until `/health` answers, looking often at first and less often later.

    Raises:
        StartFailed: The server died; noticed at the next look.
        NotReady: It was not healthy in time.
    """
    deadline = time.monotonic() + timeout_s
    pause = _FIRST_LOOK_S
    while not is_healthy(url, timeout_s=min(_PROBE_S, max(deadline - time.monotonic(), 0.05))):
        if (how := died()) is not None:
            raise StartFailed(f"the server at {url} did not start: {how}")
        if time.monotonic() >= deadline:
            raise NotReady(f"the server at {url} was not healthy within {timeout_s:g} s; allow more by start_timeout_s")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_LOOK_S)


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


_running: "weakref.WeakSet[Runtime]" = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """What is still running when the interpreter exits would run on."""
    for runtime in list(_running):
        runtime.stop()
