"""A Hugging Face Hub on this machine: the part of its HTTP API that `huggingface_hub` calls to publish a Space.

What it is sent is kept, commit by commit, so that a test can read a Space back, as values or as a folder on disk. It
checks what the real one checks: the token, who owns what, that a large file arrived whole before a commit names it. It
can be told to fail. Not here: Xet, the Hub's newer way for large files, which needs a storage service of its own;
`HF_HUB_DISABLE_XET` makes the library take the other way.

    with hub_server() as hub:
        subprocess.run(["openenv", "push", "my_env"], env=os.environ | hub.environment(home=tmp_path))
        hub.spaces["alice/my_env"].write_to(tmp_path / "pulled")
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.hub_memory import HubServer, Refusal, Space

__all__ = ["HubServer", "Space", "hub_server"]

# Read by the library when it is imported, which tests that publish in their own process do after importing this.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_GET

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        fault = self.hub.take_fault(f"{self.command} {self.path}")
        length = int(self.headers.get("content-length") or 0)
        if fault is not None and fault.cut_at is not None:
            self.rfile.read(int(length * fault.cut_at))
            self._break()
            return
        body = self._body(length)
        if fault is not None and fault.until is not None:
            while not fault.until.wait(0.05) and not self.hub.stopping.is_set():
                pass
        if fault is not None and fault.status is not None:
            self._reply(fault.status, {"error": "as this test wants it"}, fault.headers)
            return
        try:
            status, answer = self.hub.answer(self.command, self.path, dict(self.headers.items()), body)
        except Refusal as refusal:
            headers = {"X-Error-Message": str(refusal)} | ({"X-Error-Code": refusal.code} if refusal.code else {})
            errors = {"error": str(refusal), "errors": [{"message": str(refusal)}], **refusal.more}
            self._reply(refusal.status, errors, headers)
            return
        if fault is not None and fault.is_done_first:
            self._break()
        else:
            self._reply(status, answer)

    def _body(self, length: int) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(length)
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reply(self, status: int, answer: Any, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(answer).encode()
        with suppress(ConnectionError):  # whoever asked may have gone
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def _break(self) -> None:
        """End the connection as a crash does: by a reset, not by a goodbye."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, hub: HubServer) -> None:
        super().__init__(("127.0.0.1", 0), type("_BoundHandler", (_Handler,), {"hub": hub}))
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End connections that clients keep open for later, whose threads would wait for ever."""
        for request in list(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that broke: some tests break them."""


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve an empty Hub, on a port of its own, for the time of the block."""
    hub = HubServer()
    server = _Server(hub)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="hub-server")
    thread.start()
    try:
        yield hub
    finally:
        hub.stopping.set()
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()
