"""`openenv.server.ws`: dialect 1 over a socket, as a client sees it that is not ours."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

import pytest
from pydantic import field_validator

from openenv.server import create_app
from tests.server.peers import ask, closing, reply, step, ws
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged, app_of
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import TRANSPORTS, serving

RESET = {"type": "reset"}
STATE = {"type": "state"}


Served = Callable[[Any], AbstractContextManager[str]]


class PickyAction(EchoAction):
    @field_validator("message")
    @classmethod
    def _picky(cls, message: str) -> str:
        if message == "rude":
            raise ValueError("mind your language")
        if message == "crash":
            raise KeyError("the validator itself is broken")
        return message


@pytest.fixture(scope="module", params=TRANSPORTS)
def served(request: pytest.FixtureRequest) -> Served:
    """Serve an app over one of the two transports."""
    return partial(serving, log_config=None, ws=request.param)


@pytest.fixture(scope="module")
def echo(served: Served) -> Iterator[str]:
    """The URL of a server that the tests of this file share."""
    with served(create_app(EchoEnvironment, PickyAction, EchoObservation)) as url:
        yield url


@pytest.fixture(scope="module", params=[InlineStaged, Staged, AsyncStaged])
def wayward(served: Served, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URLs of servers whose environments do what they are told, be it wrong: inline, on a thread, async."""
    with served(app_of(partial(request.param, Stage()))) as url:
        yield url


# ---- what is on the wire


def test_frames_are_those_of_openenv_to_the_byte(echo: str) -> None:
    with ws(echo) as peer:
        peer.send('{"type":"reset","data":{"episode_id":"e1"}}')
        assert peer.recv() == (
            '{"type":"observation","data":{"observation":{"metadata":{},"echoed_message":"ready","message_length":0},'
            '"reward":0.0,"done":false}}'
        )
        peer.send('{"type":"step","data":{"message":"Hi"}}')
        assert peer.recv() == (
            '{"type":"observation","data":{"observation":{"metadata":{"step":1},"echoed_message":"Hi",'
            '"message_length":2},"reward":0.2,"done":false,"metadata":{"step":1}}}'
        )
        peer.send('{"type":"state"}')
        assert peer.recv() == '{"type":"state","data":{"episode_id":"e1","step_count":1}}'


def test_handshake_says_which_extensions_are_understood(echo: str) -> None:
    with ws(echo) as peer:
        assert peer.response is not None
        assert peer.response.headers["x-openenv-extensions"] == "options,timeout_s,view"


def test_mcp_request_is_answered_under_its_own_id(echo: str) -> None:
    with ws(echo) as peer:
        answer = ask(peer, {"type": "mcp", "data": {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}})
    assert answer["type"] == "mcp"
    assert (answer["data"]["id"], answer["data"]["error"]["code"]) == (7, -32603)


def test_requests_sent_ahead_are_answered_in_order(echo: str) -> None:
    with ws(echo) as peer:
        for frame in ('{"type":"reset"}', '{"type":"step","data":{"message":"a"}}', "[]", '{"type":"state"}'):
            peer.send(frame)
        kinds = [reply(peer)["type"] for _ in range(4)]
    assert kinds == ["observation", "observation", "error", "state"]


def test_peer_that_floods_is_disconnected(served: Served, stage: Stage) -> None:
    stage.held = {"step"}
    with served(app_of(partial(Staged, stage))) as url, ws(url) as peer:
        for _ in range(70):
            peer.send('{"type":"step","data":{"message":"x"}}')
        assert closing(peer) == 1008
        stage.release()


def test_options_reach_the_methods_that_take_them(served: Served) -> None:
    class Optional(EchoEnvironment):
        def reset(self, seed: int | None = None) -> EchoObservation:  # type: ignore[override]
            return EchoObservation(echoed_message=f"seed {seed}")

        def step(self, action: EchoAction, timeout_s: float = 0, hint: str = "") -> EchoObservation:  # type: ignore[override]
            return EchoObservation(echoed_message=f"{hint} {timeout_s}")

    with served(app_of(Optional)) as url, ws(url) as peer:
        answer = ask(peer, {"type": "reset", "data": {"seed": 7, "episode_id": "e", "unheard_of": 1}})
        assert answer["data"]["observation"]["echoed_message"] == "seed 7"
        answer = ask(peer, step("x", timeout_s=2.5, options={"hint": "left", "unheard_of": 1}))
        assert answer["data"]["observation"]["echoed_message"] == "left 2.5"


# ---- bad input


@pytest.mark.parametrize(
    ("frame", "code", "loc"),
    [
        ("[1, 2]", "VALIDATION_ERROR", []),
        ("null", "VALIDATION_ERROR", []),
        ('"reset"', "VALIDATION_ERROR", []),
        ("{", "INVALID_JSON", None),
        ("", "INVALID_JSON", None),
        ("[" * 100_000, "INVALID_JSON", None),
        (b"\x00\xff\xfe", "INVALID_JSON", None),
        (b'{"type":"state"}', "INVALID_JSON", None),
        ("{}", "UNKNOWN_TYPE", None),
        ('{"type":"dance"}', "UNKNOWN_TYPE", None),
        ('{"type":["step"]}', "UNKNOWN_TYPE", None),
        ('{"type":"\\ud800"}', "UNKNOWN_TYPE", None),
        ('{"type":"state","data":{}}', "VALIDATION_ERROR", ["data"]),
        ('{"type":"reset","date":{}}', "VALIDATION_ERROR", ["date"]),
        ('{"type":"step"}', "VALIDATION_ERROR", ["data"]),
        ('{"type":"step","data":[]}', "VALIDATION_ERROR", ["data"]),
        ('{"type":"step","data":{"message":"x"},"timeout_s":0}', "VALIDATION_ERROR", ["timeout_s"]),
        ('{"type":"step","data":{"message":"x"},"timeout_s":NaN}', "VALIDATION_ERROR", ["timeout_s"]),
        ('{"type":"step","data":{}}', "VALIDATION_ERROR", ["message"]),
        ('{"type":"step","data":{"message":5}}', "VALIDATION_ERROR", ["message"]),
        ('{"type":"step","data":{"message":"x","volume":11}}', "VALIDATION_ERROR", ["volume"]),
        ('{"type":"step","data":{"message":"rude"}}', "VALIDATION_ERROR", ["message"]),
        ('{"type":"step","data":{"message":"crash"}}', "VALIDATION_ERROR", []),
        ('{"type":"reset","data":{"seed":-1}}', "VALIDATION_ERROR", ["seed"]),
        ('{"type":"reset","data":{"episode_id":5}}', "VALIDATION_ERROR", ["episode_id"]),
    ],
)
def test_bad_frame_is_named_and_the_session_goes_on(echo: str, frame: str | bytes, code: str, loc: Any) -> None:
    with ws(echo) as peer:
        ask(peer, RESET)
        ask(peer, step("before"))
        answer = ask(peer, frame)
        assert (answer["type"], answer["data"]["code"]) == ("error", code)
        if loc is not None:
            assert [error["loc"] for error in answer["data"]["errors"]] == [loc]
            assert "input" not in answer["data"]["errors"][0]  # it may be large, or secret
        assert ask(peer, STATE)["data"]["step_count"] == 1


def test_frame_above_the_limit_closes_its_own_socket_alone(echo: str) -> None:
    with ws(echo) as greedy, ws(echo) as modest:
        ask(greedy, RESET)
        ask(modest, RESET)
        text, masked_and_long = 0x81, 0xFF
        greedy.socket.sendall(bytes([text, masked_and_long]) + (20_000_000).to_bytes(8) + b"mask")
        assert closing(greedy) == 1009  # its head says enough: nobody waits for the rest
        assert ask(modest, step("still here"))["data"]["reward"] == 1.0


def test_frame_just_within_the_limit_is_served(echo: str) -> None:
    with ws(echo, max_size=None) as peer:
        ask(peer, RESET)
        frame = '{"type":"step","data":{"message":"%s"}}'
        assert ask(peer, frame % ("x" * (16 * 1024 * 1024 - len(frame) + 2)))["data"]["reward"] > 1_000_000


def test_second_reset_begins_another_episode(echo: str) -> None:
    with ws(echo) as peer:
        ask(peer, {"type": "reset", "data": {"episode_id": "one"}})
        ask(peer, step("x"))
        ask(peer, {"type": "reset", "data": {"episode_id": "two"}})
        assert ask(peer, STATE)["data"] == {"episode_id": "two", "step_count": 0}


def test_step_after_close_is_not_served(served: Served, stage: Stage) -> None:
    with served(app_of(partial(InlineStaged, stage))) as url, ws(url) as peer:
        peer.send('{"type":"close"}')
        peer.send('{"type":"step","data":{"message":"x"}}')
        assert closing(peer) == 1000
        stage.expect("close")
        assert stage.count("step") == 0


# ---- environments that fail


@pytest.mark.parametrize(
    ("message", "code", "detail"),
    [
        ("raise", "EXECUTION_ERROR", {"exception": "KeyError", "message": "'asked to'"}),
        ("raise validation", "EXECUTION_ERROR", {"exception": "ValidationError"}),
        ("exit", "EXECUTION_ERROR", {"exception": "SystemExit"}),
        ("nan", "OBSERVATION_ERROR", {"field": "reward"}),
        ("infinite", "OBSERVATION_ERROR", {"field": "reward"}),
        ("huge", "OBSERVATION_ERROR", {"field": "reward"}),
        ("nan inside", "OBSERVATION_ERROR", {"field": "drawing.line.1"}),
        ("unencodable", "OBSERVATION_ERROR", {"field": "drawing"}),
        ("nothing", "OBSERVATION_ERROR", {}),
    ],
)
def test_environment_that_fails_is_named_and_the_session_goes_on(
    wayward: str, message: str, code: str, detail: dict[str, str]
) -> None:
    with ws(wayward) as peer:
        answer = ask(peer, step(message))
        assert (answer["type"], answer["data"]["code"]) == ("error", code)
        assert detail.items() <= answer["data"].items()
        assert ask(peer, step("Hi"))["data"]["reward"] == 0.2


def test_message_that_is_no_unicode_crosses_all_the_same(wayward: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "openenv")  # pytest-xdist cannot carry such a log
    with ws(wayward) as peer:
        assert ask(peer, step("raise surrogate"))["data"]["message"] == "no such file: \udcff"
        assert ask(peer, step("Hi"))["data"]["reward"] == 0.2


def test_exception_of_an_environment_is_logged_with_its_traceback(
    served: Served, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with served(app_of(partial(Staged, stage))) as url, ws(url) as peer:
        ask(peer, step("raise"))
    (record,) = [r for r in caplog.records if r.exc_info]
    assert record.getMessage() == "Staged.step raised KeyError"
    assert record.exc_info is not None
    assert "asked to" in str(record.exc_info[1])


def test_factory_that_raises_is_named_and_logged_and_holds_no_place(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    built: list[str] = []

    def moody() -> Any:
        built.append("x")
        if len(built) == 1:
            raise OSError("no display")
        return EchoEnvironment()

    with served(app_of(moody)) as url:
        with ws(url) as peer:
            assert reply(peer)["data"] == {
                "message": "Environment factory 'moody' failed to create instance.",
                "code": "FACTORY_ERROR",
                "factory_name": "moody",
                "exception": "OSError",
                "cause": "no display",
            }
            assert closing(peer) == 1000
        with ws(url) as peer:
            assert ask(peer, step("Hi"))["data"]["reward"] == 0.2
    (record,) = [r for r in caplog.records if r.exc_info]
    assert "moody" in record.getMessage()
    assert record.exc_info is not None
    assert "no display" in str(record.exc_info[1])


# ---- room


def test_full_server_refuses_with_the_counts_and_closes(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1, queue_s=0.0)
    with served(app) as url, ws(url) as first:
        ask(first, RESET)
        with ws(url) as second:
            assert reply(second) == {
                "type": "error",
                "data": {
                    "message": "Server at capacity: 1/1 sessions active. Cannot accept new connections.",
                    "code": "CAPACITY_REACHED",
                    "active_sessions": 1,
                    "max_sessions": 1,
                    "retry_after_s": 5.0,
                },
            }
            assert closing(second) == 1000
        assert ask(first, step("Hi"))["data"]["reward"] == 0.2


def test_wait_at_a_full_server_is_bounded_in_time_and_number(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1, queue_s=0.3, max_queue=1)
    with served(app) as url, ws(url) as first:
        ask(first, RESET)
        with ws(url) as patient, ws(url) as superfluous:
            refused = [reply(peer)["data"]["code"] for peer in (superfluous, patient)]
    assert refused == ["CAPACITY_REACHED"] * 2


def test_client_that_gives_up_waiting_leaves_the_queue(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1, queue_s=8.0)
    with served(app) as url, ws(url) as first:
        ask(first, RESET)
        with ws(url), ws(url):
            pass  # two that joined the queue, and left it
        with ws(url) as patient:
            first.close()
            assert ask(patient, RESET)["type"] == "observation"
    assert stage.count("init") == 2


# ---- clients that go away


def test_client_that_vanishes_without_a_close_frame_frees_its_place(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1)
    with served(app) as url, ws(url) as peer:
        ask(peer, RESET)
        peer.socket.shutdown(socket.SHUT_RDWR)
        with ws(url) as next_peer:
            ask(next_peer, RESET)
    assert stage.count("close") == 2


def test_client_that_goes_away_cancels_an_async_step(served: Served, stage: Stage) -> None:
    stage.held = {"step"}
    with served(app_of(partial(AsyncStaged, stage), max_sessions=1)) as url:
        with ws(url) as peer:
            peer.send('{"type":"step","data":{"message":"x"}}')
            stage.expect("step")
        stage.expect("step cancelled")
        stage.expect("close")
        with ws(url) as next_peer:
            ask(next_peer, RESET)


@pytest.mark.parametrize("limit", [None, 30.0])
def test_client_that_goes_away_during_a_threads_step_frees_its_place_when_it_returns(
    served: Served, stage: Stage, limit: float | None
) -> None:
    stage.held = {"step"}
    app = app_of(partial(Staged, stage), max_sessions=1, step_timeout_s=limit)
    with served(app) as url:
        with ws(url) as peer:
            peer.send('{"type":"step","data":{"message":"x"}}')
            stage.expect("step")
        with ws(url) as next_peer:
            next_peer.send('{"type":"reset"}')
            with pytest.raises(TimeoutError):
                next_peer.recv(timeout=0.1)  # not while the thread runs
            assert app.state.openenv.active == 1
            assert stage.count("close") == 0
            stage.release()
            assert reply(next_peer)["type"] == "observation"
    assert [name for name, _ in stage.calls] == ["init", "step", "close", "init", "reset", "close"]


def test_client_that_goes_away_while_its_environment_is_built_leaves_nothing(served: Served, stage: Stage) -> None:
    stage.held = {"init"}
    app = app_of(partial(Staged, stage), max_sessions=1)
    with served(app) as url:
        with ws(url):
            stage.expect("init")
        with ws(url) as next_peer:
            next_peer.send('{"type":"reset"}')
            with pytest.raises(TimeoutError):
                next_peer.recv(timeout=0.1)  # what is being built counts
            assert app.state.openenv.active == 1
            assert stage.count("init") == 1
            stage.release()
            assert reply(next_peer)["type"] == "observation"
    assert [name for name, _ in stage.calls] == ["init", "close", "init", "reset", "close"]


# ---- time limits


@pytest.mark.parametrize("flavour", [Staged, AsyncStaged])
@pytest.mark.parametrize(("setting", "beside"), [(None, {"timeout_s": 0.05}), (0.05, {}), (0.05, {"timeout_s": 60})])
def test_call_past_its_limit_is_reported_at_once_and_ends_the_session(
    served: Served, stage: Stage, flavour: type[Staged], setting: float | None, beside: dict[str, float]
) -> None:
    stage.held = {"step"}
    app = app_of(partial(flavour, stage), max_sessions=1, step_timeout_s=setting)
    with served(app) as url:
        with ws(url) as peer:
            answer = ask(peer, step("x", **beside))
            assert (answer["type"], answer["data"]["code"]) == ("error", "TIMED_OUT")
            assert answer["data"]["timeout_s"] == 0.05
            assert closing(peer) == 1000
        if flavour is Staged:  # a thread cannot be stopped, and counts as long as it runs
            assert (app.state.openenv.active, stage.count("close")) == (1, 0)
            stage.release()
        with ws(url) as next_peer:
            ask(next_peer, RESET)
    assert stage.count("close") == 2


def test_call_within_its_limit_is_answered(served: Served, stage: Stage) -> None:
    with served(app_of(partial(Staged, stage), step_timeout_s=60.0)) as url, ws(url) as peer:
        assert ask(peer, {"type": "reset", "timeout_s": 5})["type"] == "observation"
        assert ask(peer, step("Hi", timeout_s=1e300))["data"]["reward"] == 0.2
        assert ask(peer, STATE)["data"]["step_count"] == 1


# ---- scopes


def test_agents_token_may_step_only(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), token="boss", agent_token="hand")
    with served(app) as url:
        with ws(url, additional_headers={"Authorization": "Bearer hand"}) as agent:
            for request in (RESET, STATE, {"type": "close"}):
                assert ask(agent, request)["data"]["code"] == "FORBIDDEN"
            assert ask(agent, step("Hi"))["data"]["reward"] == 0.2
        with ws(url, additional_headers={"Authorization": "Bearer boss"}) as orchestrator:
            assert ask(orchestrator, STATE)["data"]["step_count"] == 0
    assert stage.count("reset") == 0


# ---- the server stops


def test_stopping_server_refuses_those_who_wait(served: Served, stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1)
    with ExitStack() as later:
        with served(app) as url:
            first = later.enter_context(ws(url))
            ask(first, RESET)
            waiting = later.enter_context(ws(url))
            waiting.ping().wait(5)
        refusal = reply(waiting)["data"]
    assert (refusal["code"], refusal["message"]) == ("CAPACITY_REACHED", "The server is shutting down.")
