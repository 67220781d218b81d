"""A client's session on a server of ours, over a network that fails. Both flavours, one body."""

import random
import threading
from collections.abc import Iterator

import pytest

from openenv import create_app
from openenv.server import ServerConfig
from tests.client.flavours import Flavour, both_flavours
from tests.client.relay import relayed
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.serving import serving


@pytest.fixture(params=[EchoEnvironment, ThreadedEcho], ids=["inline", "threaded"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with serving(create_app(request.param, EchoAction, EchoObservation)) as url:
        yield url


@both_flavours
def test_every_step_is_carried_out_once_wherever_the_network_breaks(flavour: Flavour, url: str) -> None:
    choice = random.Random(5)
    with relayed(url) as relay, flavour(relay.url) as env:
        env.reset(episode_id="kept")
        for number in range(200):
            if choice.random() < 0.2:
                relay.cut_after(choice.randrange(1, 500))
            assert env.step(str(number)).metadata == {"step": number + 1}
        state = env.state()
        assert (state.episode_id, state.step_count) == ("kept", 200)
        assert relay.connections > 20


@both_flavours
def test_session_that_is_closed_just_after_a_cut_frees_its_place_at_once(flavour: Flavour) -> None:
    config = ServerConfig(max_sessions=1, queue_s=5)
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url:
        with relayed(url) as relay, flavour(relay.url) as env:
            env.reset()
            relay.cut()
            env.close()
        with flavour(url) as env:
            env.reset()


@both_flavours
def test_session_is_reused_by_a_reset(flavour: Flavour, url: str) -> None:
    with relayed(url) as relay, flavour(relay.url) as env:
        for _ in range(5):
            env.reset()
        assert relay.connections == 1


def test_threads_share_a_session_over_a_network_that_breaks(url: str) -> None:
    steps_each, over = 30, threading.Event()
    problems: list[tuple[str, str]] = []

    def play(name: str) -> None:
        for number in range(steps_each):
            message = f"{name} {number}"
            echoed = env.step(EchoAction(message=message)).observation.echoed_message
            if echoed != message:
                problems.append((message, echoed))

    with relayed(url) as relay, EchoEnv(relay.url) as env:
        env.reset()
        threads = [threading.Thread(target=play, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            relay.cut()
            over.wait(0.05)  # never set: a pause
        for thread in threads:
            thread.join()
        assert problems == []
        assert env.state().step_count == 4 * steps_each
