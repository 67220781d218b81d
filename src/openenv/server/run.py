"""Running an app under uvicorn as it should be run: bound before it starts, uncompressed frames, stops that drain."""

import errno
import os
import socket
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import uvicorn
from uvicorn.importer import ImportFromStringError, import_from_string
from uvicorn.supervisors import ChangeReload

from openenv.errors import ConfigurationError
from openenv.server.cluster import Cluster
from openenv.server.serving import DrainingServer, StopSignals

__all__ = ["MAX_MESSAGE_BYTES", "bind", "import_app", "run", "url_of", "websocket_transport"]

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_GRACEFUL_S = 15


def run(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    reload: bool = False,
    workers: int = 1,
    log_level: str = "info",
    on_bound: Callable[[str], None] | None = None,
) -> None:
    """Serve an app until SIGTERM or Ctrl-C; calls under way get to finish then.

    Args:
        app: The ASGI app, or where to import it from, such as `server.app:app`; `reload` needs the latter.
        host: Address to listen on.
        port: Port to listen on; 0 takes any that is free.
        reload: Start anew whenever a Python file below the current folder changes.
        workers: Processes that share the port and the session limit; more than one needs an import path, too.
        log_level: uvicorn's.
        on_bound: Called with the URL, `http://host:port`, once the port is ours and before the app starts.

    Raises:
        ConfigurationError: The port is taken, the address is not this machine's, or the arguments do not go together.
    """
    if (reload or workers > 1) and not isinstance(app, str):
        raise ConfigurationError("reload and workers need the app by its import path, such as 'server.app:app'")
    if reload and workers > 1:
        raise ConfigurationError("reload goes with one worker: leave one of the two out")
    settings: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_level": log_level,
        "access_log": log_level in ("debug", "trace"),
        "ws": websocket_transport(),
        "ws_max_size": MAX_MESSAGE_BYTES,
        "ws_per_message_deflate": False,
        "timeout_graceful_shutdown": _GRACEFUL_S,
    }
    with bind(host, port) as listener, StopSignals() as signals:
        if on_bound is not None:
            on_bound(url_of(host, listener))
        if workers > 1:
            cluster = Cluster(app, workers=workers, listener=listener, settings=settings)
            signals.tell(cluster.stop)
            cluster.run()
        elif reload:
            config = uvicorn.Config(app, reload=True, **settings)
            reloader = ChangeReload(config, target=DrainingServer(config).run, sockets=[listener])
            signals.tell(reloader.signal_handler)
            reloader.run()
        else:
            server = DrainingServer(uvicorn.Config(app, **settings))
            signals.tell(server.handle_exit)
            server.run(sockets=[listener])


def websocket_transport() -> str:
    """Choose what carries WebSockets, for uvicorn's setting `ws`: picows where it is installed."""
    return "openenv.server.handover:FastWebSocket" if find_spec("picows") else "websockets-sansio"


def bind(host: str, port: int) -> socket.socket:
    """Take a port.

    Raises:
        ConfigurationError: It is taken, or not ours to take.
    """
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"port {port} does not exist; choose one from 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:  # the latter for a name that DNS could not hold
        raise ConfigurationError(f"host {host!r} is not an address of this machine: nobody knows that name") from error
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


def import_app(target: str) -> Any:
    """Import an app as `module:attribute`. Whatever the module itself raises comes through.

    Raises:
        ConfigurationError: There is no such module or attribute.
    """
    try:
        return import_from_string(target)
    except ImportFromStringError as error:
        raise ConfigurationError(f"the app {target!r} is not there: {error}") from error
    except ModuleNotFoundError as error:
        if error.name and target.startswith(f"{error.name}."):  # a package on the way to it
            raise ConfigurationError(f"the app {target!r} is not there: {error}") from error
        raise


def url_of(host: str, listener: socket.socket) -> str:
    """Say by which URL a person reaches a listener."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


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
