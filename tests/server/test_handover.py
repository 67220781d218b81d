"""`openenv.server.handover`: every handshake goes through the app, and only the frames of `/ws` go past it."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.server.peers import ask, closing, http, step, ws
from tests.server.stage import InlineStaged, Stage, app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import serving

FAST = "openenv.server.handover:FastWebSocket"
RESET = {"type": "reset"}


def fast(app: Any, **settings: Any) -> Any:
    return serving(app, log_config=None, ws=FAST, **settings)


class Watching:
    """Middleware of an author, which sees what of a WebSocket comes through ASGI."""

    def __init__(self, app: Any, seen: list[str], before: Callable[[], Awaitable[None]] | None = None) -> None:
        self.app, self.seen, self.before = app, seen, before

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            self.seen.append(message["type"])
            await send(message)

        if scope["type"] == "websocket" and self.before is not None:
            await self.before()
        await self.app(scope, receive, noting if scope["type"] == "websocket" else send)


def test_frames_go_past_the_app() -> None:
    seen: list[str] = []
    with fast(Watching(app_of(EchoEnvironment), seen)) as url, ws(url) as peer:
        ask(peer, RESET)
        assert ask(peer, step("Hi"))["data"]["reward"] == 0.2
    assert seen == []


def test_other_websockets_stay_with_uvicorn() -> None:
    app = app_of(EchoEnvironment)

    async def shout(websocket: WebSocket) -> None:
        await websocket.accept()
        for _ in range(3):
            await websocket.send_text((await websocket.receive_text()).upper())
        await websocket.send_bytes(b"x" * 3_000_000)  # more than leaves at once
        await websocket.close(4321)

    app.add_api_websocket_route("/shout", shout)
    with fast(app) as url, connect(f"{url.replace('http', 'ws', 1)}/shout", proxy=None, max_size=None) as peer:
        for word in ("a", "b", "c"):
            peer.send(word)
            assert peer.recv(timeout=5) == word.upper()
        assert len(peer.recv(timeout=5)) == 3_000_000
        assert closing(peer) == 4321


def test_authors_middleware_may_refuse() -> None:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        else:
            await app(scope, receive, send)

    app = app_of(EchoEnvironment)
    with fast(refuse) as url, pytest.raises(InvalidStatus, match="403"):
        ws(url)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "http://elsewhere.example"}, 403), ({"Authorization": "Bearer wrong"}, 401), ({}, 401)],
)
def test_access_rules_hold(headers: dict[str, str], status: int) -> None:
    with fast(app_of(EchoEnvironment, token="secret")) as url, pytest.raises(InvalidStatus) as raised:
        ws(url, additional_headers=headers)
    assert raised.value.response.status_code == status


def test_subprotocol_is_selected_when_it_is_offered() -> None:
    with fast(app_of(EchoEnvironment)) as url:
        with ws(url, subprotocols=["other", "openenv.v1"]) as peer:
            assert peer.subprotocol == "openenv.v1"
            assert ask(peer, RESET)["type"] == "observation"
        with ws(url, subprotocols=["other"]) as peer:
            assert peer.subprotocol is None


def test_handshake_is_answered_with_the_servers_headers() -> None:
    with fast(app_of(EchoEnvironment), headers=[("X-Served-By", "us")]) as url, ws(url) as peer:
        assert peer.response is not None
        assert {"date", "server", "x-served-by", "x-openenv-extensions"} <= {
            name.lower() for name in peer.response.headers
        }


def test_prefix_is_known_to_the_app() -> None:
    with fast(app_of(EchoEnvironment), root_path="/prefix") as url, ws(url) as peer:
        assert ask(peer, RESET)["type"] == "observation"


@pytest.mark.parametrize("header", ["Sec-WebSocket-Key: short", "Sec-WebSocket-Version: 12"])
def test_handshake_that_makes_no_sense_is_refused(header: str) -> None:
    with fast(app_of(EchoEnvironment)) as url, socket.create_connection(_address(url), timeout=5) as peer:
        peer.sendall(f"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n{header}\r\n".encode())
        peer.sendall(b"Upgrade: websocket\r\n\r\n")
        assert peer.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 426"))


def test_frames_that_come_before_the_answer_wait_for_it() -> None:
    asked, sent = threading.Event(), threading.Event()
    frame = b'{"type":"reset"}'

    async def until_sent() -> None:
        asked.set()
        while not sent.is_set():
            await _tick()

    app = Watching(app_of(EchoEnvironment), [], until_sent)
    with fast(app) as url, socket.create_connection(_address(url), timeout=5) as peer:
        peer.sendall(_HANDSHAKE)
        assert asked.wait(5)
        peer.sendall(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)
        sent.set()
        received = b""
        while b'"reward"' not in received:
            received += peer.recv(4096)
    assert received.startswith(b"HTTP/1.1 101")


def test_client_that_leaves_during_the_handshake_leaves_nothing(stage: Stage) -> None:
    left = threading.Event()

    async def until_left() -> None:
        while not left.is_set():
            await _tick()

    served = app_of(partial(InlineStaged, stage))
    app = Watching(served, [], until_left)
    with fast(app) as url, http(url) as client:
        with socket.create_connection(_address(url), timeout=5) as peer:
            peer.sendall(_HANDSHAKE)
        left.set()
        assert client.get("/health").status_code == 200
    assert stage.count("init") == stage.count("close")


def test_server_that_stops_during_a_handshake_refuses_it() -> None:
    asked = threading.Event()

    async def for_long() -> None:
        asked.set()
        for _ in range(50):
            await _tick()

    with socket.socket() as peer:
        with fast(Watching(app_of(EchoEnvironment), [], for_long)) as url:
            peer.connect(_address(url))
            peer.settimeout(5)
            peer.sendall(_HANDSHAKE)
            assert asked.wait(5)
        assert peer.recv(100).startswith(b"HTTP/1.1 500")


def test_app_of_others_is_served_as_ever() -> None:
    app = FastAPI()

    async def hello(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    app.add_api_websocket_route("/ws", hello)
    with fast(app) as url, ws(url) as peer:
        assert peer.recv(timeout=5) == "hello"


_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


async def _tick() -> None:
    """Let others run, as a middleware that asks somebody does."""
    await asyncio.sleep(0.005)
