"""Running an app under uvicorn as it should be run: bound before it starts, uncompressed frames, stops that drain."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.supervisors import ChangeReload

from openenv.errors import ConfigurationError
from openenv.server.sessions import SessionTable

__all__ = ["bind", "run"]

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_GRACEFUL_S = 5


def run(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    reload: bool = False,
    log_level: str = "info",
    on_bound: Callable[[str], None] | None = None,
) -> None:
    """Serve an app until SIGTERM or Ctrl-C; calls under way get to finish then.

    Args:
        app: The ASGI app, or where to import it from, such as `server.app:app`; `reload` needs the latter.
        host: Address to listen on.
        port: Port to listen on; 0 takes any that is free.
        reload: Start anew whenever a Python file below the current folder changes.
        log_level: uvicorn's.
        on_bound: Called with the URL, `http://host:port`, once the port is ours and before the app starts.

    Raises:
        ConfigurationError: The port is taken, or the address is not this machine's.
    """
    listener = bind(host, port)
    if on_bound is not None:
        on_bound(url_of(host, listener))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        reload=reload,
        log_level=log_level,
        access_log=log_level in ("debug", "trace"),
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_GRACEFUL_S,
    )
    server = DrainingServer(config)
    try:
        if reload:
            ChangeReload(config, target=server.run, sockets=[listener]).run()
        else:
            server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # uvicorn has stopped in good order and passes the signal on
    finally:
        listener.close()


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        ConfigurationError: It is taken, or not ours to take.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"host {host!r} is not an address of this machine: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ConfigurationError(_why_not(host, port, error)) from error
    listener.set_inheritable(True)
    return listener


def url_of(host: str, listener: socket.socket) -> str:
    """Say by which URL a person reaches a listener."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


class DrainingServer(uvicorn.Server):
    """A uvicorn server that lets calls under way finish before it closes their connections."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Admit no newcomers, wait for calls under way, then stop as uvicorn does."""
        table = _table_of(self.config.loaded_app)
        if table is not None:
            table.refuse_newcomers()
            draining = asyncio.ensure_future(table.drain())
            while not draining.done() and not self.force_exit:
                await asyncio.wait({draining}, timeout=0.1)
            draining.cancel()
        await super().shutdown(sockets)


def _table_of(app: Any) -> SessionTable | None:
    """Find the sessions of our app below the middleware that uvicorn wraps around it."""
    while app is not None:
        table = getattr(getattr(app, "state", None), "openenv", None)
        if isinstance(table, SessionTable):
            return table
        app = getattr(app, "app", None)
    return None


def _why_not(host: str, port: int, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {host} is taken by another program; choose another, or 0 for any that is free"
        case errno.EACCES:
            return f"port {port} on {host} needs privileges; choose one of 1024 or more"
        case errno.EADDRNOTAVAIL:
            return f"host {host!r} is not an address of this machine"
        case _:
            return f"cannot listen on {host}:{port}: {error.strerror}"
