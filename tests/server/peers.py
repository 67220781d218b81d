"""Clients that are not ours: frames by hand over `websockets`, requests by hand over httpx."""

import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

__all__ = ["Peer", "ask", "closing", "http", "reply", "step", "ws"]

Peer = ClientConnection

_PATIENCE_S = 8


def ws(url: str, **settings: Any) -> Peer:
    """Connect to the socket of a server; use it in `with`. Further settings go to `websockets`."""
    peer: Peer = connect(f"{url.replace('http', 'ws', 1)}/ws", proxy=None, compression=None, **settings)
    return peer


def http(url: str, **settings: Any) -> httpx.Client:
    """Make an HTTP client of a server; use it in `with`. Further settings go to httpx."""
    return httpx.Client(base_url=url, trust_env=False, timeout=_PATIENCE_S, **settings)


def step(message: str, **beside: Any) -> dict[str, Any]:
    """Make a step request; `beside` lies beside its data."""
    return {"type": "step", "data": {"message": message}, **beside}


def ask(peer: Peer, message: Any) -> Any:
    """Send a request, or a raw frame, and read its reply."""
    peer.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return reply(peer)


def reply(peer: Peer) -> Any:
    """Read one frame."""
    return json.loads(peer.recv(timeout=_PATIENCE_S))


def closing(peer: Peer) -> int:
    """Wait until the server closes, and say with which code; a frame that comes instead is an error."""
    with pytest.raises(ConnectionClosed) as raised:
        peer.recv(timeout=_PATIENCE_S)
    received = raised.value.rcvd
    assert received is not None, "the connection ended without a close frame"
    return received.code
