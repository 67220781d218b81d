"""Threads that run an environment's blocking calls, one call at a time, in order.

Not `concurrent.futures`: its threads are joined when the interpreter exits, so one hung step would keep a stopped
server alive for ever, and a hand-over to it costs more.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from openenv.errors import EnvironmentFailed

__all__ = ["WorkerThread"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

_Job = tuple[Callable[[], Any], asyncio.Future[Any], asyncio.AbstractEventLoop]


class WorkerThread:
    """One daemon thread, started by its first job and ended by `stop`.

    Args:
        name: The thread's name.
        retire_s: End the thread after so many idle seconds and start another when needed; None keeps it, for
            environments that must see the same thread every time, as browsers do.
    """

    def __init__(self, name: str, *, retire_s: float | None = None) -> None:
        self._name = name
        self._retire_s = retire_s
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending = 0
        self._running = False

    def submit(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """Queue a call from the event loop; the future gets its result or exception, SystemExit included.

        Cancelling the future does not stop a call that runs: the thread finishes it and drops the result.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._lock:
            self._pending += 1
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._jobs.put((call, future, loop))
        return future

    def stop(self) -> None:
        """End the thread once what is queued is done; does not wait."""
        with self._lock:
            if self._running:
                self._jobs.put(None)

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self._retire_s)
            except queue.Empty:
                if self._may_end():
                    return
                continue
            if job is None:
                if self._may_end():
                    return
                self._jobs.put(None)  # a call was submitted after the stop: that one first
            elif not self._perform(*job) and self._may_end():
                return

    def _may_end(self) -> bool:
        """Tell whether the thread may end, as no call waits; the next one starts another thread then."""
        with self._lock:
            self._running = self._pending > 0
            return not self._running

    def _perform(self, call: Callable[[], Any], future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop) -> bool:
        """Run a call; tell whether its event loop is still there, since nobody would stop this thread otherwise."""
        result, error = None, None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001  # handed to whoever awaits the future
            error = raised
        with self._lock:
            self._pending -= 1
        try:
            loop.call_soon_threadsafe(_settle, future, result, error)
        except RuntimeError:  # it closed while the call ran
            return False
        return True


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):  # futures refuse to carry it
        future.set_exception(RuntimeError(f"StopIteration: {error}"))
    elif isinstance(error, KeyboardInterrupt):  # the environment's own: those of Ctrl-C are the main thread's
        logger.error("an environment raised KeyboardInterrupt", exc_info=error)
        # As itself it would end the event loop, and the server with it.
        future.set_exception(EnvironmentFailed("EXECUTION_ERROR", str(error), {"exception": "KeyboardInterrupt"}))
    else:
        future.set_exception(error)
