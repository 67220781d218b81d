"""Load counts what was answered, names what was refused, and never waits for ever."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from openenv import create_app
from openenv.errors import AtCapacity, BadAction, ConnectFailed, RemoteFault
from openenv.server import ServerConfig
from openenv.testing.load import Load, Measured, percentile, step_over_sockets, step_vector
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.serving import serving

ACTIONS = ({"message": "Hello"},)


def load(url: str, *, seconds: float = 0.2, actions: Any = ACTIONS, **headers: str) -> Load:
    return Load(socket=f"{url.replace('http', 'ws')}/ws", headers=headers, actions=actions, seconds=seconds)


def run(wanted: Load, sessions: int) -> Measured:
    return asyncio.run(step_over_sockets(wanted, sessions))


class ShortEpisodes(EchoEnvironment):
    """Every third step ends the episode; a step after the end is refused."""

    def reset(self, *args: Any, **options: Any) -> EchoObservation:
        self.over = False
        return super().reset(*args, **options)

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        assert not self.over, "stepped after the end"
        observation = super().step(action)
        self.over = observation.done = self.state.step_count % 3 == 0
        return observation


def test_every_session_is_opened_and_steps() -> None:
    config = ServerConfig(max_sessions=40)
    opened = []
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url:
        measured = asyncio.run(step_over_sockets(load(url), 40, lambda: opened.append(True)))
    assert (opened, len(measured.open_s), measured.faults) == ([True], 40, Counter())
    assert len(measured.step_s) > 40
    assert measured.seconds >= 0.2
    assert measured.steps_per_s == len(measured.step_s) / measured.seconds
    assert 0 < percentile(measured.step_s, 0.5) <= percentile(measured.step_s, 0.99)


def test_an_episode_that_ends_is_followed_by_another() -> None:
    with serving(create_app(ShortEpisodes, EchoAction, EchoObservation)) as url:
        measured = run(load(url), 2)
    assert measured.faults == Counter()
    assert len(measured.step_s) > 10


def test_a_step_that_is_refused_at_once_is_told() -> None:
    with (
        serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url,
        pytest.raises(RemoteFault, match="VALIDATION_ERROR"),
    ):
        run(load(url, actions=({"message": 5},)), 1)


def test_steps_that_are_refused_later_are_counted_and_are_no_steps() -> None:
    actions = ({"message": "fine"}, {"message": "raise"})
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        measured = run(load(url, actions=actions), 1)
    assert measured.faults["EXECUTION_ERROR"] > 0
    assert len(measured.step_s) > 0


def test_a_server_without_room_says_so() -> None:
    config = ServerConfig(max_sessions=1, queue_s=0)
    with (
        serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url,
        pytest.raises(RemoteFault, match="CAPACITY_REACHED"),
    ):
        run(load(url), 2)


def test_nobody_there_and_no_socket_there_are_told() -> None:
    with (
        serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url,
        pytest.raises(ConnectFailed, match=r"answered 'HTTP/1\.1 403"),
    ):
        run(Load(socket=f"{url.replace('http', 'ws')}/nowhere", headers={}, actions=ACTIONS, seconds=0.1), 1)
    with pytest.raises(ConnectFailed, match="is the server running"):
        run(load(url), 1)


def test_headers_go_with_the_handshake() -> None:
    config = ServerConfig(token="secret")
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url:
        with pytest.raises(ConnectFailed, match="401"):
            run(load(url), 1)
        assert len(run(load(url, Authorization="Bearer secret"), 1).step_s) > 0


async def _against(handler: Any, sessions: int = 1) -> Measured:
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        return await step_over_sockets(load(f"http://127.0.0.1:{port}"), sessions)


@pytest.mark.parametrize("size", [10, 1000, 100_000], ids=["small", "medium", "large"])
def test_frames_of_every_size_pings_and_fragments_are_read(size: int) -> None:
    observation = '{"type":"observation","data":{"observation":"' + "x" * size + '","reward":null,"done":false}}'

    async def answer(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.ping("still there?")
            await connection.send([observation[:5], observation[5:]])

    measured = asyncio.run(_against(answer))
    assert (len(measured.step_s) > 0, measured.faults) == (True, Counter())


def test_a_server_that_hangs_up_is_counted() -> None:
    async def leave_after_three(connection: ServerConnection) -> None:
        for _ in range(3):
            await connection.recv()
            await connection.send('{"type":"observation","data":{"observation":{},"reward":null,"done":false}}')

    assert asyncio.run(_against(leave_after_three, sessions=2)).faults == Counter(CONNECTION_LOST=2)


def test_a_vector_counts_every_environment_it_steps() -> None:
    opened = []
    with serving(create_app(ShortEpisodes, EchoAction, EchoObservation)) as url:
        measured = step_vector(load(url), 8, lambda: opened.append(True))
    assert (opened, measured.faults, len(measured.open_s)) == ([True], Counter(), 1)
    assert measured.steps_per_s == 8 * len(measured.step_s) / measured.seconds > 0


def test_a_vector_that_has_no_room_or_a_wrong_action_is_told() -> None:
    config = ServerConfig(max_sessions=2, queue_s=0)
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url:
        with pytest.raises(AtCapacity):
            step_vector(load(url), 3)
        with pytest.raises(BadAction):
            step_vector(load(url, actions=({"message": 5},)), 2)


def test_steps_of_a_vector_that_are_refused_later_are_counted() -> None:
    actions = ({"message": "fine"}, {"message": "fine"}, {"message": "fine"}, {"message": "raise"})
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation)) as url:
        measured = step_vector(load(url, actions=actions), 2)
    assert measured.faults["EXECUTION_ERROR"] > 0


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentile([], 0.5) == 0
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([float(n) for n in range(100)], 0.99) == 99.0
    assert percentile([2.0, 1.0, 3.0], 0.5) == 2.0
