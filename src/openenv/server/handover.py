"""How a socket gets from uvicorn to picows: after a handshake through ASGI, past which its frames go from then on.

uvicorn gives an upgraded connection to a `FastWebSocket`, which leaves the handshake to uvicorn's own protocol and so
to the app. The route `/ws` takes the socket over from there (`ws.HAND_OVER`). Every other WebSocket stays where it was,
and so does every refusal.
"""

import asyncio
import logging
import socket
from typing import Any

from starlette.websockets import WebSocket
from uvicorn.config import Config
from uvicorn.protocols.utils import get_client_addr
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from openenv.server.conversation import Opening
from openenv.server.picows_peer import PicowsPeer
from openenv.server.ws import HAND_OVER, HEADERS

__all__ = ["FastWebSocket"]

logger = logging.getLogger("uvicorn.error")  # which says of every WebSocket that it was accepted

_INET = (socket.AF_INET, socket.AF_INET6)


class FastWebSocket(asyncio.Protocol):
    """What uvicorn gives an upgraded connection to: its `ws` setting.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: What the app's lifespan left in its state.
    """

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # always one of those
        """Lend the transport to uvicorn's own protocol, for the handshake at least."""
        state = self._app_state
        if transport.get_extra_info("socket").family in _INET:  # picows sets options of TCP
            state = {**state, HAND_OVER: self._hand_over}
        self._lent = _LentTransport(transport)
        self._asgi = WebSocketsSansIOProtocol(self._config, self._server_state, state)
        self._asgi.connection_made(self._lent)  # type: ignore[arg-type]  # it has all that is asked of it

    def data_received(self, data: bytes) -> None:
        """Pass it on. What comes before the handshake is answered waits on the socket, for whoever is to read it."""
        self._lent.await_answer()
        self._asgi.data_received(data)

    def eof_received(self) -> None:
        """Let the transport close."""

    def pause_writing(self) -> None:
        """Pass it on."""
        self._asgi.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._asgi.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, unless uvicorn's protocol has lost it before."""
        if self._lent.take_back() is not None:
            self._asgi.connection_lost(exc)

    def _hand_over(self, websocket: WebSocket, opening: Opening, subprotocol: str | None) -> None:
        transport = self._lent.take_back()
        if transport is None:  # the client left while the app made up its mind
            return
        self._asgi.connection_lost(ConnectionAbortedError())  # so that it lets go of everything
        del self._asgi
        if transport.is_closing():
            return
        scope: Any = websocket.scope
        # Without the query, in which the id of a session may stand.
        logger.info('%s - "WebSocket %s" [accepted]', get_client_addr(scope), scope["path"])
        headers = [*self._server_state.default_headers, *HEADERS]
        if subprotocol is not None:
            headers.append((b"sec-websocket-protocol", subprotocol.encode()))
        peer = PicowsPeer(opening, self._config, self._server_state.connections)
        peer.take(transport, websocket.headers["sec-websocket-key"], headers)


class _LentTransport:
    """A transport as uvicorn's protocol has it, until it is taken back. From then on nothing happens to it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport: asyncio.Transport | None = transport
        self._is_answered = False

    def __getattr__(self, name: str) -> Any:
        return _ignored if self._transport is None else getattr(self._transport, name)

    def await_answer(self) -> None:
        """Read nothing more before something is written."""
        if self._transport is not None and not self._is_answered:
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        """Write, which answers the handshake if it is the first time."""
        if self._transport is not None:
            self._transport.write(data)
            if not self._is_answered:
                self._is_answered = True
                self._transport.resume_reading()

    def take_back(self) -> asyncio.Transport | None:
        """Have the transport back; None the second time."""
        transport, self._transport = self._transport, None
        return transport


def _ignored(*_: Any) -> None:
    """Stand in for every method of a transport that was taken back."""
