"""The uvicorn server that stops in good order: calls under way get to finish before their connections close."""

import asyncio
import socket
from typing import Any

import uvicorn

from openenv.server.sessions import SessionTable

__all__ = ["DrainingServer", "table_of"]


class DrainingServer(uvicorn.Server):
    """A uvicorn server that lets calls under way finish before it closes their connections."""

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
