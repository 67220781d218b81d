"""What goes wrong between a client and its server, told apart, and never as another call's answer.

Each rule holds for both flavours, so each test drives both.
"""

import asyncio
import contextlib
import gc
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from openenv import create_app
from openenv.errors import (
    AtCapacity,
    ConnectFailed,
    ConnectionLost,
    EnvironmentFailed,
    PeerError,
    Refused,
    RemoteFault,
    ReplyTimeout,
    SessionBroken,
    SessionClosed,
    SessionLost,
    StepTimedOut,
    UnsupportedByServer,
)
from openenv.protocol import FAULTS
from openenv.server import ServerConfig
from tests.client.flavours import Driver, Flavour, both_flavours, sync_flavour
from tests.client.scripted import Json, Peer, answer, fault, listening, observed, polite, replying, saying, scripted
from tests.client.served import served
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.leftovers import Holdings
from tests.support.older import dialect1_only
from tests.support.serving import serving

pytestmark = both_flavours


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Lets go of the server's `wait`s; they have let go when the test ends, whatever happens."""
    ThreadedEcho.gate.clear()
    ThreadedEcho.entered.clear()
    yield ThreadedEcho.gate
    ThreadedEcho.gate.set()


@pytest.fixture
def url() -> Iterator[str]:
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        yield url


@pytest.fixture
def older_url() -> Iterator[str]:
    """Give the URL of a server that speaks dialect 1 only."""
    with serving(dialect1_only(create_app(ThreadedEcho, EchoAction, EchoObservation))) as url:
        yield url


def interrupt_when_entered() -> threading.Thread:
    """Press Ctrl-C once the server is inside a step."""

    def press() -> None:
        assert ThreadedEcho.entered.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def expect_a_new_start(env: Driver) -> None:
    """Whatever happened, `reset` begins an episode whose answers are its own."""
    assert env.reset().observation.echoed_message == "ready"
    assert env.echo("after") == "after"


# --- The server cannot be reached


def test_closed_port(flavour: Flavour) -> None:
    with listening(lambda connection: None) as url:
        pass
    with (
        flavour(url) as env,
        pytest.raises(ConnectFailed, match=r"cannot connect to ws://127.*is the server running\?"),
    ):
        env.connect()


def test_server_that_says_nothing(flavour: Flavour) -> None:
    with (
        saying(b"", then_close=False) as url,
        flavour(url, connect_timeout_s=0.2) as env,
        pytest.raises(ConnectFailed, match=r"no connection to ws://.* within 0\.2 s"),
    ):
        env.reset()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "answered HTTP 200 in place of a WebSocket"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", r"HTTP 404 .* is an OpenEnv server running there\?"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 20\r\n\r\n" + b'{"detail": "wait !"}', "HTTP 503 .*; wait !"),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "did not complete|/elsewhere"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "did not complete a WebSocket handshake"),
        (b"", "did not complete a WebSocket handshake"),
    ],
    ids=["200", "404", "503", "redirect", "ssh", "hangs up"],
)
def test_server_that_is_no_websocket(flavour: Flavour, reply: bytes, said: str) -> None:
    with saying(reply) as url, flavour(url) as env, pytest.raises(ConnectFailed, match=said):
        env.reset()


def test_host_that_does_not_exist(flavour: Flavour) -> None:
    with flavour("http://" + "a" * 70 + ".localhost") as env, pytest.raises(ConnectFailed, match="cannot connect"):
        env.reset()


@pytest.mark.parametrize(
    ("headers", "code", "said"),
    [
        ({}, "UNAUTHORIZED", "The bearer token is missing"),
        ({"Authorization": "Bearer guess"}, "UNAUTHORIZED", "The bearer token is wrong"),
        ({"Authorization": "Bearer secret", "Origin": "https://elsewhere.example"}, "FORBIDDEN", "may not call"),
    ],
)
def test_refused_handshake_gives_the_reason(flavour: Flavour, headers: dict[str, str], code: str, said: str) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(token="secret"))
    with serving(app) as url:
        with flavour(url, headers=headers) as env, pytest.raises(Refused, match=said) as refused:
            env.reset()
        with flavour(url, headers={"Authorization": "Bearer secret"}) as env:
            expect_a_new_start(env)
    assert refused.value.code == code


def test_refused_handshake_without_a_reason(flavour: Flavour) -> None:
    reply = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n[1,2]"
    with saying(reply) as url, flavour(url) as env, pytest.raises(Refused, match="answered HTTP 403"):
        env.reset()


# --- The server says no


@pytest.mark.parametrize("code", [*FAULTS, "NEVER_HEARD_OF"])
def test_every_error_code_is_typed(flavour: Flavour, code: str) -> None:
    rule = FAULTS.get(code)
    error, ends_session = (rule.error, rule.ends_session) if rule else (RemoteFault, False)
    with scripted(replying(observed(), fault(code, retry_after_s=2.5)), polite) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(error) as caught:
            env.step("x")
        assert type(caught.value) is error
        assert (caught.value.code, caught.value.message, caught.value.details) == (code, "no", {"retry_after_s": 2.5})
        if ends_session:
            with pytest.raises(SessionLost, match=code):
                env.step("x")
            expect_a_new_start(env)
        assert env.echo("still here") == "still here"


def test_error_of_the_environment_leaves_the_session_usable(flavour: Flavour, url: str) -> None:
    with flavour(url) as env:
        env.reset()
        with pytest.raises(EnvironmentFailed, match="asked to") as caught:
            env.step("raise")
        assert caught.value.exception == "ValueError"
        assert env.state().step_count == 0
        assert env.echo("after") == "after"


def test_full_server(flavour: Flavour) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(max_sessions=1, queue_s=0))
    with serving(app) as url, flavour(url) as first, flavour(url) as second:
        first.reset()
        with pytest.raises(AtCapacity, match="1/1 sessions active") as full:
            second.reset()
        assert full.value.retry_after_s == 5.0
        assert first.echo("unharmed") == "unharmed"


@pytest.mark.parametrize("request_name", ["reset", "state"])
def test_refusal_that_comes_before_the_first_request_is_raised_itself(flavour: Flavour, request_name: str) -> None:
    def refuse(peer: Peer) -> None:
        peer.say(fault("CAPACITY_REACHED", active_sessions=1, max_sessions=1))
        peer.hang_up(1000)

    with scripted(refuse, refuse, polite) as url, flavour(url) as env:
        if request_name == "state":  # a reset would replace the connection that was refused
            env.connect()
        with pytest.raises(AtCapacity):
            getattr(env, request_name)()


def test_options_are_never_dropped_silently(flavour: Flavour, url: str) -> None:
    with scripted(polite) as plain, flavour(plain) as env:
        env.reset(seed=1)
        with pytest.raises(UnsupportedByServer, match=r"step\(colour, speed=...\)"):
            env.step("x", speed=3, colour="red")
        assert env.echo("alive") == "alive"
    with flavour(url) as env:
        env.reset(seed=1)
        assert env.step("x", colour="red").done is False


# --- Time


def test_reply_that_is_late_breaks_a_session_of_dialect_1(
    flavour: Flavour, older_url: str, gate: threading.Event
) -> None:
    with flavour(older_url, message_timeout_s=0.2) as env:
        env.reset()
        with pytest.raises(ReplyTimeout, match=r"no reply to step within 0\.2 s") as late:
            env.step("wait")
        for _ in range(2):
            with pytest.raises(SessionBroken, match="reset") as broken:
                env.step("x")
            assert broken.value.cause is late.value
        gate.set()
        expect_a_new_start(env)


def test_late_reply_reaches_nobody(flavour: Flavour) -> None:
    abandoned = threading.Event()

    def late(peer: Peer) -> None:
        requests = peer.requests()
        peer.say(answer(next(requests)))
        request = next(requests)
        abandoned.wait(10)
        with contextlib.suppress(OSError):  # the client has dropped the connection
            peer.say(answer(request))

    with scripted(late, polite) as url, flavour(url, message_timeout_s=0.1) as env:
        env.reset()
        with pytest.raises(ReplyTimeout):
            env.step("old")
        env.reset()
        abandoned.set()
        assert [env.echo(message) for message in ("a", "b", "c")] == ["a", "b", "c"]


def test_server_keeps_the_time_limit_of_a_step(flavour: Flavour, url: str) -> None:
    with flavour(url) as env:
        env.reset()
        assert env.step("in time", timeout_s=5).observation.echoed_message == "in time"
        with pytest.raises(StepTimedOut, match=r"0\.1 s") as caught:
            env.step("sleep 0.3", timeout_s=0.1)
        assert caught.value.code == "TIMED_OUT"
        with pytest.raises(SessionLost, match="TIMED_OUT"):
            env.state()
        expect_a_new_start(env)


@pytest.mark.parametrize("name", ["reset", "step"])
def test_client_keeps_the_time_limit_when_the_server_cannot(flavour: Flavour, name: str) -> None:
    asked: list[Json] = []

    def hang(peer: Peer) -> None:
        asked.extend(peer.requests())

    call: dict[str, Callable[[Driver], object]] = {
        "reset": lambda env: env.reset(seed=1, timeout_s=0.1),
        "step": lambda env: env.step("x", timeout_s=0.1),
    }
    with scripted(hang) as url, flavour(url) as env, pytest.raises(ReplyTimeout, match=rf"to {name} within 0\.1 s"):
        call[name](env)
    assert "timeout_s" not in asked[0]


def test_ctrl_c_breaks_a_session_of_dialect_1(flavour: Flavour, older_url: str, gate: threading.Event) -> None:
    with flavour(older_url) as env:
        env.reset()
        pressing = interrupt_when_entered()
        with pytest.raises(KeyboardInterrupt):
            env.step("wait")
        pressing.join()
        with pytest.raises(SessionBroken) as broken:
            env.step("x")
        assert isinstance(broken.value.cause, KeyboardInterrupt | asyncio.CancelledError)
        gate.set()
        expect_a_new_start(env)


def test_reply_that_is_late_is_dropped_and_the_session_lives(flavour: Flavour, url: str, gate: threading.Event) -> None:
    with flavour(url, message_timeout_s=0.2) as env:
        env.reset(episode_id="kept")
        with pytest.raises(ReplyTimeout, match=r"no reply to step within 0\.2 s .* the session goes on"):
            env.step("wait")
        gate.set()
        assert env.step("x").metadata == {"step": 2}
        assert env.state().episode_id == "kept"


def test_ctrl_c_leaves_the_session_usable(flavour: Flavour, url: str, gate: threading.Event) -> None:
    with flavour(url) as env:
        env.reset()
        pressing = interrupt_when_entered()
        with pytest.raises(KeyboardInterrupt):
            env.step("wait")
        pressing.join()
        gate.set()
        assert env.step("x").metadata == {"step": 2}


def test_reset_does_not_wait_for_a_call_that_was_given_up(flavour: Flavour, url: str, gate: threading.Event) -> None:
    with flavour(url, message_timeout_s=0.2) as env:
        env.reset()
        with pytest.raises(ReplyTimeout):
            env.step("wait")
        expect_a_new_start(env)


# --- The server goes away


def hang_up(code: int | None, reason: str = "") -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        requests = peer.requests()
        peer.say(answer(next(requests)))
        next(requests)
        peer.hang_up(code, reason)

    return script


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (hang_up(None), "1006: without a word, as a crash does"),
        (hang_up(1001), "1001: it is going away"),
        (hang_up(1012, "back soon"), "1012: it is restarting; back soon"),
        (hang_up(1000), r"closed the connection \(1000\)"),
        (hang_up(4000, "own"), r"\(4000: own\)"),
    ],
)
def test_server_that_hangs_up_during_a_step(flavour: Flavour, script: Callable[[Peer], None], said: str) -> None:
    with scripted(script, polite) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(SessionLost, match=said) as lost:
            env.step("x")
        assert isinstance(lost.value.__cause__, ConnectionLost)
        with pytest.raises(SessionLost, match="reset"):
            env.state()
        expect_a_new_start(env)


@pytest.mark.slow
def test_server_that_is_killed_and_restarted(flavour: Flavour) -> None:
    with served(grace_s=0.5) as (url, process), flavour(url) as env:
        env.reset()
        threading.Timer(0.1, process.kill).start()
        with pytest.raises(SessionLost, match=r"without a word.* within the 0\.5 s that the server keeps a session"):
            env.step("wait")
        with pytest.raises(SessionLost):
            env.step("x")
        process.wait()
        with pytest.raises(ConnectFailed):
            env.reset()
        with served(port=int(url.rpartition(":")[2])) as (_, process):
            with pytest.raises(SessionLost):
                env.step("never silently in a new episode")
            expect_a_new_start(env)
            process.kill()  # between two steps
            process.wait()
            with served(port=int(url.rpartition(":")[2])), pytest.raises(SessionLost, match="does not know the link"):
                env.step("x")


@pytest.mark.slow
def test_half_open_connection_is_noticed_during_a_call(flavour: Flavour) -> None:
    over = threading.Event()

    def deaf(peer: Peer) -> None:
        peer.say(answer(next(peer.requests())))
        over.wait(10)

    patience = {"websocket_ping_interval_s": 0.1, "websocket_ping_timeout_s": 0.1}
    with scripted(deaf, polite) as url, flavour(url, **patience) as env:
        env.reset()
        with pytest.raises(SessionLost, match="did not answer our pings"):
            env.step("x")
        over.set()
        expect_a_new_start(env)


def test_reply_larger_than_the_limit(flavour: Flavour, url: str) -> None:
    with flavour(url, max_message_size_mb=0.001) as env:
        env.reset()
        with pytest.raises(SessionLost, match="more than max_message_size_mb allows"):
            env.step("x" * 2000)
        expect_a_new_start(env)


def test_request_larger_than_the_server_takes(flavour: Flavour) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation)
    with serving(app, ws_max_size=1000) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(SessionLost, match="1009: our message was larger than it takes"):
            env.step("x" * 2000)
        expect_a_new_start(env)


# --- The server breaks the rules


@pytest.mark.parametrize(
    "reply",
    [
        "not json",
        "null",
        "[1, 2]",
        '{"type": "observation"}',
        '{"type": "observation", "data": {"reward": 1}}',
        '{"type": "nonsense", "data": {}}',
        '{"type": "state", "data": {}}',
        '{"type": "mcp", "data": {}}',
    ],
)
def test_reply_that_makes_no_sense_breaks_the_session(flavour: Flavour, reply: str) -> None:
    with scripted(replying(observed(), reply), polite) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(PeerError, match="the server") as wrong:
            env.step("x")
        with pytest.raises(SessionBroken) as broken:
            env.state()
        assert broken.value.cause is wrong.value
        expect_a_new_start(env)


def test_unsolicited_reply_is_nobodys_answer(flavour: Flavour) -> None:
    def talkative(peer: Peer) -> None:
        for request in peer.requests():
            peer.say(answer(request), observed("nobody asked"))

    with scripted(talkative, polite) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(SessionBroken, match="although nothing was asked") as broken:
            env.step("x")
        assert isinstance(broken.value.cause, PeerError)
        expect_a_new_start(env)


def test_unsolicited_reply_does_not_hinder_a_reset(flavour: Flavour) -> None:
    def talkative(peer: Peer) -> None:
        for request in peer.requests():
            peer.say(answer(request), observed("nobody asked"))

    with scripted(talkative, polite) as url, flavour(url) as env:
        env.reset()
        expect_a_new_start(env)


def test_frames_that_break_the_websocket_rules_lose_the_session(flavour: Flavour) -> None:
    def rude(peer: Peer) -> None:
        peer.say(answer(next(peer.requests())))
        next(peer.requests())
        peer.socket.sendall(b"\xff\xff\xff\xff")

    with scripted(rude, polite) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(SessionLost, match="1002: the server broke the rules of WebSocket"):
            env.step("x")
        expect_a_new_start(env)


def test_reply_in_pieces_is_put_together(flavour: Flavour) -> None:
    def slicing(peer: Peer) -> None:
        for request in peer.requests():
            peer.say_in_pieces(answer(request))

    with scripted(slicing) as url, flavour(url) as env:
        env.reset()
        assert [env.echo(message) for message in ("a", "b")] == ["a", "b"]


def test_observation_that_does_not_fit_is_the_servers_fault_and_harms_nothing(flavour: Flavour) -> None:
    odd = {"type": "observation", "data": {"observation": {"message_length": "long"}, "reward": 0, "done": False}}
    with scripted(replying(observed(), odd)) as url, flavour(url) as env:
        env.reset()
        with pytest.raises(PeerError, match=r"observation does not fit the client's types(.|\n)*message_length"):
            env.step("x")
        assert env.echo("alive") == "alive"


# --- The end


def test_closed_client_says_so_until_it_connects_again(flavour: Flavour, url: str) -> None:
    with flavour(url) as env:
        env.reset()
        env.close()
        env.close()
        for call in (env.reset, env.state):
            with pytest.raises(SessionClosed, match=r"connect\(\) opens a new session"):
                call()
        env.connect()
        expect_a_new_start(env)


def test_disconnected_client_takes_a_reset_only(flavour: Flavour, url: str) -> None:
    with flavour(url) as env:
        env.disconnect()  # from nothing: no episode, nothing lost
        assert env.state().step_count == 0
        env.disconnect()
        with pytest.raises(SessionLost, match=r"disconnect\(\) ended it"):
            env.state()
        expect_a_new_start(env)


def test_close_survives_a_server_that_has_gone(flavour: Flavour) -> None:
    with scripted(lambda peer: peer.say(answer(next(peer.requests())))) as url, flavour(url) as env:
        env.reset()
        env.close()


@pytest.mark.slow
def test_close_does_not_wait_long_for_a_server_that_does_not_answer(flavour: Flavour) -> None:
    over = threading.Event()

    def deaf(peer: Peer) -> None:
        peer.say(answer(next(peer.requests())))
        over.wait(10)

    with scripted(deaf) as url:
        with flavour(url) as env:
            env.reset()
        over.set()


def test_client_that_is_dropped_without_close_frees_its_place(flavour: Flavour) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, max_concurrent_envs=1)
    with serving(app) as url:
        if flavour is sync_flavour:
            EchoEnv(url).reset()
            gc.collect()
        else:

            async def drop() -> None:
                env = await EchoEnv(url).connect()
                await env.reset()
                del env
                gc.collect()
                async with EchoEnv(url) as other:
                    await other.reset()

            asyncio.run(drop())
        with sync_flavour(url) as env:
            env.reset()


def test_a_hundred_clients_leave_nothing_behind(flavour: Flavour) -> None:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        with flavour(url) as env:
            env.reset()
        before = Holdings.now()
        with flavour(url) as env:
            for _ in range(100):
                env.connect()
                env.reset()
                env.close()
            assert sum(thread.name == "openenv-keeper" for thread in threading.enumerate()) <= 1
            assert len(Holdings.now().sockets - before.sockets) <= 2
