"""Vectors: everything goes together, one failure spoils no other, and nothing begins anew unasked; in both flavours."""

import gc
import pickle
import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from openenv import GenericEnvClient, Observation
from openenv.errors import (
    AtCapacity,
    BadAction,
    ConfigurationError,
    ConnectFailed,
    EnvironmentFailed,
    LocalError,
    PeerError,
    ReplyTimeout,
    SessionBroken,
    SessionClosed,
    SessionLost,
    StepTimedOut,
    UsageError,
)
from openenv.server import ServerConfig
from tests.client.linked import linked
from tests.client.relay import relayed
from tests.client.scripted import Peer, scripted
from tests.client.served import served
from tests.client.vectors import Countdown, Stage, both_dialects, both_flavours, says, staged, sync_vector
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def said(results: Any) -> list[str]:
    return [result.observation.echoed_message for result in results]


@both_dialects
@both_flavours
def test_each_environment_gets_its_own(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 5)
    assert said(envs.reset(seeds=10)) == ["10/0", "11/0", "12/0", "13/0", "14/0"]
    assert said(envs.step(says(*"abcde"))) == ["10/1", "11/1", "12/1", "13/1", "14/1"]
    partly = envs.step(says("x", "y"), [4, 1])
    assert said(partly) == ["14/2", "11/2"]
    assert partly.indices == (4, 1)
    assert partly.errors == {}
    assert said(envs.reset(seeds=[7, None], indices=[0, 2])) == ["7/0", "None/0"]
    assert [state.step_count for state in envs.state()] == [0, 2, 0, 1, 2]
    assert [result.reward for result in envs.step(says(*"abcde"))] == [1.0] * 5


@both_dialects
@both_flavours
def test_several_servers_share_the_environments(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, [stage.serve(dialect, room=4) for _ in range(3)], 10)
    assert said(envs.reset(seeds=0)) == [f"{index}/0" for index in range(10)]
    assert said(envs.step(says(*"abcdefghij"))) == [f"{index}/1" for index in range(10)]


@both_flavours
def test_servers_of_both_dialects_may_be_mixed(stage: Stage, flavour: Any) -> None:
    envs = stage.vector(flavour, [stage.serve(1), stage.serve(2)], 4)
    assert said(envs.reset(seeds=0)) == ["0/0", "1/0", "2/0", "3/0"]


@both_dialects
@both_flavours
def test_what_fails_spoils_no_other(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 3)
    envs.reset(seeds=0)
    results = envs.step([EchoAction(message="a"), EchoAction(message="raise"), {"massage": "typo"}])
    assert results[0].observation.echoed_message == "0/1"
    assert results[0].error is None
    assert {index: type(error) for index, error in results.errors.items()} == {1: EnvironmentFailed, 2: BadAction}
    with pytest.raises(EnvironmentFailed):
        _ = results[1].observation
    assert said(envs.step(says(*"abc"))) == ["0/2", "1/1", "2/1"]  # those sessions are unharmed


@both_dialects
@both_flavours
def test_lost_session_says_so_until_it_is_reset_by_its_index(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 3)
    envs.reset(seeds=0)
    results = envs.step(says("a", "wait", "c"), timeout_s=0.3)
    assert {index: type(error) for index, error in results.errors.items()} == {1: StepTimedOut}
    Countdown.gate.set()
    results = envs.step(says(*"abc"))
    assert isinstance(results[1].error, SessionLost)
    assert said([results[0], results[2]]) == ["0/2", "2/2"]
    with pytest.raises(SessionLost):
        envs.state()
    assert said(envs.reset(seeds=5, indices=results.errors)) == ["6/0"]
    assert said(envs.step(says(*"abc"))) == ["0/3", "6/1", "2/3"]


@both_dialects
@both_flavours
def test_no_reply_in_time_breaks_that_environment_alone(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 3, message_timeout_s=1.0)
    envs.reset(seeds=0)
    results = envs.step(says("a", "wait", "c"))
    assert {index: type(error) for index, error in results.errors.items()} == {1: ReplyTimeout}
    assert isinstance(envs.step(says("b"), [1])[0].error, SessionBroken)
    assert said(envs.reset(seeds=0, indices=[1])) == ["1/0"]
    assert said(envs.step(says(*"abc"))) == ["0/2", "1/1", "2/2"]


@both_dialects
@both_flavours
def test_slow_environment_holds_no_other(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, [stage.serve(dialect), stage.serve(dialect)], 4)
    envs.reset(seeds=0)
    envs.send(says("wait", "b", "c", "d"))
    assert sorted(index for index, _ in envs.recv(3)) == [1, 2, 3]
    assert envs.recv(1, timeout_s=0.05) == []
    envs.send(says("b"), [2])
    ((index, result),) = envs.recv(1)
    assert (index, result.observation.echoed_message) == (2, "2/2")
    with pytest.raises(UsageError):
        envs.send(says("again"), [0])
    Countdown.gate.set()
    assert [(index, result.observation.echoed_message) for index, result in envs.recv()] == [(0, "0/1")]
    assert envs.recv() == []
    assert envs.recv(3) == []


@both_dialects
@both_flavours
def test_reset_gives_up_what_is_under_way(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 2)
    envs.reset(seeds=0)
    envs.send(says("a", "wait"))
    assert Countdown.entered.wait(5)
    Countdown.gate.set()
    assert said(envs.reset(seeds=20)) == ["20/0", "21/0"]
    assert said(envs.step(says(*"ab"))) == ["20/1", "21/1"]


@both_dialects
@both_flavours
def test_next_step_resets_in_place_of_a_step(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 2, autoreset="next_step")
    envs.reset(seeds=0)
    envs.reset(seeds=0, indices=[1], length=1)
    assert [result.done for result in envs.step(says(*"ab"))] == [False, True]
    results = envs.step(says(*"ab"))
    assert said(results) == ["0/2", "None/0"]
    assert [result.done for result in results] == [False, False]
    assert said(envs.step(says(*"ab"))) == ["0/3", "None/1"]


@both_dialects
@both_flavours
def test_same_step_resets_at_once_and_keeps_the_end(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 2, autoreset="same_step")
    envs.reset(seeds=0)
    envs.reset(seeds=0, indices=[1], length=1)
    results = envs.step(says(*"ab"))
    assert said(results) == ["0/1", "None/0"]
    assert [(result.done, result.reward) for result in results] == [(False, 1.0), (True, 1.0)]
    assert results[0].final is None
    assert results[1].final.observation.echoed_message == "1/1"
    assert said(envs.step(says(*"ab"))) == ["0/2", "None/1"]


@both_dialects
@both_flavours
def test_off_leaves_a_finished_environment_alone(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 1, autoreset="off")
    envs.reset(seeds=0, length=1)
    assert [envs.step(says("a"))[0].done for _ in range(2)] == [True, True]


@both_dialects
@both_flavours
def test_too_little_room_is_said_with_its_size_and_leaves_nothing(stage: Stage, flavour: Any, dialect: int) -> None:
    config = ServerConfig(queue_s=0.2)
    url = stage.serve(dialect, room=3, config=config)
    envs = stage.vector(flavour, url, 5)
    with pytest.raises(AtCapacity, match="room for 3 of 5") as caught:
        envs.reset()
    assert caught.value.details["room"] == 3
    fitting = stage.vector(flavour, url, 3)
    assert len(fitting.reset()) == 3


@both_dialects
@both_flavours
def test_one_of_two_servers_may_die(stage: Stage, flavour: Any, dialect: int) -> None:
    with served(grace_s=0.0) as (url, process):
        with relayed(url) as relay:
            envs = stage.vector(flavour, [stage.serve(dialect), relay.url], 2, connect_timeout_s=1.0)
            envs.reset()
            envs.send(says("a", "sleep 5"))
            assert [index for index, _ in envs.recv(1)] == [0]
            process.kill()
            process.wait()
            ((index, result),) = envs.recv()
            assert index == 1
            assert isinstance(result.error, SessionLost)
            results = envs.step(says(*"ab"))
            assert results[0].error is None
            assert isinstance(results[1].error, SessionLost)
        assert isinstance(envs.reset(indices=[1])[0].error, ConnectFailed)
        results = envs.step(says(*"ab"))
        assert results[0].error is None
        assert isinstance(results[1].error, SessionLost)


@both_flavours
def test_restarted_server_is_gone_on_with_after_a_reset(stage: Stage, flavour: Any) -> None:
    with served(grace_s=0.0) as (url, process):
        envs = stage.vector(flavour, url, 3)
        envs.reset()
        process.kill()
        process.wait()
        with served(int(url.rpartition(":")[2])):
            assert all(isinstance(result.error, SessionLost) for result in envs.step(says(*"abc")))
            assert said(envs.reset(indices=[0, 2])) == ["ready", "ready"]
            results = envs.step(says(*"abc"))
            assert said([results[0], results[2]]) == ["a", "c"]
            assert isinstance(results[1].error, SessionLost)
            assert said(envs.reset(indices=[1])) == ["ready"]


@both_flavours
def test_cut_connections_change_nothing(flavour: Any) -> None:
    with linked() as server, flavour(EchoEnv.vector(server.url, 4)) as envs:
        envs.reset()
        for turn in range(20):
            server.cut_after = turn % 3
            messages = [f"{turn}.{index}" for index in range(4)]
            assert said(envs.step(says(*messages))) == messages
        assert server.steps == [f"{turn}.{index}" for turn in range(20) for index in range(4)]
        assert server.handshakes > 5


@both_flavours
def test_forgotten_link_is_a_loss_of_everything_on_it(flavour: Any) -> None:
    with linked() as server, flavour(EchoEnv.vector(server.url, 2)) as envs:
        envs.reset()
        server.forget()
        assert {type(error) for error in envs.step(says(*"ab")).errors.values()} == {SessionLost}
        assert said(envs.reset()) == ["ready", "ready"]


@both_dialects
@both_flavours
def test_wrong_calls_are_refused_before_anything_happens(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect), 2)
    with pytest.raises(UsageError):
        envs.step(says(*"ab"))
    envs.reset(seeds=0)
    with pytest.raises(UsageError, match="one action was given; write a list"):
        envs.step(says("a")[0])
    with pytest.raises(ConfigurationError, match="1 actions were given for 2"):
        envs.step(says("a"))
    with pytest.raises(ConfigurationError, match="3 seeds"):
        envs.reset(seeds=[1, 2, 3])
    with pytest.raises(UsageError, match="seeds="):
        envs.reset(seed=1)
    with pytest.raises(UsageError, match="no environment 2"):
        envs.step(says("a"), [2])
    with pytest.raises(UsageError, match="twice"):
        envs.step(says("a", "b"), [1, 1])
    with pytest.raises(LocalError):
        envs.step([EchoAction(message="a"), {"message": object()}])
    assert said(envs.step(says(*"ab"))) == ["0/1", "1/1"]


@both_dialects
@both_flavours
def test_after_close_nothing_but_connect(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect, room=2), 2)
    envs.reset(seeds=0)
    envs.close()
    envs.close()
    for call in (lambda: envs.step(says(*"ab")), envs.reset, envs.recv, envs.state, lambda: envs.send(says(*"ab"))):
        with pytest.raises(SessionClosed):
            call()
    envs.connect()
    assert said(envs.reset(seeds=3)) == ["3/0", "4/0"]


@both_flavours
def test_server_that_is_not_there(stage: Stage, flavour: Any) -> None:
    envs = stage.vector(flavour, [stage.serve(), "http://127.0.0.1:1"], 2)
    with pytest.raises(ConnectFailed):
        envs.reset()


@pytest.mark.parametrize(
    ("servers", "options"),
    [
        ([], {"num_envs": 1}),
        ("http://localhost:1", {"num_envs": 0}),
        ("http://localhost:1", {"num_envs": 1, "autoreset": "sometimes"}),
        ("ftp://nowhere", {"num_envs": 1}),
    ],
)
def test_arguments_that_make_no_sense(servers: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        EchoEnv.vector(servers, **options)


@both_dialects
def test_interrupt_loses_nothing(stage: Stage, dialect: int) -> None:
    envs = stage.vector(sync_vector, stage.serve(dialect), 2)
    envs.reset(seeds=0)
    main = threading.get_ident()

    def interrupt() -> None:
        assert Countdown.entered.wait(5)
        signal.pthread_kill(main, signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        envs.step(says("wait"), [1])
    interrupting.join()
    Countdown.gate.set()
    assert [(index, result.observation.echoed_message) for index, result in envs.recv()] == [(1, "1/1")]
    assert said(envs.step(says(*"ab"))) == ["0/1", "1/2"]


def test_context_closes_and_says_how_many(stage: Stage) -> None:
    url = stage.serve(room=2)
    for _ in range(2):
        with EchoEnv.vector(url, 2) as envs:
            assert len(envs) == 2
            assert len(envs.reset()) == 2
            with pytest.raises(UsageError):
                envs.aio()
            with pytest.raises(TypeError):
                pickle.dumps(envs)


def test_vector_that_is_forgotten_is_closed(stage: Stage) -> None:
    url = stage.serve(room=2)
    for _ in range(2):
        envs = EchoEnv.vector(url, 2)
        envs.reset()
        del envs
        gc.collect()


@both_dialects
@both_flavours
def test_resets_among_steps_leave_no_session_behind(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect, room=3), 3)
    envs.reset(seeds=0)
    for turn in range(10):
        envs.send(says("a", "b"), [turn % 3, (turn + 1) % 3])
        envs.reset(seeds=turn, indices=[turn % 3])
        envs.recv()
    assert said(envs.reset(seeds=1)) == ["1/0", "2/0", "3/0"]


class Scribbling(EchoEnvironment):
    """Answers what the client's class does not know."""

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> Any:
        return OtherObservation(scribble=1) if action.message == "scribble" else super().step(action)


class OtherObservation(Observation):
    scribble: int = 0


@both_dialects
@both_flavours
def test_observation_that_does_not_fit_fails_alone(stage: Stage, flavour: Any, dialect: int) -> None:
    envs = stage.vector(flavour, stage.serve(dialect, environment=Scribbling), 3)
    envs.reset()
    results = envs.step(says("a", "scribble", "c"))
    assert {index: type(error) for index, error in results.errors.items()} == {1: PeerError}
    assert said([results[0], results[2]]) == ["a", "c"]


@both_flavours
@pytest.mark.parametrize(
    "data",
    [
        {"observation": [{}], "reward": [0.0], "done": [False]},
        {"observation": [{}, {}], "reward": [0.0], "done": [False, False]},
        {"observation": [{}, {}], "done": [False, False]},
        {"observation": 5, "reward": 5, "done": 5},
        {},
    ],
)
def test_columns_that_lie_lose_the_link_and_nothing_else(flavour: Any, data: dict[str, Any]) -> None:
    def script(peer: Peer) -> None:
        peer.say({"type": "welcome", "data": {"link": "l", "resumed": False, "received": 0, "grace_s": 0.0}})
        for request in peer.requests():
            reply = {"type": "opened"} if request["type"] == "open" else {"type": "batch", "op": "reset", "data": data}
            peer.say({"id": request["id"], "lanes": request["lanes"], **reply})

    with scripted(script, subprotocol="openenv.v2") as url, flavour(EchoEnv.vector(url, 2)) as envs:
        results = envs.reset()
        assert {type(error) for error in results.errors.values()} == {SessionLost}
        assert "PeerError" in str(results[0].error)


class Picture(Observation):
    pixels: Any = None


class Painting(EchoEnvironment):
    """Observations with arrays."""

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Any:
        return Picture(pixels=np.full((2, 3), seed, dtype=np.float32))

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> Any:
        return Picture(pixels=np.full((2, 3), len(action.message), dtype=np.float32))


@both_dialects
@both_flavours
def test_arrays_arrive_as_what_the_dialect_has_for_them(stage: Stage, flavour: Any, dialect: int) -> None:
    url = stage.serve(dialect, environment=Painting)
    with flavour(GenericEnvClient.vector(url, 3, arrays=True)) as envs:
        pixels = envs.reset(seeds=4).stacked("pixels")
        assert pixels.shape == (3, 2, 3)
        assert pixels[:, 0, 0].tolist() == [4.0, 5.0, 6.0]
        (result,) = envs.step([{"message": "abc"}], [1])
        assert np.asarray(result.observation["pixels"]).tolist() == [[3.0] * 3] * 2
    with flavour(GenericEnvClient.vector(url, 1)) as envs:
        assert envs.reset(seeds=1)[0].observation["pixels"] == [[1.0] * 3] * 2
