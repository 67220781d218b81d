"""`openenv.server.links`: what outlives a socket, and for how long."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from openenv.errors import SessionLost
from openenv.protocol import RESUME_HEADER, Batch, BatchReply, Observed, Open, Opened, Step
from tests.server.lanes import Client, batch, closed_with, messages
from tests.server.peers import reply, ws
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged, app_of
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation, VerboseEcho
from tests.support.serving import Served

HI = Step({"message": "Hi"})


class Counting(EchoEnvironment):
    """Says how often it was stepped, over all its life."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        self.count += 1
        return EchoObservation(echoed_message=action.message, reward=self.count)


class CountingSlowly(Counting):
    """The same, on a thread."""

    BLOCKING = True


@pytest.fixture(scope="module", params=[Counting, CountingSlowly])
def counting(served: Served, request: pytest.FixtureRequest) -> Iterator[str]:
    with served(app_of(request.param)) as url:
        yield url


def test_sessions_go_on_where_they_were_on_the_next_socket(counting: str) -> None:
    with Client(counting) as client:
        client.lanes(0, 1)
        client.ask(HI, 0)
        client.cut()
        assert client.connect().resumed
        answer = client.ask(HI, 0)
        assert isinstance(answer, Observed)
        assert answer.reward == 2


def test_every_step_runs_once_and_in_order_however_often_the_socket_is_cut(counting: str) -> None:
    chance = random.Random(11)
    lanes = tuple(range(4))
    with Client(counting) as client:
        client.lanes(*lanes)
        for round_number in range(1, 61):
            actions = [{"message": str(round_number)}] * len(lanes)
            call = client.begin(Batch("step", lanes, actions, parts=chance.random() < 0.5))
            answered: dict[int, float] = {}
            while len(answered) < len(lanes):
                if chance.random() < 0.4:
                    client.cut()
                    assert client.connect().resumed
                with suppress(ConnectionClosed):
                    part: Any = client.reply(call)
                    assert set(part.lanes).isdisjoint(answered), "a reply came twice"
                    answered |= dict(zip(part.lanes, part.reward, strict=True))
            assert answered == dict.fromkeys(lanes, round_number)


def test_call_that_runs_goes_on_without_a_socket_and_its_reply_is_kept(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(Staged, stage))) as url, Client(url) as client:
        client.lanes(0)
        stage.held = {"step"}
        call = client.begin(HI, 0)
        stage.expect("step")
        client.cut()
        stage.release()
        assert client.connect().resumed
        answer = client.reply(call)
        assert isinstance(answer, Observed)
        assert stage.count("step") == 1


def test_second_socket_replaces_the_first(served: Served) -> None:
    with served(app_of(EchoEnvironment)) as url, Client(url) as client:
        client.lanes(0)
        first = client.peer
        client.link.detach()
        assert client.connect().resumed
        with pytest.raises(ConnectionClosed) as raised:
            first.recv(timeout=8)
        assert raised.value.rcvd is not None
        assert raised.value.rcvd.code == 4001
        assert isinstance(client.ask(HI, 0), Observed)


@pytest.mark.parametrize("asked", ["", ";", "nobody;0", "x;-1", "x;9999999999999999", "é;1", "a;b;c", "a" * 300 + ";1"])
def test_resume_of_what_is_not_there_is_a_new_link(served: Served, asked: str) -> None:
    with served(app_of(EchoEnvironment)) as url:
        headers = {RESUME_HEADER: asked.encode("latin-1").decode("latin-1")}
        with ws(url, subprotocols=["openenv.v2"], additional_headers=headers) as peer:
            welcome = reply(peer)["data"]
            assert (welcome["resumed"], welcome["received"]) == (False, 0)


def test_resume_with_a_count_that_cannot_be_loses_nothing_of_the_link(served: Served) -> None:
    with served(app_of(EchoEnvironment)) as url, Client(url) as client:
        client.lanes(0)
        token = client.link.welcome.link  # type: ignore[union-attr]  # it is connected
        for count in (0, 77):  # one acknowledged long ago, one from the future
            client.ask(HI, 0)
            with ws(url, subprotocols=["openenv.v2"], additional_headers={RESUME_HEADER: f"{token};{count}"}) as peer:
                welcome = reply(peer)["data"]
            assert not welcome["resumed"]
            assert welcome["link"] != token
        assert isinstance(client.ask(HI, 0), Observed)


def test_link_that_nobody_resumes_ends_with_its_sessions_and_its_client_hears_of_it(served: Served) -> None:
    stage = Stage()
    app = app_of(partial(InlineStaged, stage), max_sessions=2, grace_s=0.05, queue_s=8)
    with served(app) as url, Client(url) as client, Client(url) as other:
        client.lanes(0, 1)
        client.cut()
        stage.expect("close", 2)
        with pytest.raises(SessionLost, match="does not know the link"):
            client.connect()
        other.lanes(0)


def test_session_in_its_grace_is_not_ended_for_a_newcomer(served: Served) -> None:
    with served(app_of(EchoEnvironment, max_sessions=1, queue_s=0.1)) as url, Client(url) as client:
        client.lanes(0)
        client.cut()
        with Client(url) as other:
            opened = other.ask(Open((0,)))
            assert isinstance(opened, Opened)
            assert opened.errors[0].code == "CAPACITY_REACHED"
        assert client.connect().resumed
        assert isinstance(client.ask(HI, 0), Observed)


def test_grace_of_nothing_ends_a_link_with_its_socket(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(AsyncStaged, stage), grace_s=0)) as url, Client(url) as client:
        client.lanes(0)
        client.cut()
        stage.expect("close")


@pytest.mark.parametrize("kind", [InlineStaged, Staged, AsyncStaged])
def test_client_that_says_goodbye_frees_its_places_at_once(served: Served, kind: Any) -> None:
    stage = Stage()
    with served(app_of(partial(kind, stage), max_sessions=2, queue_s=8)) as url:
        for _ in range(3):
            with Client(url) as client:
                client.lanes(0, 1)
        stage.expect("close", 6)


def test_replies_kept_for_one_who_acknowledges_nothing_are_bounded(served: Served) -> None:
    with served(app_of(EchoEnvironment)) as url, ws(url, subprotocols=["openenv.v2"], max_size=None) as peer:
        peer.recv()
        peer.send('{"id":0,"type":"open","lanes":[0]}')
        peer.recv()
        step = '{"id":%d,"lane":0,"type":"step","data":{"message":"' + "x" * 8_000_000 + '"}}'
        with suppress(ConnectionClosed):
            for number in range(1, 12):
                peer.send(step % number)
                peer.recv(timeout=8)
        assert peer.close_code == 1008
        assert "not acknowledged" in (peer.close_reason or "")


def test_client_that_does_not_read_holds_up_no_other_and_gets_all_of_its_replies_later(served: Served) -> None:
    with served(app_of(VerboseEcho)) as url, Client(url, max_queue=1) as client, Client(url) as other:
        client.lanes(0)
        calls = [client.begin(Step({"message": "x" * 1_000}), 0) for _ in range(12)]
        other.lanes(0)
        assert isinstance(other.ask(HI, 0), Observed)
        for call in calls:
            assert isinstance(client.reply(call), Observed)


def test_crowd_of_links_comes_and_goes_and_leaves_nothing(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(InlineStaged, stage), max_sessions=400, grace_s=0.2)) as url:

        def live(number: int) -> None:
            with ExitStack() as stack:
                for _ in range(5):
                    client = stack.enter_context(Client(url))
                    client.lanes(0, 1)
                    assert messages(batch(client, "step", [0, 1], [{"message": str(number)}] * 2)) == [str(number)] * 2
                    client.cut()

        threads = [threading.Thread(target=live, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stage.expect("close", 80)


def test_server_that_stops_lets_a_batch_finish_and_says_that_it_restarts(served: Served) -> None:
    stage = Stage()
    with ExitStack() as stack:
        with served(app_of(partial(Staged, stage))) as url:
            client = stack.enter_context(Client(url))
            client.lanes(0, 1)
            stage.held = {"step"}
            call = client.begin(Batch("step", (0, 1), [{"message": "a"}, {"message": "b"}]))
            stage.expect("step", 2)
            threading.Timer(0.2, stage.release).start()
        answer = client.reply(call)
        assert isinstance(answer, BatchReply)
        assert messages(answer) == ["a", "b"]
        assert closed_with(client)[0] == 1012


def test_server_that_was_started_anew_does_not_know_the_link(served: Served) -> None:
    with ExitStack() as stack:
        with served(app_of(EchoEnvironment)) as url:
            client = stack.enter_context(Client(url))
            client.lanes(0)
        client.link.detach()
        with served(app_of(EchoEnvironment), port=int(url.rpartition(":")[2])), pytest.raises(SessionLost):
            client.connect()
