"""A session outlives its connections: what is cut, when, and what becomes of it. Both flavours, one body."""

import asyncio
import gc
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openenv.client import keeper
from openenv.errors import ConnectFailed, PeerError, ReplyTimeout, SessionLost
from openenv.protocol import LinkLimits, ServerLink
from tests.client.flavours import Flavour, both_flavours, sync_flavour
from tests.client.linked import linked
from tests.client.scripted import Peer, scripted
from tests.support.echo import EchoEnv

pytestmark = both_flavours


def test_session_of_a_link(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        assert env.reset(seed=1).observation.echoed_message == "ready"
        assert [env.echo(message) for message in ("a", "b")] == ["a", "b"]
        assert env.state().step_count == 2
    assert server.handshakes == 1


# --- Cuts


def test_cut_between_two_calls_is_not_noticed(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()
        for number in range(5):
            server.cut()
            assert env.step("x").metadata == {"step": number + 1}
        assert server.handshakes == 1 + server.asked


def test_cut_during_a_call_is_not_noticed(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()

        def cut() -> None:
            assert server.entered.wait(10)
            server.cut()
            server.gate.set()

        cutting = threading.Thread(target=cut)
        cutting.start()
        assert env.step("wait").metadata == {"step": 1}
        cutting.join()
        assert server.steps == ["wait"]


def test_every_step_is_carried_out_once_however_often_the_connection_is_cut(flavour: Flavour) -> None:
    choice = random.Random(8)
    with linked() as server, flavour(server.url) as env:
        env.reset()
        for number in range(100):
            if choice.random() < 0.3:
                server.cut_after = choice.randrange(2)
            assert env.step(str(number)).metadata == {"step": number + 1}
        assert server.steps == [str(number) for number in range(100)]
        assert server.asked > 10


def test_cut_while_nobody_asks_is_mended_meanwhile(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()
        server.cut()
        if flavour is sync_flavour:
            waited_until = time.monotonic() + 5 * keeper.POLL_S
            while not server.asked and time.monotonic() < waited_until:
                threading.Event().wait(0.02)
            assert server.asked == 1
        assert env.echo("on we go") == "on we go"


# --- Calls that are given up


def test_reply_that_is_late_is_dropped_and_the_session_lives(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url, message_timeout_s=0.2) as env:
        env.reset()
        with pytest.raises(ReplyTimeout, match=r"no reply to step within 0\.2 s .* the session goes on"):
            env.step("wait")
        server.gate.set()
        assert [env.step(message).metadata for message in ("a", "b")] == [{"step": 2}, {"step": 3}]
        assert server.steps == ["wait", "a", "b"]
    assert server.handshakes == 1


def test_ctrl_c_leaves_the_session_usable(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()

        def press() -> None:
            assert server.entered.wait(10)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        pressing = threading.Thread(target=press)
        pressing.start()
        with pytest.raises(KeyboardInterrupt):
            env.step("wait")
        pressing.join()
        server.gate.set()
        assert env.step("a").metadata == {"step": 2}


def test_reset_does_not_wait_for_a_call_that_was_given_up(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url, message_timeout_s=0.2) as env:
        env.reset()
        with pytest.raises(ReplyTimeout):
            env.step("wait")
        assert env.reset().observation.echoed_message == "ready"
        assert env.echo("after") == "after"
    assert server.handshakes == 2


def test_call_that_is_late_because_nothing_connects_is_carried_out_once_all_the_same(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url, message_timeout_s=0.2) as env:
        env.reset()
        server.deaf = True
        server.cut()
        with pytest.raises(ReplyTimeout):
            env.step("a")
        server.deaf = False
        assert env.state().step_count == 1
        assert server.steps == ["a"]


# --- Losses


def lost_for(env_call: Callable[[], object], said: str) -> None:
    for _ in range(2):
        with pytest.raises(SessionLost, match=said):
            env_call()


def test_server_that_has_forgotten_the_link(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()
        server.forget()
        lost_for(lambda: env.step("x"), "the server does not know the link any more")
        assert server.steps == []
        env.reset()
        assert env.step("x").metadata == {"step": 1}


def test_server_that_forgets_during_a_call(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()

        def forget() -> None:
            assert server.entered.wait(10)
            server.forget()

        forgetting = threading.Thread(target=forget)
        forgetting.start()
        lost_for(lambda: env.step("wait"), "the server does not know the link any more")
        forgetting.join()
        env.reset()


def test_server_that_keeps_nothing(flavour: Flavour) -> None:
    with linked(grace_s=0) as server, flavour(server.url) as env:
        env.reset()
        server.cut()
        lost_for(env.state, "within the 0 s that the server keeps a session")
        env.reset()


def test_grace_that_expires_while_nothing_connects(flavour: Flavour) -> None:
    with linked(grace_s=0.3) as server, flavour(server.url) as env:
        env.reset()
        server.deaf = True
        server.cut()
        lost_for(lambda: env.step("x"), r"without a word.*within the 0\.3 s that the server keeps a session")
        server.deaf = False
        env.reset()


def test_server_that_refuses_to_let_us_in_again(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()
        server.answer_instead = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
        server.cut()
        lost_for(lambda: env.step("x"), "answered HTTP 401")


def test_server_of_another_dialect_that_takes_its_place(flavour: Flavour) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()
        server.subprotocol = None
        server.cut()
        lost_for(lambda: env.step("x"), "does not speak the dialect of the link any more")


@pytest.mark.parametrize(("code", "said"), [(1012, "it is restarting; update"), (1008, "it refused our behaviour")])
def test_end_after_which_there_is_nothing_to_go_on_with(flavour: Flavour, code: int, said: str) -> None:
    with linked() as server, flavour(server.url) as env:
        env.reset()
        server.hang_up(code, "update")
        lost_for(lambda: env.step("x"), said)
    assert server.handshakes == 1


def test_connection_that_always_breaks_at_once_is_not_made_for_ever(flavour: Flavour) -> None:
    with linked(grace_s=0.5) as server, flavour(server.url) as env:
        env.reset()
        server.cut_after = -1
        lost_for(lambda: env.step("x"), r"within the 0\.5 s")
        assert server.handshakes < 10
    assert server.steps == ["x"]


# --- A welcome that is none


def opening(frame: str) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.say(frame)
        peer.next_event()

    return script


@pytest.mark.parametrize(
    "frame",
    [
        "not json",
        "[]",
        '{"type": "observation", "data": {}}',
        '{"type": "welcome", "data": {"link": "a", "resumed": false, "received": -1}}',
        '{"type": "welcome", "data": {"link": "a;\\r\\nEvil: 1", "resumed": false, "received": 0}}',
    ],
)
def test_hostile_welcome(flavour: Flavour, frame: str) -> None:
    with (
        scripted(opening(frame), subprotocol="openenv.v2") as url,
        flavour(url) as env,
        pytest.raises(PeerError, match="welcome"),
    ):
        env.reset()


def test_server_that_never_says_welcome(flavour: Flavour) -> None:
    with (
        scripted(lambda peer: peer.next_event(), subprotocol="openenv.v2") as url,
        flavour(url, connect_timeout_s=0.2) as env,
        pytest.raises(ConnectFailed, match=r"within 0\.2 s"),
    ):
        env.reset()


def test_server_that_hangs_up_before_its_welcome(flavour: Flavour) -> None:
    with (
        scripted(lambda peer: peer.hang_up(1013, "not now"), subprotocol="openenv.v2") as url,
        flavour(url) as env,
        pytest.raises(ConnectFailed, match="1013: not now"),
    ):
        env.reset()


@pytest.mark.parametrize(
    "frame",
    [
        "null",
        '{"id": 99, "type": "closed", "lanes": [0]}',
        '{"id": 1, "lane": 0, "type": "state", "data": {}}',
        '{"id": 1, "lane": 7, "type": "observation", "data": {"observation": {}, "reward": 0, "done": false}}',
    ],
)
def test_reply_that_makes_no_sense_loses_the_link(flavour: Flavour, frame: str) -> None:
    def script(peer: Peer) -> None:
        peer.say_frames([ServerLink("name").attach()])
        frames = peer.frames()
        for received in frames:
            request = json.loads(received)
            if request["type"] == "open":
                peer.say({"id": request["id"], "type": "opened", "lanes": [0]})
            else:
                peer.say(frame)

    with scripted(script, subprotocol="openenv.v2") as url, flavour(url) as env:
        with pytest.raises(PeerError, match="the server"):
            env.reset()
        lost_for(env.state, "PeerError|the server")


# --- The end


def test_close_ends_the_session_at_once_also_without_a_connection(flavour: Flavour) -> None:
    with linked() as server:
        with flavour(server.url) as env:
            env.reset()
            server.cut()
        assert server.goodbye.wait(5)


def test_half_open_connection_is_replaced(flavour: Flavour) -> None:
    patience = {"websocket_ping_interval_s": 0.1, "websocket_ping_timeout_s": 0.1}
    with linked() as server, flavour(server.url, **patience) as env:
        env.reset()
        server.freeze()
        assert env.step("x").metadata == {"step": 1}
        assert server.asked == 1
        server.thaw()


def test_request_that_is_too_large_is_refused_here(flavour: Flavour) -> None:
    with linked(limits=LinkLimits(frame_bytes=1000)) as server, flavour(server.url) as env:
        env.reset()
        with pytest.raises(Exception, match="and the server takes 1000 at once"):
            env.step("x" * 1000)
        assert env.echo("alive") == "alive"


PROGRAM = """
import asyncio, sys
from tests.support.echo import EchoEnv

async def play():
    env = await EchoEnv(sys.argv[1]).connect()
    await env.reset()

if sys.argv[2] == "sync_flavour":
    env = EchoEnv(sys.argv[1])
    env.reset()
else:
    asyncio.run(play())
"""


@pytest.mark.slow
def test_program_that_ends_without_a_close_says_goodbye(flavour: Flavour) -> None:
    with linked() as server:
        command = [sys.executable, "-c", PROGRAM, server.url, flavour.__name__]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2], capture_output=True)
        assert server.goodbye.wait(5)


def test_client_that_is_dropped_without_a_close_says_goodbye(flavour: Flavour) -> None:
    with linked() as server:
        if flavour is sync_flavour:
            EchoEnv(server.url).reset()
            gc.collect()
        else:

            async def drop() -> None:
                env = await EchoEnv(server.url).connect()
                await env.reset()
                del env
                gc.collect()
                await asyncio.to_thread(server.goodbye.wait, 5)

            asyncio.run(drop())
        assert server.goodbye.wait(5)
