"""The lifespan of a FastMCP server, which runs as long as an environment over it is used."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.server.server import default_lifespan

__all__ = ["Lifespan"]

logger = logging.getLogger(__name__)


class Lifespan:
    """Holds a client of the server open in a task of its own, if there is anything that lasts.

    It is begun by the first call, on that call's event loop, and ends with that loop or by `end`. FastMCP counts those
    who hold it, so environments may share a server.
    """

    def __init__(self, server: "FastMCP[Any]") -> None:
        self._server = server
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Run the lifespan, unless it runs already or there is none. Raises what it raises."""
        if self._task is not None and not self._task.done() and not self._task.get_loop().is_closed():
            return
        is_default = getattr(self._server, "_lifespan", default_lifespan) is default_lifespan
        if is_default and len(self._server.providers) == 1:  # nothing is mounted that might have one
            return
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._last(begun))
        await begun

    def end(self) -> None:
        """Let it end, on its own loop; from any thread."""
        task, self._task = self._task, None
        if task is not None:
            with suppress(RuntimeError):  # the loop has ended, and the task with it
                task.get_loop().call_soon_threadsafe(task.cancel)

    async def _last(self, begun: "asyncio.Future[None]") -> None:
        try:
            async with Client(self._server):
                begun.set_result(None)
                await asyncio.get_running_loop().create_future()  # until it is cancelled
        except Exception as error:
            if begun.done():
                logger.exception("the lifespan of %s failed", self._server.name)
            else:
                begun.set_exception(error)
