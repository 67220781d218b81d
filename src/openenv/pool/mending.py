"""The runtimes that a pool owns: each is started, and started again when its server has died, in a thread of its own.

The thread lives no longer than that takes. A runtime that fails again and again, with no session given back in between,
is given up.
"""

import logging
import threading
import time
from collections.abc import Callable

from openenv.errors import ConfigurationError, NotInstalled, RuntimeFailed
from openenv.runtimes import Runtime, RuntimeState

__all__ = ["ATTEMPTS", "Mender"]

ATTEMPTS = 4
"""Starts in a row, without a session that was given back in good order, after which a runtime is given up."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0
_END_S, _LOOK_S = 2.0, 0.05
"""How long to ask how a server ended: its connections end a moment before whatever runs it knows."""
_STOP_LOOK_S = 0.1
_LOG_LINES = 20

_log = logging.getLogger(__name__)


class Mender:
    """Sees to one runtime. Any thread may call any method.

    Args:
        runtime: One that is not running.
        on_start: Told when a start begins.
        on_up: Told the URL when the server is healthy.
        on_gone: Told the reason when it was given up.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        on_start: Callable[[], object],
        on_up: Callable[[str], object],
        on_gone: Callable[[str], object],
    ) -> None:
        self._runtime = runtime
        self._on_start = on_start
        self._on_up = on_up
        self._on_gone = on_gone
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._starts = 0

    def died(self) -> str | None:
        """Say how the server ended; None while it lives."""
        return self._runtime.died()

    def praise(self) -> None:
        """Note that a session was given back in good order: earlier failures count no more."""
        self._starts = min(self._starts, 1)

    def mend(self) -> None:
        """Start the server, or look whether it has died and start it again. Does nothing while that is under way."""
        with self._lock:
            if self._closing.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="openenv-pool-start", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop the runtime, also in the middle of a start. Raises RuntimeFailed when it cannot be taken away."""
        with self._lock:
            self._closing.set()
            thread = self._thread
        while thread is not None and thread.is_alive():
            self._runtime.stop()
            thread.join(_STOP_LOOK_S)
        self._runtime.stop()

    def _run(self) -> None:
        how = self._how_it_ended() if self._runtime.state is RuntimeState.RUNNING else ""
        if how is None:
            return  # it lives, so it is slow or busy: to be tried again like any other
        self._on_start()
        logs = self._runtime._last_words(_LOG_LINES) if how else ""
        failure: Exception = RuntimeFailed(f"its server died: {how}", logs=logs)
        while self._starts < ATTEMPTS:
            if self._starts and self._closing.wait(_pause_s(self._starts)):
                return
            self._starts += 1
            try:
                if self._runtime.state is RuntimeState.RUNNING:
                    self._runtime.stop()
                url = self._runtime.start()
            except (NotInstalled, ConfigurationError) as error:
                failure = error
                break
            except Exception as error:  # noqa: BLE001  # runtimes of others raise what they like; it is told below
                _log.warning("%s could not be started (attempt %d): %s", self._runtime, self._starts, error)
                failure = error
            else:
                if not self._closing.is_set():  # else close() takes it away
                    self._on_up(url)
                return
        self._on_gone(f"{self._runtime} was given up after {self._starts} starts: {failure}")

    def _how_it_ended(self) -> str | None:
        deadline = time.monotonic() + _END_S
        try:
            while (how := self._runtime.died()) is None and time.monotonic() < deadline:
                if self._closing.wait(_LOOK_S):
                    return None
        except RuntimeFailed as error:  # the engine does not answer: whoever tries the server next asks again
            _log.warning("%s cannot be asked how its server fares: %s", self._runtime, error)
            return None
        return how


def _pause_s(starts: int) -> float:
    return min(_FIRST_PAUSE_S * 2.0 ** (starts - 1), _LONGEST_PAUSE_S)
