"""The socket of the sync client: what `test_faults` does not reach through a client."""

import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from openenv.client.blocking import BlockingSocket
from openenv.client.endpoint import Endpoint, socket_url
from openenv.errors import ConnectFailed, ConnectionLost
from tests.client.scripted import Peer, Withholding, listening, observed, saying, scripted
from tests.support.services import require


def endpoint(url: str, **limits: Any) -> Endpoint:
    defaults: dict[str, Any] = {
        "headers": {},
        "connect_timeout_s": 5.0,
        "message_timeout_s": 5.0,
        "max_message_bytes": None,
        "ping_interval_s": None,
        "ping_timeout_s": None,
    }
    return Endpoint(url=socket_url(url), **(defaults | limits))


@contextmanager
def connected(url: str, **limits: Any) -> Iterator[BlockingSocket]:
    connection = BlockingSocket(endpoint(url, **limits))
    try:
        yield connection
    finally:
        connection.close()


def expecting(event: threading.Event) -> Callable[[Peer], None]:
    """Send a ping, and set `event` when the pong comes."""

    def script(peer: Peer) -> None:
        peer.ping()
        assert peer.next_event().opcode.name == "PONG"
        event.set()
        peer.next_event()

    return script


def test_handshake_sends_the_headers_and_reads_the_extensions() -> None:
    seen: list[str] = []

    def serve(connection: socket.socket) -> None:
        peer = Peer(connection)
        seen.append(peer.shake_hands(" timeout_s, options,").headers["X-Mine"])
        peer.next_event()

    with listening(serve) as url, connected(url, headers={"X-Mine": "1"}) as connection:
        assert connection.extensions == {"timeout_s", "options"}
    assert seen == ["1"]


def test_frames_that_come_with_the_handshake_are_kept() -> None:
    def serve(connection: socket.socket) -> None:
        withholding: Any = Withholding(connection)
        peer = Peer(withholding)
        peer.shake_hands("")
        peer.say("early")
        connection.sendall(withholding.held)
        peer.next_event()

    with listening(serve) as url, connected(url) as connection:
        assert connection.take() == b"early"


def test_ping_is_answered_while_waiting_and_while_idle() -> None:
    ponged = threading.Event()
    with scripted(expecting(ponged)) as url, connected(url) as connection:
        with pytest.raises(TimeoutError):
            connection.receive(0.3)
        assert ponged.wait(5)
    ponged.clear()
    with scripted(expecting(ponged)) as url, connected(url) as connection:
        while not ponged.wait(0.01):
            connection.tend()


def test_silent_server_is_pinged_and_kept_when_it_answers() -> None:
    def script(peer: Peer) -> None:
        for _ in range(3):
            assert peer.next_event().opcode.name == "PING"
        peer.say(observed())
        peer.next_event()

    with scripted(script) as url, connected(url, ping_interval_s=0.02, ping_timeout_s=5.0) as connection:
        assert b"ready" in connection.receive(None)


def test_server_that_does_not_answer_pings_is_given_all_the_time_there_is() -> None:
    release = threading.Event()

    def deaf(peer: Peer) -> None:
        release.wait(10)
        peer.say(observed())

    with scripted(deaf) as url, connected(url, ping_interval_s=0.02, ping_timeout_s=None) as connection:
        with pytest.raises(TimeoutError):
            connection.receive(0.1)
        release.set()
        assert b"ready" in connection.receive(5)


def test_nothing_is_sent_on_a_connection_that_has_ended() -> None:
    with scripted(lambda peer: peer.hang_up(1001)) as url, connected(url) as connection:
        with pytest.raises(ConnectionLost, match="going away"):
            connection.receive(5)
        assert not connection.is_open
        with pytest.raises(ConnectionLost, match="going away"):
            connection.send([b"x"])
        with pytest.raises(ConnectionLost, match="going away"):
            connection.tend()


def test_server_that_does_not_read_is_given_up_after_the_message_timeout() -> None:
    release = threading.Event()

    def deaf(peer: Peer) -> None:
        release.wait(10)

    with scripted(deaf) as url, connected(url, message_timeout_s=0.1) as connection:
        connection.send([b"x" * 50_000_000])
        with pytest.raises(ConnectionLost):
            connection.receive(5)
        release.set()


def test_drop_and_close_may_be_repeated() -> None:
    with scripted(lambda peer: peer.next_event()) as url, connected(url) as connection:
        for _ in range(2):
            connection.drop()
            connection.close()
        with pytest.raises(ConnectionLost):
            connection.receive(1)


def test_ctrl_c_while_shaking_hands_leaves_no_descriptor() -> None:
    def press(connection: socket.socket) -> None:
        connection.recv(65536)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        connection.recv(1)  # nothing: the client has hung up

    with listening(press) as url, pytest.raises(KeyboardInterrupt):
        BlockingSocket(endpoint(url))


# --- TLS


def test_tls_to_a_server_without_it() -> None:
    with saying(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url, pytest.raises(ConnectFailed, match="SSL"):
        BlockingSocket(endpoint(url.replace("http", "https")))


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(which("openssl"), "needs the openssl command, to make a certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            peer = Peer(secured)
            peer.shake_hands("")
            peer.say(observed())
            peer.next_event()

    with listening(serve) as url:
        secure = url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(ConnectFailed, match="certificate"):
            BlockingSocket(endpoint(secure))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        with connected(secure) as connection:
            connection.tend()
            assert b"ready" in connection.receive(5)


# --- Proxies


@contextmanager
def proxy(answer: bytes, *, scheme: str = "http") -> Iterator[str]:
    """Run a proxy that answers CONNECT so, and then is the server itself."""

    def serve(connection: socket.socket) -> None:
        request = connection.recv(65536)
        assert request.startswith(b"CONNECT env.example:80 ")
        connection.sendall(answer)
        if b" 200" in answer:
            peer = Peer(connection)
            peer.shake_hands("")
            peer.say(observed())
            peer.next_event()

    with listening(serve) as url:
        yield url.replace("http", scheme)


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AbstractContextManager[BlockingSocket]]:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "ws_proxy", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def connect(url: str) -> AbstractContextManager[BlockingSocket]:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("ws_proxy", url)
        return connected("http://env.example")

    return connect


Through = Callable[[str], AbstractContextManager[BlockingSocket]]


def test_server_elsewhere_is_reached_through_the_proxy(through: Through) -> None:
    with proxy(b"HTTP/1.1 200 Connection established\r\n\r\n") as url, through(url) as connection:
        assert b"ready" in connection.receive(5)


def test_server_on_this_machine_is_not(through: Through) -> None:
    through("http://127.0.0.1:1")
    with scripted(lambda peer: peer.next_event()) as url, connected(url) as connection:
        assert connection.is_open


@pytest.mark.parametrize(
    ("answer", "scheme", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "http", "the proxy answered 'HTTP/1.1 407 Proxy"),
        (b"", "http", "the proxy closed the connection"),
        (b"", "socks5", r"knows http proxies only, not socks5h?: use \.aio\(\)"),
        (b"", "gopher", "scheme gopher isn't supported"),
    ],
)
def test_proxy_that_does_not_help(through: Through, answer: bytes, scheme: str, said: str) -> None:
    with proxy(answer, scheme=scheme) as url, pytest.raises(ConnectFailed, match=said), through(url):
        pass
