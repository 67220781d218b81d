"""A language model's endpoint on this machine: a real HTTP server that answers as it is told, well or badly."""

import json
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = ["HANG", "Endpoint", "Request", "completion", "endpoint", "response"]

HANG = b""
"""Read the request, say nothing, and wait until the client gives up."""


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: Any


@dataclass
class Endpoint:
    url: str
    port: int
    requests: list[Request] = field(default_factory=list)
    given_up: threading.Event = field(default_factory=threading.Event)


def response(status: int, body: bytes | dict[str, Any], **headers: str) -> bytes:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Length": str(len(payload)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Reason\r\n{head}\r\n".encode() + payload


def completion(text: object) -> bytes:
    return response(200, {"choices": [{"message": {"role": "assistant", "content": text}}]})


@contextmanager
def endpoint(*replies: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Endpoint]:
    """Serve `replies`, one a connection, the last one ever after; with `tls`, under the name of localhost."""
    lock = threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        timeout = 10

        def handle(self) -> None:
            line = self.rfile.readline().decode().strip()
            named = iter(lambda: self.rfile.readline().decode().strip(), "")
            headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in named)}
            body = json.loads(self.rfile.read(int(headers["content-length"])))
            with lock:
                served.requests.append(Request(line, headers, body))
                reply = _next(replies, len(served.requests))
            self.wfile.write(reply)
            if reply == HANG:
                with suppress(OSError):
                    self.rfile.read(1)
                served.given_up.set()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        served = Endpoint(f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}", port)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def _next(replies: Sequence[bytes], asked: int) -> bytes:
    return replies[min(asked, len(replies)) - 1]
