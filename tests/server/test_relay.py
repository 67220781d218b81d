"""`openenv.server.relay`: whichever worker a socket reaches, the link that it resumes goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from openenv.errors import SessionLost
from openenv.protocol import RESUME_HEADER, Observed, Step
from openenv.server.cluster import listen_on_file
from openenv.server.relay import resumed_link
from tests.server.lanes import Client, batch, closed_with, messages
from tests.server.neighbours import worker, workers
from tests.server.peers import ask, http, reply, ws
from tests.support.serving import TRANSPORTS

HI = Step({"message": "Hi"})


@pytest.fixture(scope="module", params=TRANSPORTS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URLs of two workers."""
    with workers(tmp_path_factory.mktemp("pair"), ws=request.param) as urls:
        yield urls


def counted(client: Client) -> int:
    answer = client.ask(HI, 0)
    assert isinstance(answer, Observed)
    assert answer.metadata is not None
    return int(answer.metadata["step"])


def test_link_goes_on_through_any_worker(pair: tuple[str, str]) -> None:
    with Client(pair[0]) as client:
        client.lanes(0, 1)
        for count in range(1, 9):
            assert counted(client) == count
            client.cut()
            client.url = pair[count % 2]
            assert client.connect().resumed


def test_relayed_socket_carries_both_encodings_and_large_frames(pair: tuple[str, str]) -> None:
    with Client(pair[1], binary=True) as client:
        client.lanes(0)
        client.cut()
        client.url = pair[0]
        assert client.connect().resumed
        assert messages(batch(client, "step", [0], [{"message": "x" * 3_000_000}])) == ["x" * 3_000_000]
        assert isinstance(client.ask(HI, 0), Observed)


@pytest.mark.parametrize("offered", [None, ["openenv.v1"]])
def test_session_is_joined_through_any_worker(pair: tuple[str, str], offered: Any) -> None:
    with http(pair[0]) as client:
        session = client.post("/reset", headers={"X-Session-Id": "new"}).headers["X-Session-Id"]
        for number in range(4):
            with ws(pair[number % 2], additional_headers={"X-Session-Id": session}, subprotocols=offered) as peer:
                assert ask(peer, {"type": "step", "data": {"message": "Hi"}})["data"]["metadata"]["step"] == number + 1


def test_goodbye_through_another_worker_frees_the_places_at_once(tmp_path: Path) -> None:
    with workers(tmp_path, max_sessions=1, queue_s=8) as (one, other):
        for _ in range(3):
            with Client(one) as client:
                client.lanes(0)
                client.cut()
                client.url = other
                assert client.connect().resumed


def test_newer_socket_replaces_one_that_is_relayed(pair: tuple[str, str]) -> None:
    with Client(pair[0]) as client:
        client.lanes(0)
        client.cut()
        client.url = pair[1]
        client.connect()
        relayed = client.peer
        client.link.detach()
        client.connect()
        client.peer, newest = relayed, client.peer
        assert closed_with(client)[0] == 4001
        client.peer = newest
        assert counted(client) == 1


def test_link_of_a_worker_that_is_gone_is_lost(tmp_path: Path) -> None:
    with workers(tmp_path) as (one, _), Client(one) as client:
        client.lanes(0)
        client.cut()
        listen_on_file(tmp_path / "0.sock").close()  # nobody answers there any more
        with worker(1, [tmp_path / "0.sock", tmp_path / "third.sock"]) as client.url, pytest.raises(SessionLost):
            client.connect()


def test_rules_of_access_hold_for_a_relayed_socket(tmp_path: Path) -> None:
    with workers(tmp_path, token="secret", agent_token="agent") as (one, other):
        settings: dict[str, Any] = {"additional_headers": {"Authorization": "Bearer secret"}}
        with Client(one, **settings) as client:
            client.lanes(0)
            client.cut()
            asked = {RESUME_HEADER: client.link.resume or ""}
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Origin": "http://evil.example"}):
                given = {"Authorization": "Bearer secret", **headers} if "Origin" in headers else headers
                with (
                    pytest.raises(InvalidStatus),
                    ws(other, subprotocols=["openenv.v2"], additional_headers={**asked, **given}),
                ):
                    pass
            client.url = other
            assert client.connect().resumed
            assert counted(client) == 1


@pytest.mark.parametrize("link", ["0-nobody", "1-nobody", "7-nobody", "nobody"])
def test_link_that_no_worker_knows_is_a_new_one(pair: tuple[str, str], link: str) -> None:
    for url in pair:
        with ws(url, subprotocols=["openenv.v2"], additional_headers={RESUME_HEADER: f"{link};0"}) as peer:
            assert reply(peer)["data"]["resumed"] is False


@pytest.mark.parametrize(
    ("header", "subprotocols", "link"),
    [
        (b"0-x;5", ["openenv.v2"], "0-x"),
        (b"0-x;5", ["openenv.v1"], None),
        (b"0-x", ["openenv.v2"], None),
        (b"", ["openenv.v2"], None),
        (None, ["openenv.v2"], None),
    ],
)
def test_handshake_says_which_link_it_resumes(header: bytes | None, subprotocols: list[str], link: str | None) -> None:
    headers = [] if header is None else [(RESUME_HEADER.encode(), header)]
    assert resumed_link({"type": "websocket", "headers": headers, "subprotocols": subprotocols}) == link
