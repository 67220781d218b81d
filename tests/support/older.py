"""A server of ours as it looks to a client when it speaks dialect 1 only, as OpenEnv's do."""

from collections.abc import Awaitable, Callable
from typing import Any

from openenv.protocol import SUBPROTOCOL

__all__ = ["dialect1_only"]

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def dialect1_only(app: Asgi) -> Asgi:
    """Keep from `app` that a client offers dialect 2."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            scope = {**scope, "subprotocols": [name for name in scope["subprotocols"] if name != SUBPROTOCOL]}
        await app(scope, receive, send)

    return serve
