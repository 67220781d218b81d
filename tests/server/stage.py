"""An environment that says what was called and where, and that waits or misbehaves when its test asks for it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from openenv import Observation
from openenv.server import ServerConfig, create_app
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation

__all__ = ["LOOP", "AsyncStaged", "InlineStaged", "Stage", "Staged", "app_of"]

LOOP = "test-server"
"""Name of the thread that `serving` runs the event loop in."""


class Stage:
    """Where a test and the environments it serves meet.

    Attributes:
        held: Methods that wait, from now on, until `release`.
        calls: Every call so far, as method and thread.
    """

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.calls: list[tuple[str, threading.Thread]] = []
        self.gate = threading.Event()
        self._changed = threading.Condition()

    def note(self, method: str) -> None:
        with self._changed:
            self.calls.append((method, threading.current_thread()))
            self._changed.notify_all()

    def enter(self, method: str) -> None:
        self.note(method)
        if method in self.held:
            assert self.gate.wait(15), "nobody released the stage"

    async def enter_async(self, method: str) -> None:
        self.note(method)
        try:
            while method in self.held:
                if self.gate.is_set():
                    return
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.note(f"{method} cancelled")
            raise

    def release(self) -> None:
        self.gate.set()

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.calls)

    def expect(self, method: str, times: int = 1) -> None:
        """Wait until `method` was called so often."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.count(method) >= times, 5), f"{method}: only {self.calls}"

    def threads(self, *methods: str) -> set[threading.Thread]:
        """Say which threads ran these methods, or all."""
        return {thread for name, thread in self.calls if not methods or name in methods}


class Staged(EchoEnvironment):
    """Sync, and declared blocking: calls run on the session's thread."""

    BLOCKING = True

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        stage.enter("init")

    def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        self.stage.enter("reset")
        return super().reset(**options)

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        self.stage.enter("step")
        return self._act(action.message)

    @property
    def state(self) -> Any:
        self.stage.enter("state")
        return self._state

    def close(self) -> None:
        self.stage.enter("close")

    def _act(self, message: str) -> EchoObservation:
        act = _MISDEEDS.get(message)
        result: EchoObservation = self._echo(message) if act is None else act()
        return result


class InlineStaged(Staged):
    """The same, run on the event loop."""

    BLOCKING = False


class AsyncStaged(Staged):
    """The same, with async methods."""

    async def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        await self.stage.enter_async("reset")
        return EchoEnvironment.reset(self, **options)

    async def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        await self.stage.enter_async("step")
        return self._act(action.message)


class Scribble(Observation):
    """Carries anything, so also what JSON cannot."""

    drawing: Any = None


def _raise(error: BaseException) -> Any:
    raise error


_MISDEEDS: dict[str, Callable[[], Any]] = {
    "raise": lambda: _raise(KeyError("asked to")),
    "raise validation": lambda: EchoObservation(reward="much"),  # type: ignore[arg-type]
    "raise surrogate": lambda: _raise(OSError("no such file: \udcff")),
    "exit": lambda: _raise(SystemExit(3)),
    "nan": lambda: EchoObservation(reward=float("nan")),
    "infinite": lambda: EchoObservation(reward=float("inf")),
    "huge": lambda: EchoObservation(reward=10**400),
    "nan inside": lambda: Scribble(drawing={"line": [1.0, float("nan")]}),
    "unencodable": lambda: Scribble(drawing=object()),
    "nothing": lambda: None,
}


def app_of(env: Any, **settings: Any) -> FastAPI:
    """Make the app that serves `env` to echo clients. Further settings are those of `ServerConfig`."""
    return create_app(env, EchoAction, EchoObservation, config=ServerConfig(**settings))
