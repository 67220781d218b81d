"""The uvicorn server that stops in good order: calls under way get to finish before their connections close."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from openenv.server.sessions import SessionTable

__all__ = ["DrainingServer", "StopSignals", "table_of"]

Stop = Callable[[int, FrameType | None], object]
"""What a signal is told to."""


class StopSignals:
    """Hears SIGTERM and SIGINT for whoever is to stop; one that comes before there is anybody is kept for them.

    It raises nothing: an exception that happens to be raised in a weak reference's callback, of which each import makes
    one, is printed and forgotten, and the server would never stop.
    """

    def __init__(self) -> None:
        self._stop: Stop | None = None
        self._early: list[int] = []
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():  # signals are the main thread's
            for number in (signal.SIGTERM, signal.SIGINT):
                self._previous[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def tell(self, stop: Stop) -> None:
        """Say who is told, of what has come so far and of what will."""
        self._stop = stop
        while self._early:
            stop(self._early.pop(0), None)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._stop is None:
            self._early.append(number)
        else:
            self._stop(number, frame)


class DrainingServer(uvicorn.Server):
    """A uvicorn server that lets calls under way finish before it closes their connections."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until SIGTERM or SIGINT, and return; uvicorn would let the signal end the process then."""
        with StopSignals() as signals:
            signals.tell(self.handle_exit)
            super().run(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Admit no newcomers, wait for calls under way, then stop as uvicorn does."""
        table = table_of(self.config.loaded_app)
        if table is not None:
            table.refuse_newcomers()
            draining = asyncio.ensure_future(table.drain())
            while not draining.done() and not self.force_exit:
                await asyncio.wait({draining}, timeout=0.1)
            draining.cancel()
        await super().shutdown(sockets)


def table_of(app: Any) -> SessionTable | None:
    """Find the sessions of our app below the middleware that uvicorn wraps around it."""
    while app is not None:
        table = getattr(getattr(app, "state", None), "openenv", None)
        if isinstance(table, SessionTable):
            return table
        app = getattr(app, "app", None)
    return None
