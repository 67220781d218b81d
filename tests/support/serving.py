"""A real server for a test: uvicorn in a thread, on a port of its own, stopped and joined at the end."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import uvicorn

from openenv.server.run import bind, url_of, websocket_transport
from openenv.server.serving import DrainingServer

TRANSPORTS = ("websockets-sansio", "openenv.server.handover:FastWebSocket")
"""What may carry `/ws`: ASGI, and picows."""
Served = Callable[..., AbstractContextManager[str]]
"""`serving`, with settings of its own."""


class _Announcing(DrainingServer):
    """Says when it is up, so that nobody has to poll."""

    up: threading.Event

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextmanager
def serving(app: Any, port: int = 0, **settings: Any) -> Iterator[str]:
    """Serve `app`, on any port that is free unless one is given, and give its URL. Settings go to `uvicorn.Config`."""
    listener = bind("127.0.0.1", port)
    defaults: dict[str, Any] = {
        "log_level": "warning",
        "ws": websocket_transport(),
        "ws_per_message_deflate": False,
        "timeout_graceful_shutdown": 3,
    }
    server = _Announcing(uvicorn.Config(app, **(defaults | settings)))
    server.up = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="test-server")
    thread.start()
    try:
        assert server.up.wait(10), "the server did not start; its log says why"
        yield url_of("127.0.0.1", listener)
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"
