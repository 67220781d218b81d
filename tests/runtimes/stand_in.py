"""A server that stands in for one of an environment, in an image: it misbehaves as MODE says, or as it is asked.

It has no session, so it is for what happens to a container, whatever is in it.
"""

import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = dict(parse_qsl(parts.query))
        match parts.path:
            case "/health":
                self.answer({"status": "healthy"})
            case "/env":
                self.answer(dict(os.environ))
            case "/reach":
                self.answer(reaches(asked["host"], int(asked["port"])))
            case "/write":
                self.answer(writes(asked["path"]))
            case "/eat":
                eaten = []
                while True:
                    eaten.append(bytearray(os.urandom(1 << 20)))
            case _:
                self.send_error(404)

    def answer(self, what: object) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def writes(path: str) -> bool:
    try:
        with open(path, "w") as file:
            file.write("written inside")
    except OSError:
        return False
    return True


def main() -> None:
    mode = os.environ.get("MODE", "")
    print("the stand-in starts", file=sys.stderr, flush=True)
    if mode == "dies":
        print("ImportError: no such module", flush=True)
        sys.exit(3)
    if mode == "silent":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        threading.Event().wait(600)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else lambda *_: os._exit(0))
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()


if __name__ == "__main__":
    main()
