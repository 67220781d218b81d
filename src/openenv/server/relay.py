"""Links stay with one worker, too: a socket that resumes one and reached another worker is relayed to the link's own.

The relay is a client of the owner's socket file. It passes messages on as they are, and the end of each side with its
code, so that both see what they would see of each other.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from openenv.protocol import EXTENSIONS, EXTENSIONS_HEADER, RESUME_HEADER, SUBPROTOCOL, read_resume

__all__ = ["relay", "resumed_link"]

_OF_THE_HANDSHAKE = frozenset({"host", "connection", "upgrade", "content-length", "transfer-encoding"})
_ABNORMAL = frozenset({1005, 1006, 1015})
"""Codes that no close frame may carry."""
_CONNECT_S = 10.0


def resumed_link(scope: Scope) -> str | None:
    """Name the link that a handshake resumes; None when it resumes none."""
    headers = Headers(scope=scope)
    asked = headers.get(RESUME_HEADER)
    found = read_resume(asked) if asked is not None and SUBPROTOCOL in scope.get("subprotocols", ()) else None
    return None if found is None else found[0]


async def relay(path: Path, scope: Scope, receive: Receive, send: Send, *, told: Mapping[str, str]) -> bool:
    """Relay a socket to the worker behind `path`; False when that does not take it, and nothing has happened.

    Args:
        path: The worker's socket file.
        scope: The handshake.
        receive: Gives what the client sends.
        send: Takes what the client is sent.
        told: Headers that tell the worker who is there.
    """
    headers = Headers(scope=scope)
    passed = [
        (name, value)
        for name, value in headers.items()
        if name not in _OF_THE_HANDSHAKE and name not in told and not name.startswith("sec-websocket-")
    ]
    try:
        owner = await unix_connect(
            str(path),
            f"ws://{headers.get('host', '')}{scope['path']}?{scope.get('query_string', b'').decode('latin-1')}",
            subprotocols=[Subprotocol(name) for name in scope["subprotocols"]] or None,
            additional_headers=[*passed, *told.items()],
            user_agent_header=None,
            compression=None,
            max_size=None,
            ping_interval=None,  # both ends ask each other
            open_timeout=_CONNECT_S,
            proxy=None,
        )
    except (OSError, InvalidHandshake, InvalidURI, ValueError):
        return False
    try:
        await receive()  # the handshake's own event
        answered = [(EXTENSIONS_HEADER.encode(), ",".join(EXTENSIONS).encode())]
        await send({"type": "websocket.accept", "subprotocol": owner.subprotocol, "headers": answered})
        await _pass_on(owner, receive, send)
    finally:
        owner.transport.abort()
    return True


async def _pass_on(owner: ClientConnection, receive: Receive, send: Send) -> None:
    """Carry both directions until one side ends."""
    ways = {asyncio.ensure_future(_to_owner(owner, receive)), asyncio.ensure_future(_to_client(owner, send))}
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _to_owner(owner: ClientConnection, receive: Receive) -> None:
    with suppress(ConnectionClosed):
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            await owner.send(message["bytes"] if text is None else text)
        if (code := message.get("code", 1006)) not in _ABNORMAL:
            await owner.close(code)


async def _to_client(owner: ClientConnection, send: Send) -> None:
    with suppress(ConnectionClosed):
        while True:
            frame: Any = await owner.recv()
            await send({"type": "websocket.send", "bytes" if isinstance(frame, bytes) else "text": frame})
    code = owner.close_code if owner.close_code not in (None, *_ABNORMAL) else 1012  # it died, as by a restart
    await send({"type": "websocket.close", "code": code, "reason": owner.close_reason or ""})
