"""Checks of a live server: one that keeps the rules passes, and every way to break them is found by name."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from openenv import create_app
from openenv.errors import ConfigurationError
from openenv.hub.report import Report, Result, Status
from openenv.server import ServerConfig
from openenv.testing import check_server
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation, ThreadedEcho
from tests.support.serving import serving
from tests.testing import bad

PATIENCE_S = 1.5


def served(environment: Any, config: ServerConfig | None = None, **settings: Any) -> Any:
    return create_app(environment, EchoAction, EchoObservation, config=config or ServerConfig(queue_s=0.5), **settings)


def check(app: Any, **options: Any) -> Report:
    with serving(app) as url:
        return check_server(url, **({"timeout_s": PATIENCE_S} | options))


def by_id(report: Report) -> dict[str, Result]:
    return {result.id: result for result in report.results}


def broken(report: Report) -> set[str]:
    return {result.id for result in report.failures}


@pytest.mark.parametrize(
    ("environment", "limit"), [(EchoEnvironment, 64), (ThreadedEcho, 4), (EchoEnvironment, 1), (bad.OneByOne, None)]
)
def test_a_server_that_keeps_the_rules_passes_them_all(environment: Any, limit: int | None) -> None:
    report = check(served(environment, max_concurrent_envs=limit))
    assert report.verdict == "pass", report.to_json()


@pytest.mark.parametrize(
    ("environment", "rule"),
    [
        (bad.NanReward, "reward.finite"),
        (bad.TextReward, "reward.finite"),
        (bad.DishonestState, "schema.state"),
        (bad.Forgetful, "state.contract"),
        (bad.Random, "seed.deterministic"),
        (bad.Sharing, "session.isolated"),
        (bad.SharingUnseen, "session.isolated"),
    ],
)
def test_a_broken_rule_is_found_by_name(environment: Any, rule: str) -> None:
    report = check(served(environment))
    assert rule in broken(report)
    assert report.verdict == "fail"


@pytest.mark.timeout(40)
def test_an_environment_that_never_lets_go_is_found_by_name() -> None:
    bad.HoldingOn.gate.clear()
    with serving(served(bad.HoldingOn, max_concurrent_envs=6)) as url:
        try:
            report = by_id(check_server(url, timeout_s=PATIENCE_S))
        finally:
            bad.HoldingOn.gate.set()
    assert report["session.released"].status is not Status.PASS
    failed = [result for result in report.values() if result.status is Status.FAIL]
    assert any("no session within" in line for result in failed for line in result.outcome.evidence)


@pytest.mark.timeout(40)
def test_closing_that_hangs_is_told_from_other_failures_where_there_is_room() -> None:
    bad.HoldingOn.gate.clear()
    with serving(served(bad.HoldingOn, max_concurrent_envs=60)) as url:
        try:
            report = check_server(url, timeout_s=PATIENCE_S)
        finally:
            bad.HoldingOn.gate.set()
    released = by_id(report)["session.released"]
    assert released.status is Status.FAIL
    assert released.outcome.remedy == "close() must come to an end, and let go of what the environment holds"


@pytest.mark.timeout(40)
def test_an_environment_that_hangs_is_given_up_in_time_and_blamed_once() -> None:
    bad.Hanging.gate.clear()
    with serving(served(bad.Hanging)) as url:
        try:
            report = check_server(url, timeout_s=0.5)
        finally:
            bad.Hanging.gate.set()
    assert "after reset: step was not answered within 0.5 s" in by_id(report)["session.step"].outcome.evidence
    assert by_id(report)["seed.deterministic"].outcome.evidence == ("session.step did not pass",)


def test_a_port_where_nobody_listens_is_one_failure() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        report = check_server(f"http://127.0.0.1:{reserved.getsockname()[1]}", timeout_s=PATIENCE_S)
    assert broken(report) == {"server.health"}
    assert "cannot be fetched" in by_id(report)["server.health"].outcome.evidence[0]
    assert report.verdict == "fail"


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A server that answers whatever it is asked with the same bytes, or not at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopping = threading.Event()

        def serve() -> None:
            with ExitStack() as held:
                while not stopping.is_set():
                    connection = held.enter_context(listener.accept()[0])
                    if answer is not None and not stopping.is_set():
                        connection.recv(65536)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_RDWR)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopping.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (b"\x16\x03\x01 garbage \xff\r\n\r\n", "cannot be fetched"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage", "which is not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "which is no object"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "/health says {}"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", "ended before its time"),
        (None, "was not answered within 0.3 s"),
    ],
)
def test_what_is_no_server_is_told_by_its_health(answer: bytes | None, evidence: str) -> None:
    with answering(answer) as url:
        report = check_server(url, timeout_s=0.3)
    assert broken(report) == {"server.health"}
    assert evidence in by_id(report)["server.health"].outcome.evidence[0]


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://localhost:99999"])
def test_what_is_no_address_is_misuse(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a server"):
        check_server(url)


def test_a_password_in_the_url_is_not_in_the_report() -> None:
    report = check_server("http://someone:hunter2@127.0.0.1:9", timeout_s=PATIENCE_S)
    assert report.target == "http://127.0.0.1:9"
    assert "hunter2" not in json.dumps(report.to_json())


def test_a_server_that_asks_for_a_token_says_how_to_give_it() -> None:
    def guarded() -> Any:
        return served(EchoEnvironment, ServerConfig(queue_s=0.5, token="open sesame"))

    report = by_id(check(guarded()))
    for name in ("server.metadata", "server.schema", "session.reset"):
        assert report[name].status is Status.FAIL
        assert report[name].outcome.remedy == "put the server's token into OPENENV_TOKEN"
    wrong = check(guarded(), token="hunter2")
    assert by_id(wrong)["session.reset"].status is Status.FAIL
    assert "hunter2" not in json.dumps(wrong.to_json())
    assert check(guarded(), token="open sesame").verdict == "pass"


def scripted(reply: Any) -> Starlette:
    """A server of which only the WebSocket is another than that of an echo environment."""
    schemas = {
        "action": EchoAction.model_json_schema(),
        "observation": EchoObservation.model_json_schema(),
        "state": {"type": "object"},
    }
    answers = {"/health": {"status": "healthy"}, "/metadata": {"name": "scripted"}, "/schema": schemas}

    async def ws(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                await reply(websocket, await websocket.receive_json())
        except WebSocketDisconnect:
            pass

    def page(path: str) -> Any:
        async def answer(request: Any) -> Response:
            return JSONResponse(answers[path])

        return answer

    return Starlette(routes=[*(Route(path, page(path)) for path in answers), WebSocketRoute("/ws", ws)])


async def _garbage(websocket: WebSocket, request: Any) -> None:
    await websocket.send_text("<html>")


async def _hangs_up(websocket: WebSocket, request: Any) -> None:
    await websocket.close()
    raise WebSocketDisconnect


async def _mistakes_everything_for_a_state(websocket: WebSocket, request: Any) -> None:
    await websocket.send_json({"type": "state", "data": {}})


def _observing(**data: Any) -> Any:
    async def reply(websocket: WebSocket, request: Any) -> None:
        if request["type"] == "state":
            await websocket.send_json({"type": "state", "data": {}})
        elif request["type"] != "close":
            sent = {"type": "observation", "data": {"observation": {}, "reward": 1.0, "done": False, **data}}
            await websocket.send_text(json.dumps(sent))

    return reply


@pytest.mark.parametrize(
    ("reply", "rule", "evidence"),
    [
        (_garbage, "session.reset", "'<html>', which is not JSON"),
        (_hangs_up, "session.reset", "the server closed the connection (1000)"),
        (_mistakes_everything_for_a_state, "session.reset", "reset was answered with state {}"),
        (_observing(reward=float("nan")), "reward.finite", "reset: the reward is nan"),
        (_observing(reward="1"), "reward.finite", "reset: the reward is '1'"),
        (_observing(done="no"), "flags.boolean", "reset: done is 'no'"),
        (_observing(truncated=1), "flags.boolean", "reset: truncated is 1"),
        (_observing(truncated=True), "flags.boolean", "reset: truncated is true, and done is false"),
        (
            _observing(observation={"smell": 1}),
            "schema.observation",
            "reset: it has 'smell', which the schema does not allow",
        ),
        (_observing(), "fault.bad_action", "does not fit the schema, and was taken"),
        (_observing(), "state.contract", "after reset state.episode_id is None"),
    ],
)
def test_what_a_foreign_server_answers_is_taken_as_it_came(reply: Any, rule: str, evidence: str) -> None:
    report = by_id(check(scripted(reply), timeout_s=0.3))
    assert report[rule].status is Status.FAIL
    assert any(evidence in line for line in report[rule].outcome.evidence), report[rule].outcome.evidence


def _playing(on_step: Any) -> Any:
    """A server that resets and tells its state, and does with a step what the test says."""

    async def reply(websocket: WebSocket, request: Any) -> None:
        if isinstance(request, dict) and request.get("type") == "step":
            await on_step(websocket, request)
        else:
            await _observing()(websocket, request)

    return reply


def _refusing(code: str, *, counts: bool = False) -> Any:
    """Answers every step with this code; and counts it, or not."""
    steps = {"count": 0}

    async def reply(websocket: WebSocket, request: Any) -> None:
        match request["type"]:
            case "state":
                await websocket.send_json({"type": "state", "data": {"step_count": steps["count"]}})
            case "step":
                steps["count"] += counts
                await websocket.send_json({"type": "error", "data": {"code": code, "message": "no"}})
            case _:
                await _observing()(websocket, request)

    return reply


@pytest.mark.parametrize(
    ("reply", "rule", "evidence"),
    [
        (_playing(_hangs_up), "session.step", "after reset: the server closed the connection"),
        (_playing(_hangs_up), "fault.bad_action", "the server closed the connection"),
        (_refusing("EXECUTION_ERROR"), "fault.bad_action", "which does not blame the action"),
        (
            _refusing("VALIDATION_ERROR", counts=True),
            "fault.bad_action",
            "a refused action counted: step_count went from",
        ),
        (_refusing("OBSERVATION_ERROR"), "session.step", "OBSERVATION_ERROR: no"),
    ],
)
def test_what_a_foreign_server_does_with_a_step_is_judged(reply: Any, rule: str, evidence: str) -> None:
    report = by_id(check(scripted(reply), timeout_s=0.3))
    assert report[rule].status is Status.FAIL
    assert any(evidence in line for line in report[rule].outcome.evidence), report[rule].outcome.evidence


def test_an_observation_without_reward_is_found() -> None:
    async def reply(websocket: WebSocket, request: Any) -> None:
        if request["type"] == "state":
            await _observing()(websocket, request)
        else:
            await websocket.send_json({"type": "observation", "data": {"observation": {}, "done": False}})

    reward = by_id(check(scripted(reply), timeout_s=0.3))["reward.finite"]
    assert "reset: there is no reward" in reward.outcome.evidence


def test_a_server_with_one_place_is_recognised_though_newcomers_wait_for_long() -> None:
    report = check(served(bad.OneByOne, ServerConfig(queue_s=30)), timeout_s=0.5)
    assert report.verdict == "pass", report.to_json()
    assert by_id(report)["session.isolated"].outcome.evidence == ("one session at a time is all it promises",)


def test_a_server_without_a_queue_may_need_a_moment_between_sessions() -> None:
    report = check(served(bad.OneByOne, ServerConfig(queue_s=0)))
    assert report.verdict == "pass", report.to_json()


def test_a_frame_that_ends_a_session_is_named() -> None:
    async def reply(websocket: WebSocket, request: Any) -> None:
        if not isinstance(request, dict):
            await _hangs_up(websocket, request)
        if "type" not in request or request["type"] not in ("reset", "step", "state", "close"):
            await websocket.send_json({"type": "error", "data": {"code": "UNKNOWN_TYPE", "message": "?"}})
        else:
            await _observing()(websocket, request)

    malformed = by_id(check(scripted(reply), timeout_s=0.5))["socket.malformed"]
    assert malformed.status is Status.FAIL
    assert "an array: it ended the session" in malformed.outcome.evidence
    assert "null: it ended the session" in malformed.outcome.evidence
    assert not any(line.startswith("an unknown type") for line in malformed.outcome.evidence)


def test_a_server_that_lets_in_pages_of_other_sites_is_told_without_failing() -> None:
    access = by_id(check(scripted(_observing()), timeout_s=0.5))["access.pages"]
    assert (access.status, access.is_required) == (Status.FAIL, False)
    assert len(access.outcome.evidence) == 2


class StatelessOverHttp:
    """In front of a server: gives every HTTP request a session of its own, and never says its name."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [*(h for h in scope["headers"] if h[0] != b"x-session-id"), (b"x-session-id", b"new")]

        async def without_name(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [header for header in message["headers"] if header[0] != b"x-session-id"]
            await send(message)

        await self._app(scope, receive, without_name)


def test_a_server_that_forgets_between_http_requests_is_told_without_failing() -> None:
    report = check(StatelessOverHttp(served(EchoEnvironment)))
    found = by_id(report)["http.session"]
    assert (found.status, found.is_required) == (Status.FAIL, False)
    assert "state.episode_id is" in found.outcome.evidence[0]
    assert report.verdict == "pass"


def test_where_a_server_listens_only_informs() -> None:
    with serving(served(EchoEnvironment)) as url:
        binding = by_id(check_server(url, timeout_s=PATIENCE_S))["access.binding"]
    assert not binding.is_required
    assert binding.status is not Status.FAIL
