"""An address says where its pages and its socket are; a session takes frames as they came."""

import threading

import pytest

from openenv import create_app
from openenv.errors import ConfigurationError, ConnectFailed, ConnectionLost, ReplyTimeout
from openenv.protocol import GetState, Reset, Step
from openenv.testing.exchange import RuleBroken
from openenv.testing.wire import Address, WireSession
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho
from tests.support.serving import serving


@pytest.mark.parametrize(
    ("url", "socket", "shown"),
    [
        ("http://localhost:8000", "ws://localhost:8000/ws", "http://localhost:8000"),
        ("localhost:8000/", "ws://localhost:8000/ws", "http://localhost:8000"),
        ("https://me:secret@host/space/", "wss://host/space/ws", "https://host/space"),
        ("ws://host/ws", "ws://host/ws", "http://host"),
    ],
)
def test_pages_and_socket_are_found_from_what_people_write(url: str, socket: str, shown: str) -> None:
    address = Address(url, 1)
    assert (address.socket, address.shown) == (socket, shown)


def test_what_is_no_address_is_misuse() -> None:
    with pytest.raises(ConfigurationError):
        Address("http://", 1)


def test_a_token_goes_with_every_request_and_is_not_shown() -> None:
    address = Address("http://localhost", 1, "secret")
    assert address.headers == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(address)


def test_a_password_in_the_url_goes_into_a_header_and_is_not_shown() -> None:
    address = Address("http://me:se%20cret@localhost", 1)
    assert address.headers == {"Authorization": "Basic bWU6c2UgY3JldA=="}
    assert "cret" not in f"{address!r} {address.socket} {address.shown}"


def test_pages_and_frames_are_exchanged() -> None:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        address = Address(url, 5)
        assert address.get("/health") == (200, b'{"status":"healthy"}')
        assert address.get("/nowhere")[0] == 404
        with pytest.raises(RuleBroken, match=r"/docs was answered with .*, which is not JSON"):
            address.get_object("/docs")
        with WireSession(address) as session:
            assert session.must(Reset({"episode_id": "mine"}))["done"] is False
            assert session.must(Step({"message": "hi"}))["reward"] == 0.2
            assert session.must(GetState()) == {"episode_id": "mine", "step_count": 1}
            assert session.ask(Step({})).code == "VALIDATION_ERROR"
            assert session.exchange(b"\xff", "bytes").kind == "error"


def test_waiting_ends() -> None:
    ThreadedEcho.gate.clear()
    with (
        serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url,
        WireSession(Address(url, 0.2)) as session,
    ):
        session.must(Reset({}))
        try:
            with pytest.raises(ReplyTimeout, match=r"step was not answered within 0\.2 s"):
                session.ask(Step({"message": "wait"}))
        finally:
            ThreadedEcho.gate.set()


def test_a_connection_that_has_ended_is_lost() -> None:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        session = WireSession(Address(url, 5))
        session.close()
        with pytest.raises(ConnectionLost):
            session.ask(GetState())
        session.close()
    with pytest.raises(ConnectFailed):
        WireSession(Address(url, 5))
    with pytest.raises(ConnectFailed):
        Address(url, 5).get("/health")
    assert not [thread for thread in threading.enumerate() if "recv_events" in thread.name]
