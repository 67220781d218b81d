"""One POST against servers that answer well, badly, or not at all."""

import asyncio
import shutil
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest

from openenv.errors import ConfigurationError
from openenv.llm import post as module
from openenv.llm.post import Answer, PostFailed, post, target_of
from tests.support.endpoint import HANG, endpoint, response
from tests.support.services import require


def ask(*replies: bytes) -> Answer:
    with endpoint(*replies) as served:
        return asyncio.run(post(target_of(served.url, None), {"X-Extra": "1"}, b'{"a": 1}'))


@pytest.mark.parametrize(
    ("address", "port", "target"),
    [
        ("http://localhost", 8000, "http://localhost:8000/v1"),
        ("http://localhost:9000", 8000, "http://localhost:9000/v1"),
        ("localhost:9000", None, "http://localhost:9000/v1"),
        ("https://api.openai.com", 443, "https://api.openai.com/v1"),
        ("https://models.example", None, "https://models.example/v1"),
        ("https://router.example/api/v3/", None, "https://router.example/api/v3"),
        ("http://[::1]", 8000, "http://[::1]:8000/v1"),
    ],
)
def test_an_address_is_completed(address: str, port: int | None, target: str) -> None:
    assert str(target_of(address, port)) == target


def test_a_query_is_sent_and_not_shown() -> None:
    target = target_of("https://models.example/v1?key=secret", None).below("chat/completions")
    assert (str(target), target.query) == ("https://models.example/v1/chat/completions", "?key=secret")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("https://user:secret@models.example", "pass the secret as api_key"),
        ("https://user:secret", "is no address"),
        ("https://user@models.example", "user name or password"),
        ("ftp://models.example", "scheme 'ftp'"),
        ("https://", "write one like"),
        ("https://models.example:99999", "is no address"),
        ("https://models.example/a b", "percent-encoded"),
        ("https://models.example/ü", "percent-encoded"),
        ("https://models.example/\r\nX-Evil: 1", "percent-encoded"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_a_secret(address: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        target_of(address, None)
    assert "secret" not in str(caught.value).replace("pass the secret", "")


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match="between 1 and 65535"):
        target_of("http://localhost", port)


def test_the_request_is_whole_and_asks_for_no_second_one() -> None:
    with endpoint(response(200, b"{}")) as served:
        asyncio.run(post(target_of(served.url, None).below("x"), {"X-Extra": "1"}, b'{"a": 1}'))
    (request,) = served.requests
    assert (request.line, request.body) == ("POST /v1/x HTTP/1.1", {"a": 1})
    assert request.headers["host"] == f"127.0.0.1:{served.port}"
    assert (request.headers["connection"], request.headers["x-extra"]) == ("close", "1")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (response(200, b"abc"), Answer(200, b"abc", None)),
        (CHUNKED, Answer(200, b"abcde", None)),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", Answer(200, b"until the end", None)),
        (response(429, b"later", Retry_After="7"), Answer(429, b"later", "7")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + response(200, b"abc"), Answer(200, b"abc", None)),
        (response(200, b"abc") + b"and more", Answer(200, b"abc", None)),
        (response(302, b"", Location="http://elsewhere.example"), Answer(302, b"", None)),
        (response(200, b""), Answer(200, b"", None)),
    ],
)
def test_answers_of_every_shape_are_read(reply: bytes, answer: Answer) -> None:
    assert ask(reply) == answer


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "ended before the answer did"),
        (CHUNKED[:-7], "ended before the answer did"),
        (b"HTTP/1.1 200 OK\r\nContent-", "ended before the answer did"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "is no HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "ended before the answer did"),
    ],
)
def test_what_is_no_whole_answer_is_an_error(reply: bytes, complaint: str) -> None:
    with pytest.raises(PostFailed, match=complaint):
        ask(reply)


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(PostFailed, match="longer than 1000 bytes"):
        ask(response(200, b"x" * 2000))


def test_nobody_listening_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(PostFailed, match="no connection"):
        asyncio.run(post(target_of("http://127.0.0.1", port), {}, b""))


def test_a_host_that_cannot_be_one_is_an_error() -> None:
    with pytest.raises(PostFailed, match="no connection"):
        asyncio.run(post(target_of(f"http://{'a' * 70}.example", None), {}, b""))


def test_a_connection_that_is_reset_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        async def attempt() -> None:
            asking = asyncio.ensure_future(post(target_of("http://127.0.0.1", listening.getsockname()[1]), {}, b"x"))
            connection, _ = await asyncio.to_thread(listening.accept)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.to_thread(connection.recv, 10)
            connection.close()  # with what is unread, and no patience: a reset
            with pytest.raises(PostFailed, match="the connection was lost"):
                await asking

        asyncio.run(attempt())


def test_a_server_that_does_not_speak_tls_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        async def attempt() -> None:
            asking = asyncio.ensure_future(post(target_of("https://127.0.0.1", port), {}, b""))
            connection, _ = await asyncio.to_thread(listening.accept)
            with connection:
                await asyncio.to_thread(connection.sendall, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                with pytest.raises(PostFailed, match="no connection"):
                    await asking

        asyncio.run(attempt())


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    require(shutil.which("openssl"), "openssl makes the certificate of the test")
    both = tmp_path / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    options = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(tmp_path / "key.pem"), "-out", str(both)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    with both.open("ab") as file:
        file.write((tmp_path / "key.pem").read_bytes())
    return both


@pytest.mark.parametrize("is_trusted", [True, False])
def test_over_tls_the_certificate_decides(is_trusted: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with endpoint(response(200, b"abc"), tls=tls) as served:
        asking = post(target_of(served.url, None), {}, b"{}")
        if is_trusted:
            assert asyncio.run(asking).body == b"abc"
        else:
            with pytest.raises(PostFailed, match=r"no connection: .*certificate verify failed"):
                asyncio.run(asking)
        assert len(served.requests) == is_trusted


def test_giving_up_takes_the_connection_with_it() -> None:
    async def give_up(url: str) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await post(target_of(url, None), {}, b"{}")

    with endpoint(HANG) as served:
        asyncio.run(give_up(served.url))
        assert served.given_up.wait(5)
