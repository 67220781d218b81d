"""The uvicorn server that stops in good order: calls under way get to finish before their connections close."""

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from openenv.server.sessions import SessionTable

__all__ = ["DrainingServer", "table_of"]


class DrainingServer(uvicorn.Server):
    """A uvicorn server that lets calls under way finish before it closes their connections."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until SIGTERM or SIGINT, and return; uvicorn would let the signal end the process then."""
        with suppress(KeyboardInterrupt), _sigterm_interrupts():
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


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does: uvicorn raises once more the signal that stopped it."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
