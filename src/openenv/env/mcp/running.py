"""Where tools run: sync ones on a thread of their environment, and coroutines for callers that have no event loop.

Nothing here waits for the loop that it is called from, so no order of sync and async callers can lock up.
"""

import asyncio
import contextvars
import queue
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

__all__ = ["OverTime", "OwnLoop", "ToolThread", "finish", "run_blocking", "within"]

T = TypeVar("T")

_Job = tuple[Callable[[], Any], Future[Any]]


class OverTime(TimeoutError):
    """A call was cut off: it is not one that says of itself that it took too long."""


async def within(call: Coroutine[Any, Any, T], limit_s: float) -> T:
    """Wait for a call, and no longer than `limit_s`: then it is cancelled, and left behind if it does not mind that.

    Raises:
        OverTime: It did not finish.
        RuntimeError: It wanted to end the process, or cancelled itself.
    """
    running = asyncio.ensure_future(_tamed(call))
    try:
        await asyncio.wait({running}, timeout=limit_s)
    except asyncio.CancelledError:
        running.cancel()
        raise
    if not running.done():
        running.cancel()
        raise OverTime
    if running.cancelled():
        raise RuntimeError("it cancelled itself")
    return running.result()


async def _tamed(call: Coroutine[Any, Any, T]) -> T:
    try:
        return await call
    except SystemExit as error:  # which would stop the event loop
        raise RuntimeError(f"SystemExit: {error}") from error


class ToolThread:
    """One thread that runs calls in the order they were submitted; begun by the first, ended by `stop` or by disuse.

    It is a daemon: a call that never returns keeps neither the process nor the one who asked for it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._ending = weakref.finalize(self, self._jobs.put, None)

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have `call` run, after whatever was submitted before. Cancelled before its turn, it does not run."""
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        outcome: Future[T] = Future()
        self._jobs.put((call, outcome))
        return outcome

    async def run(self, call: Callable[[], T]) -> T:
        """Have `call` run with the context variables of the caller, and wait for it."""
        return await asyncio.wrap_future(self.submit(partial(contextvars.copy_context().run, call)))

    def stop(self) -> None:
        """Let the thread end after what is queued; what is submitted later begins another."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None


def _work(jobs: "queue.SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        call, outcome = job
        if not outcome.set_running_or_notify_cancel():
            continue
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is for the one who waits
            outcome.set_exception(error)
        del job, call, outcome  # while the next is waited for, nothing of the last is kept


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing to its end, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    coroutine.close()
    raise RuntimeError("a function that is not declared async gave an awaitable that waits; declare it `async def`")


class OwnLoop:
    """An event loop for callers that have none: the same one each time, so that what is bound to it stays usable."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._turn = threading.Lock()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for it, in this thread, or beside it if an event loop runs in it."""
        return run_blocking(coroutine, self._run)

    def close(self) -> None:
        """Close the loop; the next call has a new one."""
        with self._turn:
            runner, self._runner = self._runner, None
        if runner is not None:
            _beside(runner.close) if _has_loop() else runner.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self._turn:
            if self._runner is None:
                self._runner = asyncio.Runner()
                weakref.finalize(self, self._runner.get_loop().close)
            return self._runner.run(coroutine, context=contextvars.copy_context())


def run_blocking(coroutine: Coroutine[Any, Any, T], run: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run) -> T:
    """Run a coroutine by `run` and wait for it, in this thread, or beside it if an event loop runs in it."""
    if not _has_loop():
        return run(coroutine)
    context = contextvars.copy_context()
    return _beside(lambda: context.run(run, coroutine))


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _beside(call: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1, "openenv-tools-aside") as pool:
        return pool.submit(call).result()
