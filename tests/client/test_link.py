"""One exchange at a time on one connection after another; what goes wrong is in `test_faults`."""

import os
import pickle
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from openenv import create_app
from openenv.client import keeper
from openenv.errors import SessionLost
from tests.client.scripted import Peer, Withholding, answer, listening, polite, scripted
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


@pytest.fixture
def url() -> Iterator[str]:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        yield url


def test_pings_are_answered_while_the_caller_is_elsewhere() -> None:
    ponged = threading.Event()

    def pinging(peer: Peer) -> None:
        requests = peer.requests()
        peer.say(answer(next(requests)))
        peer.ping()
        assert peer.next_event().opcode.name == "PONG"
        ponged.set()
        for request in requests:
            peer.say(answer(request))

    with scripted(pinging) as url, EchoEnv(url) as env:
        env.reset()
        assert ponged.wait(5)  # what the caller does meanwhile
        assert env.step(EchoAction(message="on we go")).observation.echoed_message == "on we go"


@pytest.mark.slow
def test_server_that_pings_keeps_a_client_that_is_busy_elsewhere() -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation)
    with serving(app, ws_ping_interval=0.7, ws_ping_timeout=0.7) as url, EchoEnv(url) as env:
        env.reset(episode_id="kept")
        threading.Event().wait(2.5)  # several pings long
        assert env.state().episode_id == "kept"


@pytest.mark.slow
def test_half_open_connection_is_noticed_while_the_caller_is_elsewhere() -> None:
    dropped, over = threading.Event(), threading.Event()

    def deaf(peer: Peer) -> None:
        peer.say(answer(next(peer.requests())))
        over.wait(10)
        try:
            while peer.socket.recv(65536):  # the pings nobody answered
                pass
        except ConnectionError:
            pass
        dropped.set()

    with (
        scripted(deaf, polite) as url,
        EchoEnv(url, websocket_ping_interval_s=0.1, websocket_ping_timeout_s=0.1) as env,
    ):
        env.reset()
        threading.Event().wait(3 * keeper.POLL_S)
        over.set()
        assert dropped.wait(5)
        with pytest.raises(SessionLost, match="did not answer our pings"):
            env.state()


@pytest.mark.slow
def test_server_that_goes_while_the_caller_is_elsewhere_is_noticed_before_the_next_request() -> None:
    def leaving(peer: Peer) -> None:
        peer.say(answer(next(peer.requests())))
        peer.hang_up(1012, "update")

    with scripted(leaving, polite) as url, EchoEnv(url) as env:
        env.reset()
        threading.Event().wait(2 * keeper.POLL_S)
        with pytest.raises(SessionLost, match="1012: it is restarting; update"):
            env.state()
        env.reset()


def test_reset_reuses_a_connection_that_is_well() -> None:
    connections: list[Peer] = []

    def counting(peer: Peer) -> None:
        connections.append(peer)
        polite(peer)

    with scripted(counting) as url, EchoEnv(url) as env:
        for _ in range(5):
            env.reset()
    assert len(connections) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # that it is a bad idea is why we test it
def test_fork_leaves_the_session_to_the_parent(url: str) -> None:
    with EchoEnv(url) as env:
        env.reset(episode_id="the parent's")
        child = os.fork()
        if not child:
            status = 1
            try:
                env.step(EchoAction(message="from the child"))
            except SessionLost as error:
                status = 0 if "forked" in str(error) else 2
                with EchoEnv(url) as own:
                    status += 0 if own.reset(episode_id="own").reward == 0.0 else 4
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert env.step(EchoAction(message="x")).metadata == {"step": 1}
        assert env.state().episode_id == "the parent's"


def test_link_that_is_forgotten_takes_no_request_though_it_was_busy(url: str) -> None:
    env = EchoEnv(url)
    env.reset()
    session = env._sync_line()._session
    assert session is not None
    link = session.link
    with link._lock:  # by a thread that a child would not have
        link.forget()
        with pytest.raises(SessionLost, match="this process was forked"):
            env.state()
    env.close()


def test_close_of_a_connection_that_the_server_closed_in_the_same_breath() -> None:
    def serve(connection: socket.socket) -> None:
        withholding: Any = Withholding(connection)
        peer = Peer(withholding)
        peer.shake_hands("")
        peer.close(1013)
        connection.sendall(withholding.held)
        connection.recv(65536)

    with listening(serve) as url:
        env = EchoEnv(url)
        env.connect()
        env.close()


def test_client_that_was_used_does_not_travel(url: str) -> None:
    with EchoEnv(url) as env, pytest.raises(TypeError, match="make one in each process"):
        pickle.dumps(env)
