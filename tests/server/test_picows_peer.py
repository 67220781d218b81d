"""`openenv.server.picows_peer`, and what ASGI does in its place: the rules of WebSocket, held over either transport."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from openenv.server import conversation
from openenv.server.conversation import Peer
from tests.server.peers import ask, reply, step, ws
from tests.server.stage import InlineStaged, Stage, Staged, app_of
from tests.support.echo import EchoEnvironment, VerboseEcho
from tests.support.serving import TRANSPORTS, serving

Served = Callable[..., AbstractContextManager[str]]

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
FIN = 0x80
RESET = b'{"type":"reset"}'


@pytest.fixture(scope="module", params=TRANSPORTS)
def served(request: pytest.FixtureRequest) -> Served:
    """Serve an app over one of the two transports."""
    return partial(serving, log_config=None, ws=request.param)


@pytest.fixture(scope="module")
def echo(served: Served) -> Iterator[str]:
    with served(app_of(EchoEnvironment)) as url:
        yield url


class Raw:
    """A client that writes its frames by hand, so that they can be wrong."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=8)
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self.socket.makefile("rb")
        self.status = self._file.readline()
        while self._file.readline() != b"\r\n":
            pass

    def send(self, head: int, payload: bytes = b"", *, masked: bool = True) -> None:
        mask = 0x80 if masked else 0
        size = bytes([mask | len(payload)]) if len(payload) < 126 else struct.pack("!BH", mask | 126, len(payload))
        self.socket.sendall(bytes([head]) + size + (bytes(4) if masked else b"") + payload)

    def receive(self) -> tuple[int, bytes]:
        """Read a frame, as its opcode and payload."""
        head, size = self._file.read(2)
        if size == 126:
            (size,) = struct.unpack("!H", self._file.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._file.read(8))
        return head & 15, self._file.read(size)

    def close_code(self) -> int:
        """Read the close frame that comes next."""
        opcode, payload = self.receive()
        assert opcode == CLOSE, (opcode, payload)
        return int.from_bytes(payload[:2], "big")

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(FIN | TEXT, b"\xff\xfe")], 1007),
        ([(TEXT, b"\xff"), (FIN | CONTINUATION, b"\xfe")], 1007),
        ([(FIN | 0x40 | TEXT, RESET)], 1002),
        ([(FIN | 3, RESET)], 1002),
        ([(FIN | CONTINUATION, RESET)], 1002),
        ([(TEXT, RESET), (FIN | TEXT, RESET)], 1002),
        ([(PING, b"in parts")], 1002),
        ([(FIN | PING, b"x" * 126)], 1002),
    ],
)
def test_client_that_breaks_the_rules_of_websocket_is_told_which(
    echo: str, frames: list[tuple[int, bytes]], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Raw(echo)) as raw, ws(echo) as other:
        for head, payload in frames:
            raw.send(head, payload)
        assert raw.close_code() == code
        assert ask(other, step("undisturbed"))["type"] == "observation"
    caplog.clear()  # uvicorn's own protocol reports text that is not UTF-8 as an error


def test_frame_without_a_mask_is_refused(echo: str) -> None:
    with closing(Raw(echo)) as raw:
        raw.send(FIN | TEXT, RESET, masked=False)
        assert raw.close_code() == 1002


def test_message_in_parts_is_one_message_and_pings_may_come_between(echo: str) -> None:
    with closing(Raw(echo)) as raw:
        raw.send(TEXT, RESET[:5])
        raw.send(FIN | PING, b"between")
        assert raw.receive() == (PONG, b"between")
        raw.send(CONTINUATION, RESET[5:9])
        raw.send(FIN | CONTINUATION, RESET[9:])
        opcode, payload = raw.receive()
    assert (opcode, json.loads(payload)["type"]) == (TEXT, "observation")


def test_binary_message_in_parts_is_still_binary(echo: str) -> None:
    with closing(Raw(echo)) as raw:
        raw.send(BINARY, RESET[:5])
        raw.send(FIN | CONTINUATION, RESET[5:])
        assert b"16 bytes of binary" in raw.receive()[1]


def test_message_whose_parts_are_too_much_together_is_refused(served: Served) -> None:
    with served(app_of(EchoEnvironment), ws_max_size=1000) as url, closing(Raw(url)) as raw:
        raw.send(TEXT, b"x" * 900)
        raw.send(CONTINUATION, b"x" * 900)
        assert raw.close_code() == 1009


@pytest.mark.parametrize("payload", [b"", struct.pack("!H", 1000) + b"bye", struct.pack("!H", 4000)])
def test_close_is_answered_in_kind(echo: str, payload: bytes) -> None:
    with closing(Raw(echo)) as raw:
        raw.send(FIN | CLOSE, payload)
        assert raw.receive() == (CLOSE, payload)
        assert raw.socket.recv(1) == b""


def test_pong_that_nobody_asked_for_is_ignored(echo: str) -> None:
    with closing(Raw(echo)) as raw:
        raw.send(FIN | PONG, b"hello?")
        raw.send(FIN | TEXT, RESET)
        assert raw.receive()[0] == TEXT


def test_client_that_answers_pings_stays(served: Served) -> None:
    with served(app_of(EchoEnvironment), ws_ping_interval=0.05, ws_ping_timeout=2.0) as url, closing(Raw(url)) as raw:
        for _ in range(3):
            opcode, payload = raw.receive()
            assert opcode == PING
            raw.send(FIN | PONG, payload)
        raw.send(FIN | TEXT, RESET)
        while (frame := raw.receive())[0] == PING:
            raw.send(FIN | PONG, frame[1])
        assert frame[0] == TEXT


def test_client_that_answers_no_ping_is_cut_off(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage))
    with served(app, ws_ping_interval=0.05, ws_ping_timeout=0.05) as url, closing(Raw(url)) as raw:
        assert raw.receive()[0] == PING
        assert raw.close_code() == 1011
        stage.expect("close")


def test_client_that_only_stops_sending_is_gone(served: Served, stage: Stage) -> None:
    with served(app_of(partial(InlineStaged, stage))) as url, closing(Raw(url)) as raw:
        raw.send(FIN | TEXT, RESET)
        assert raw.receive()[0] == TEXT
        raw.socket.shutdown(socket.SHUT_WR)
        stage.expect("close")


def test_frames_after_the_close_are_ignored(served: Served, stage: Stage) -> None:
    with served(app_of(partial(Staged, stage))) as url, closing(Raw(url)) as raw:
        raw.send(FIN | TEXT, b'{"type":"close"}')
        assert raw.close_code() == 1000
        raw.send(FIN | TEXT, RESET)
        raw.send(FIN | CLOSE, struct.pack("!H", 1000))
        assert raw.socket.recv(1) == b""
    assert stage.count("reset") == 0


class _Flood:
    """A conversation that sends whether anybody reads or not."""

    def __init__(self, peer: Peer, *_: Any) -> None:
        self.peer = peer
        self.is_lost = False

    def begin(self) -> None:
        for _ in range(20):
            self.peer.send(b'"' + b"x" * 1_000_000 + b'"')

    def received(self, frame: str | bytes) -> None:
        self.peer.send(b'"read"')

    def resumed(self) -> None:
        """Nothing waits here."""

    def lost(self, code: int | None = None) -> None:
        self.is_lost = True


def test_client_that_does_not_read_is_closed_with_a_reason(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conversation.CONVERSATIONS, None, _Flood)
    monkeypatch.setattr("openenv.server.ws.MAX_UNSENT_BYTES", 8_000_000)
    monkeypatch.setattr("openenv.server.picows_peer.MAX_UNSENT_BYTES", 8_000_000)
    with served(app_of(EchoEnvironment)) as url, ws(url, max_size=None) as peer:
        frames = []
        with suppress(ConnectionClosed):
            while True:
                frames.append(peer.recv(timeout=8))
    assert peer.close_code == 1008
    assert "bytes of replies wait" in (peer.close_reason or "")
    assert 7 <= len(frames) < 20  # what fitted, and whole
    assert {len(frame) for frame in frames} == {1_000_002}


def test_client_that_reads_late_gets_every_reply_in_order(served: Served) -> None:
    with served(app_of(VerboseEcho)) as url, ws(url, max_size=None, max_queue=1) as peer:
        for number in range(60):
            peer.send(json.dumps(step(f"{number} " + "x" * 200)))
        echoed = [reply(peer)["data"]["observation"]["echoed_message"].split()[0] for _ in range(60)]
    assert echoed == [str(number) for number in range(60)]
