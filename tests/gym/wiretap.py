"""A server between a client and another server that keeps every frame, and decides on the dialect."""

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

__all__ = ["Frame", "tapped"]

Frame = str | bytes


@contextmanager
def tapped(url: str, subprotocol: Any) -> Iterator[tuple[str, list[Frame], list[Frame]]]:
    """Stand before the server at `url`; give our own address, and what clients and the server have sent so far."""
    asked: list[Frame] = []
    answered: list[Frame] = []

    def take(connection: ServerConnection) -> None:
        address = f"{url.replace('http', 'ws')}/ws"
        with connect(address, subprotocols=[subprotocol], max_size=None, compression=None) as server:
            back = threading.Thread(target=carry, args=(server, connection, answered))
            back.start()
            carry(connection, server, asked)
            server.close()
            back.join()

    with serve(take, "127.0.0.1", 0, subprotocols=[subprotocol], process_request=_schema_of(url), max_size=None) as tap:
        thread = threading.Thread(target=tap.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{_port(tap)}", asked, answered
        finally:
            tap.shutdown()
            thread.join()


def carry(source: Any, target: Any, kept: list[Frame]) -> None:
    """Pass frames on until one side is gone."""
    with suppress(ConnectionClosed):
        for frame in source:
            kept.append(frame)
            target.send(frame)
    target.close()


def _port(server: Server) -> int:
    port: int = server.socket.getsockname()[1]
    return port


def _schema_of(url: str) -> Any:
    def answer(connection: ServerConnection, request: Request) -> Response | None:
        if request.path != "/schema":
            return None
        with urllib.request.urlopen(f"{url}/schema", timeout=8) as reply:
            body = reply.read()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
        return Response(200, "OK", headers, body)

    return answer
