"""`openenv.server.forward`: whichever worker a request reaches, its session's worker answers, by the same rules."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from openenv.server.cluster import listen_on_file
from openenv.server.forward import Forwarder, owner_of
from tests.server.neighbours import BODY_LIMIT, workers
from tests.server.peers import ask, http, step, ws


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URLs of two workers."""
    with workers(tmp_path_factory.mktemp("pair"), web=True) as urls:
        yield urls


@pytest.fixture(params=["its own worker", "another worker"])
def far(request: pytest.FixtureRequest, pair: tuple[str, str]) -> Iterator[httpx.Client]:
    """A client with a session of the first worker, which sends its requests to the first or to the second."""
    with http(pair[0]) as client:
        session = client.post("/reset", json={}, headers={"X-Session-Id": "new"}).headers["X-Session-Id"]
    assert session.startswith("0-")
    with http(pair[request.param == "another worker"], headers={"X-Session-Id": session}) as client:
        yield client
        client.delete("/session")


def _act(message: str) -> dict[str, Any]:
    return {"action": {"message": message}}


@pytest.mark.parametrize(
    ("session_id", "owner"),
    [
        ("0-x", 0),
        ("2-x", 2),
        ("3-x", None),
        ("12-x", None),
        ("new", None),
        ("", None),
        ("-1-x", None),
        ("1", None),
        ("01-x", None),
        ("\u0661-x", None),
        ("9" * 5000 + "-", None),
    ],
)
def test_session_id_names_its_worker_and_any_other_text_names_none(session_id: str, owner: int | None) -> None:
    assert owner_of(session_id, "10.0.0.1", 3) == owner


def test_callers_without_an_id_are_spread_by_their_address() -> None:
    owners = [owner_of(None, f"10.0.0.{number}", 3) for number in range(50)]
    assert owners == [owner_of(None, f"10.0.0.{number}", 3) for number in range(50)]
    assert set(owners) == {0, 1, 2}


# ---- what a caller sees


def test_session_is_served_through_any_worker(far: httpx.Client) -> None:
    for count in (1, 2, 3):
        answer = far.post("/step", json={**_act("Hi"), "request_id": "r7"})
        assert (answer.status_code, answer.json()["metadata"]) == (200, {"step": count})
        assert answer.headers["X-Session-Id"] == far.headers["X-Session-Id"]
        assert answer.headers["X-Request-Id"] == "r7"
    assert far.get("/state").json()["step_count"] == 3
    assert far.post("/reset", json={"episode_id": "again"}).status_code == 200
    assert far.get("/state").json() == {"episode_id": "again", "step_count": 0}


def test_session_that_was_ended_is_gone_through_any_worker(far: httpx.Client, pair: tuple[str, str]) -> None:
    assert far.delete("/session").json()["closed"] is True
    for url in pair:
        answer = httpx.get(f"{url}/state", headers=far.headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (410, "SESSION_ENDED")


def test_caller_without_an_id_has_one_session_among_all_workers(pair: tuple[str, str]) -> None:
    with http(pair[0]) as one, http(pair[1]) as other:
        one.post("/reset", json={})
        counts = [client.post("/step", json=_act("Hi")).json()["metadata"]["step"] for client in (one, other) * 3]
        assert counts == [1, 2, 3, 4, 5, 6]
        other.delete("/session")


def test_caller_of_a_shared_session_finds_it_through_all_workers(pair: tuple[str, str]) -> None:
    with http(pair[0]) as one, http(pair[1]) as other:
        one.post("/web/reset", json={})
        for client in (one, other):
            assert client.post("/web/step", json=_act("Hi")).status_code == 200
        assert [client.get("/web/state").json()["step_count"] for client in (one, other)] == [2, 2]


@pytest.mark.parametrize("session_id", ["0-00", "1-00", "7-00", "nonsense", "9" * 5000 + "-"])
def test_unknown_id_is_not_found_through_any_worker(session_id: str, pair: tuple[str, str]) -> None:
    for url in pair:
        answer = httpx.get(f"{url}/state", headers={"X-Session-Id": session_id}, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (404, "SESSION_NOT_FOUND")


def test_body_arrives_whole(far: httpx.Client) -> None:
    message = "0123456789\u00e9\u2603" * 40_000
    answer = far.post("/step", json=_act(message)).json()
    assert answer["observation"]["echoed_message"] == message


def test_body_of_unsaid_length_arrives_whole(far: httpx.Client) -> None:
    text = json.dumps(_act("piecemeal")).encode()
    pieces = (text[index : index + 5] for index in range(0, len(text), 5))
    answer = far.post("/step", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.json()["observation"]["echoed_message"] == "piecemeal"


@pytest.mark.parametrize("excess", [1, 700_000])
def test_too_large_a_body_is_refused_and_the_session_goes_on(excess: int, far: httpx.Client) -> None:
    padding = BODY_LIMIT + excess - len(json.dumps(_act("")))
    answer = far.post("/step", content=json.dumps(_act("x" * padding)), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert far.get("/state").status_code == 200


def test_caller_that_asks_before_it_sends_its_body_gets_one_answer(far: httpx.Client) -> None:
    body = json.dumps(_act("Hi")).encode()
    head = (
        f"POST /step HTTP/1.1\r\nHost: localhost\r\nX-Session-Id: {far.headers['X-Session-Id']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((far.base_url.host, far.base_url.port), timeout=5) as peer:
        peer.sendall(head.encode())
        assert peer.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(body)
        assert peer.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Host": "evil.example", "X-OpenEnv-Server": "198.51.100.1", "X-OpenEnv-Client": "198.51.100.2"}, 403),
        ({"Host": "localhost", "Origin": "http://localhost"}, 200),
    ],
)
def test_rules_of_access_hold_through_any_worker(headers: dict[str, str], status: int, far: httpx.Client) -> None:
    answer = far.post("/step", content=json.dumps(_act("Hi")), headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status


def test_token_is_asked_for_through_any_worker(tmp_path: Path) -> None:
    with workers(tmp_path, token="secret") as urls:
        for url in urls:
            answers = [
                httpx.post(f"{url}/reset", json={}, headers=headers, trust_env=False).status_code
                for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer secret"})
            ]
            assert answers == [401, 401, 200]


def test_caller_cannot_pass_for_another(pair: tuple[str, str]) -> None:
    with http(pair[0]) as one, http(pair[1]) as other:
        one.post("/reset", json={"episode_id": "ours"})
        for client in (one, other):
            answer = client.get("/state", headers={"X-OpenEnv-Client": "198.51.100.2"})
            assert answer.json()["episode_id"] == "ours"
        one.delete("/session")


def test_what_belongs_to_no_worker_is_served_where_it_arrives(pair: tuple[str, str]) -> None:
    for url in pair:
        with http(url) as client, ws(url) as peer:
            assert client.get("/health").json() == {"status": "healthy"}
            assert client.head("/state", headers={"X-Session-Id": "0-x"}).status_code == 405
            assert client.get("/reset").status_code == 405
            assert ask(peer, step("Hi"))["data"]["reward"] == 0.2


# ---- between workers


async def _handed_over(peer: Path, **beside: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    """Give a request of session 1 to worker 0, whose app must not see it; `peer` is where worker 1 listens."""

    async def app(*_: Any) -> None:
        raise AssertionError("this request is the other worker's")

    async def receive() -> dict[str, Any]:
        return bodies.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    bodies: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.request", "body": b"}"},
    ]
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/step",
        "raw_path": b"/%73tep",
        "server": ("127.0.0.1", 8000),
        "client": ("198.51.100.7", 5000),
        "headers": [(b"x-session-id", b"1-x")],
    }
    forwarder = Forwarder(app, index=0, peers=[Path("unused"), peer], max_body_bytes=100)
    await forwarder(scope | beside, receive, send)
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


@contextmanager
def _owner(path: Path, answer: bytes) -> Iterator[list[bytes]]:
    """Be the other worker, once: note what arrives, and answer that."""
    arrived: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while not arrived or not arrived[0].endswith(b"\r\n\r\n{}"):
                arrived[:] = [b"".join(arrived) + connection.recv(65536)]
            connection.sendall(answer)

    with listen_on_file(path) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield arrived
        thread.join(5)


ANSWER = b"HTTP/1.1 200 OK\r\nDate: now\r\nServer: x\r\nConnection: close\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.anyio
async def test_request_is_written_anew_so_that_nothing_of_the_callers_passes_for_ours(tmp_path: Path) -> None:
    told = [
        (b"x-session-id", b"1-x"),
        (b"x-openenv-client", b"127.0.0.1"),
        (b"x-openenv-server", b"10.0.0.1"),
        (b"content-length", b"999"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"keep-alive, upgrade"),
        (b"upgrade", b"websocket"),
        (b"expect", b"100-continue"),
        (b"x-kept", b"\xe9"),
    ]
    with _owner(tmp_path / "1.sock", ANSWER) as arrived:
        answer = await _handed_over(tmp_path / "1.sock", headers=told)
    assert answer == (200, {b"x-kept": b"1", b"content-length": b"2"}, b"ok")
    head, _, body = arrived[0].partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.split(b"\r\n") == [
        b"POST /%73tep HTTP/1.1",
        b"x-session-id: 1-x",
        b"x-kept: \xe9",
        b"x-openenv-client: 198.51.100.7",
        b"x-openenv-server: 127.0.0.1",
        b"content-length: 2",
        b"connection: close",
    ]


@pytest.mark.anyio
async def test_caller_whose_address_is_unknown_has_none(tmp_path: Path) -> None:
    with _owner(tmp_path / "1.sock", ANSWER) as arrived:
        await _handed_over(tmp_path / "1.sock", client=None)
    assert b"\r\nx-openenv-client: \r\n" in arrived[0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-", ANSWER[:-1], b"nonsense\r\n\r\n", b"x" * 100_000], ids=range(5)
)
async def test_worker_that_dies_over_a_request_has_lost_the_session(answer: bytes, tmp_path: Path) -> None:
    with _owner(tmp_path / "1.sock", answer):
        status, _, body = await _handed_over(tmp_path / "1.sock")
    assert (status, json.loads(body)["code"]) == (410, "SESSION_ENDED")


@pytest.mark.anyio
async def test_worker_that_is_gone_has_lost_the_session(tmp_path: Path) -> None:
    listen_on_file(tmp_path / "1.sock").close()
    for path in (tmp_path / "1.sock", tmp_path / "never.sock"):
        status, headers, body = await _handed_over(path)
        assert (status, headers[b"content-type"]) == (410, b"application/json")
        assert "Reset to begin another" in json.loads(body)["detail"]
