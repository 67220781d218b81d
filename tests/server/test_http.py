"""`openenv.server.http`: sessions by header, one by address, and what is refused how."""

import logging
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from openenv.env import EnvironmentMetadata
from openenv.server import create_app
from tests.server.peers import ask, http, step, ws
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged, app_of
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving

ID = "X-Session-Id"
NEW = {ID: "new"}
HI = {"action": {"message": "Hi"}}
ROUTES = [("POST", "/reset"), ("POST", "/step"), ("GET", "/state"), ("DELETE", "/session")]


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The URL of a server that the tests of this file share."""
    with serving(app_of(EchoEnvironment), log_config=None) as url:
        yield url


@pytest.fixture
def caller(echo: str) -> Iterator[httpx.Client]:
    """A client with a session of its own on the shared server."""
    with http(echo) as client:
        client.headers[ID] = client.post("/reset", headers=NEW).headers[ID]
        yield client
        client.delete("/session")


def echoed(answer: httpx.Response) -> str:
    """What the observation of an answer says."""
    assert answer.status_code == 200, answer.text
    said: str = answer.json()["observation"]["echoed_message"]
    return said


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# ---- whose session


def test_reset_step_and_state_share_the_session_that_the_header_names(echo: str) -> None:
    with http(echo) as client:
        begun = client.post("/reset", headers=NEW, json={"episode_id": "e1", "seed": 7})
        mine = {ID: begun.headers[ID]}
        assert begun.json() == {
            "observation": {"metadata": {}, "echoed_message": "ready", "message_length": 0},
            "reward": 0.0,
            "done": False,
            "metadata": None,
        }
        stepped = client.post("/step", headers=mine, json=HI)
        assert (stepped.json()["reward"], stepped.json()["metadata"]) == (0.2, {"step": 1})
        state = client.get("/state", headers=mine)
        assert state.json() == {"episode_id": "e1", "step_count": 1}
        assert {stepped.headers[ID], state.headers[ID]} == {mine[ID]}


def test_new_sessions_are_apart(echo: str) -> None:
    with http(echo) as client:
        ids = [client.post("/reset", headers=NEW).headers[ID] for _ in range(2)]
        client.post("/step", headers={ID: ids[0]}, json=HI)
        counts = [client.get("/state", headers={ID: one}).json()["step_count"] for one in ids]
    assert counts == [1, 0]


def test_without_a_header_an_address_has_one_session_across_connections(stage: Stage) -> None:
    with serving(app_of(partial(InlineStaged, stage)), log_config=None) as url:
        for path in ("/reset", "/step", "/step"):
            with http(url) as client:
                client.post(path, json=HI)
        with http(url) as client:
            assert client.get("/state").json()["step_count"] == 2
    assert stage.count("init") == 1


def test_requests_of_one_session_wait_their_turn(stage: Stage) -> None:
    stage.held = {"step"}
    with serving(app_of(partial(Staged, stage)), log_config=None) as url, http(url) as client, http(url) as other:
        mine = {ID: client.post("/reset", headers=NEW).headers[ID]}
        stepping = threading.Thread(target=client.post, args=("/step",), kwargs={"headers": mine, "json": HI})
        stepping.start()
        stage.expect("step")
        threading.Timer(0.05, stage.release).start()
        assert other.get("/state", headers=mine).json()["step_count"] == 1
        stepping.join(5)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_unknown_session_is_not_found(echo: str, method: str, path: str) -> None:
    with http(echo) as client:
        answer = client.request(method, path, headers={ID: "nobody's"}, json=HI)
    assert refusal(answer) == (404, "SESSION_NOT_FOUND")
    assert "nobody's" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_ended_session_is_gone_and_says_why(caller: httpx.Client, method: str, path: str) -> None:
    ended = caller.delete("/session")
    assert ended.json() == {"session_id": caller.headers[ID], "closed": True}
    answer = caller.request(method, path, json=HI)
    assert refusal(answer) == (410, "SESSION_ENDED")
    assert "it was deleted" in answer.json()["detail"]


def test_anonymous_session_that_ended_begins_anew_with_reset_only(stage: Stage) -> None:
    with serving(app_of(partial(InlineStaged, stage)), log_config=None) as url, http(url) as client:
        assert client.delete("/session").json() == {"session_id": None, "closed": True}
        client.post("/reset")
        assert client.delete("/session").json()["closed"] is True
        assert refusal(client.post("/step", json=HI)) == (410, "SESSION_ENDED")
        assert echoed(client.post("/reset")) == "ready"
        assert echoed(client.post("/step", json=HI)) == "Hi"


def test_idle_session_expires_and_says_why(stage: Stage) -> None:
    with serving(app_of(partial(InlineStaged, stage), idle_s=0.05), log_config=None) as url, http(url) as client:
        mine = {ID: client.post("/reset", headers=NEW).headers[ID]}
        stage.expect("close")
        answer = client.post("/step", headers=mine, json=HI)
    assert refusal(answer) == (410, "SESSION_ENDED")
    assert "it was idle for 0.05 s" in answer.json()["detail"]


# ---- room


def test_no_call_builds_an_environment_outside_the_limit(stage: Stage) -> None:
    app = app_of(partial(Staged, stage), max_sessions=2, queue_s=0.0)
    with serving(app, log_config=None) as url, http(url) as client:
        for _ in range(2):
            client.post("/reset", headers=NEW)
        for method, path in ROUTES[:3]:
            for headers in ({}, NEW):
                answer = client.request(method, path, headers=headers, json=HI)
                assert refusal(answer) == (503, "CAPACITY_REACHED")
                assert answer.headers["Retry-After"] == "5"
                assert answer.json()["max_sessions"] == 2
        for path in ("/metadata", "/schema", "/health", "/openapi.json", "/docs"):
            assert client.get(path).status_code == 200
    assert stage.count("init") == 2


def test_anonymous_session_gives_way_to_one_with_a_connection(stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1)
    with serving(app, log_config=None) as url, http(url) as client:
        client.post("/reset")
        with ws(url) as peer:
            assert ask(peer, step("Hi"))["data"]["reward"] == 0.2
            answer = client.post("/step", json=HI)
    assert refusal(answer) == (410, "SESSION_ENDED")
    assert "its place was needed" in answer.json()["detail"]


def test_anonymous_session_gives_way_as_soon_as_its_step_is_over(stage: Stage) -> None:
    stage.held = {"step"}
    app = app_of(partial(Staged, stage), max_sessions=1)
    with serving(app, log_config=None) as url, http(url) as client:
        stepping = threading.Thread(target=client.post, args=("/step",), kwargs={"json": HI})
        stepping.start()
        stage.expect("step")
        with ws(url) as peer:
            peer.ping().wait(5)
            stage.release()
            assert ask(peer, {"type": "reset"})["type"] == "observation"
        stepping.join(5)


def test_caller_that_goes_away_while_it_waits_gets_no_session(stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), max_sessions=1)
    with serving(app, log_config=None) as url, ws(url) as holder, http(url) as patient:
        ask(holder, {"type": "reset"})
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as impatient:
            impatient.sendall(b"POST /reset HTTP/1.1\r\nHost: localhost\r\nX-Session-Id: new\r\n\r\n")
        threading.Timer(0.1, holder.close).start()
        assert echoed(patient.post("/reset", headers=NEW)) == "ready"
    assert stage.count("init") == 2


# ---- bodies


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "INVALID_JSON"),
        (b"\x00\xff", 400, "INVALID_JSON"),
        (b"[1, 2]", 422, "VALIDATION_ERROR"),
        (b"null", 422, "VALIDATION_ERROR"),
    ],
)
@pytest.mark.parametrize("path", ["/reset", "/step"])
def test_body_that_is_no_object_is_refused(
    caller: httpx.Client, path: str, content: bytes, status: int, code: str
) -> None:
    answer = caller.post(path, content=content, headers={"Content-Type": "application/json"})
    assert refusal(answer) == (status, code)
    assert echoed(caller.post("/step", json=HI)) == "Hi"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_body_that_does_not_say_it_is_json_is_refused(caller: httpx.Client, kind: str) -> None:
    answer = caller.post("/step", content=b'{"action": {"message": "Hi"}}', headers={"Content-Type": kind})
    assert refusal(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert caller.get("/state").json()["step_count"] == 0


@pytest.mark.parametrize("chunked", [False, True])
def test_body_above_the_limit_is_refused(chunked: bool) -> None:
    body = b'{"action": {"message": "%s"}}' % (b"x" * 2000)
    with serving(app_of(EchoEnvironment, max_body_bytes=1000), log_config=None) as url, http(url) as client:
        content: Any = iter([body[:900], body[900:]]) if chunked else body
        answer = client.post("/step", content=content, headers={"Content-Type": "application/json"})
        assert refusal(answer) == (413, "TOO_LARGE")
        assert echoed(client.post("/step", json=HI)) == "Hi"


@pytest.mark.parametrize(
    ("path", "body", "loc"),
    [
        ("/step", {}, ["body", "action"]),
        ("/step", {"action": 5}, ["body", "action"]),
        ("/step", {"action": {}}, ["body", "action", "message"]),
        ("/step", {"action": {"message": 5}}, ["body", "action", "message"]),
        ("/step", {"action": {"message": "x", "volume": 11}}, ["body", "action", "volume"]),
        ("/step", {**HI, "timeout_s": 0}, ["body", "timeout_s"]),
        ("/step", {**HI, "request_id": "x" * 256}, ["body", "request_id"]),
        ("/reset", {"seed": -1}, ["body", "seed"]),
        ("/reset", {"seed": "seven"}, ["body", "seed"]),
        ("/reset", {"episode_id": "x" * 256}, ["body", "episode_id"]),
        ("/reset", {"timeout_s": "soon"}, ["body", "timeout_s"]),
    ],
)
def test_field_that_does_not_fit_is_named(caller: httpx.Client, path: str, body: Any, loc: list[str]) -> None:
    answer = caller.post(path, json=body)
    assert refusal(answer) == (422, "VALIDATION_ERROR")
    (error,) = answer.json()["detail"]
    assert error["loc"] == loc
    assert set(error) == {"type", "loc", "msg"}
    assert echoed(caller.post("/step", json=HI)) == "Hi"


def test_further_keys_reach_the_methods_that_take_them() -> None:
    class Optional(EchoEnvironment):
        def reset(self, seed: int | None = None, level: int = 0) -> EchoObservation:  # type: ignore[override]
            return EchoObservation(echoed_message=f"{seed} {level}")

        def step(self, action: EchoAction, timeout_s: float = 0, hint: str = "") -> EchoObservation:  # type: ignore[override]
            return EchoObservation(echoed_message=f"{hint} {timeout_s}")

    with serving(app_of(Optional), log_config=None) as url, http(url) as client:
        assert echoed(client.post("/reset", json={"seed": 7, "level": 3, "timeout_s": 9, "unheard_of": 1})) == "7 3"
        body = {**HI, "timeout_s": 2.5, "hint": "left", "request_id": "r", "unheard_of": 1}
        assert echoed(client.post("/step", json=body)) == "left 2.5"


def test_reset_needs_no_body(caller: httpx.Client) -> None:
    assert echoed(caller.post("/reset")) == "ready"


@pytest.mark.parametrize(("sent", "back"), [("r-1", "r-1"), ("é\r\nSet-Cookie: x", "???Set-Cookie: x")])
def test_request_id_comes_back_and_cannot_forge_a_header(caller: httpx.Client, sent: str, back: str) -> None:
    answer = caller.post("/step", json={**HI, "request_id": sent})
    assert answer.headers["X-Request-Id"] == back
    assert "Set-Cookie" not in answer.headers


# ---- environments


@pytest.mark.parametrize(
    ("message", "code", "detail"),
    [
        ("raise", "EXECUTION_ERROR", {"detail": "'asked to'", "exception": "KeyError"}),
        ("exit", "EXECUTION_ERROR", {"exception": "SystemExit"}),
        ("nan", "OBSERVATION_ERROR", {"field": "reward"}),
        ("huge", "OBSERVATION_ERROR", {"field": "reward"}),
        ("unencodable", "OBSERVATION_ERROR", {"field": "drawing"}),
    ],
)
def test_environment_that_fails_is_named_and_the_session_goes_on(
    stage: Stage, message: str, code: str, detail: dict[str, str]
) -> None:
    with serving(app_of(partial(Staged, stage)), log_config=None) as url, http(url) as client:
        answer = client.post("/step", json={"action": {"message": message}})
        assert refusal(answer) == (500, code)
        assert detail.items() <= answer.json().items()
        assert echoed(client.post("/step", json=HI)) == "Hi"


def test_message_that_is_no_unicode_crosses_all_the_same(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "openenv")  # pytest-xdist cannot carry such a log
    with serving(app_of(partial(Staged, stage)), log_config=None) as url, http(url) as client:
        answer = client.post("/step", json={"action": {"message": "raise surrogate"}})
    assert (answer.status_code, answer.json()["detail"]) == (500, "no such file: \udcff")


def test_factory_that_raises_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise OSError("no display")

    with serving(app_of(broken), log_config=None) as url, http(url) as client:
        answer = client.post("/reset")
    assert refusal(answer) == (500, "FACTORY_ERROR")
    assert (answer.json()["factory_name"], answer.json()["cause"]) == ("broken", "no display")
    assert "no display" in caplog.text


@pytest.mark.parametrize("flavour", [Staged, AsyncStaged])
def test_call_past_its_limit_is_a_timeout_and_ends_the_session(stage: Stage, flavour: type[Staged]) -> None:
    stage.held = {"step"}
    app = app_of(partial(flavour, stage), max_sessions=1)
    with serving(app, log_config=None) as url, http(url) as client:
        mine = {ID: client.post("/reset", headers=NEW).headers[ID]}
        late = client.post("/step", headers=mine, json={**HI, "timeout_s": 0.02})
        assert refusal(late) == (504, "TIMED_OUT")
        after = client.post("/step", headers=mine, json=HI)
        assert refusal(after) == (410, "SESSION_ENDED")
        assert "0.02 s" in after.json()["detail"]
        assert stage.count("close") == 0 or flavour is AsyncStaged
        stage.release()
        assert echoed(client.post("/reset", headers=NEW)) == "ready"


def test_reward_is_a_float_over_http_and_itself_over_the_socket() -> None:
    class Binary(EchoEnvironment):
        def step(self, action: EchoAction) -> EchoObservation:  # type: ignore[override]
            return EchoObservation(reward=None if action.message == "none" else True, truncated=True)

    with serving(app_of(Binary), log_config=None) as url, http(url) as client, ws(url) as peer:
        answer = client.post("/step", json=HI)
        assert '"reward":1.0' in answer.text
        assert answer.json()["truncated"] is True
        assert client.post("/step", json={"action": {"message": "none"}}).json()["reward"] is None
        assert ask(peer, step("x"))["data"]["reward"] is True


@pytest.mark.parametrize("held", ["init", "step", "state", "close"])
def test_health_is_prompt_while_an_environment_blocks(stage: Stage, held: str) -> None:
    stage.held = {held}
    with serving(app_of(partial(Staged, stage)), log_config=None) as url, http(url) as client, ws(url) as peer:
        peer.send('{"type":"step","data":{"message":"x"}}')
        peer.send('{"type":"state"}')
        peer.send('{"type":"close"}')
        stage.expect(held)
        assert client.get("/health", timeout=2).json() == {"status": "healthy"}
        stage.release()


# ---- what the server says about itself


def test_metadata_has_the_keys_of_openenv(echo: str) -> None:
    with http(echo) as client:
        assert client.get("/metadata").json() == {
            "name": "EchoEnvironment",
            "description": "Echoes messages; runs inline.",
            "readme_content": None,
            "version": "1.0.0",
            "author": None,
            "documentation_url": None,
        }


def test_environment_that_describes_itself_is_asked_once_and_within_the_limit(stage: Stage) -> None:
    class Describing(Staged):
        def get_metadata(self) -> EnvironmentMetadata:
            self.stage.enter("get_metadata")
            return EnvironmentMetadata(name="Hand-made", author="me")

    app = create_app(partial(Describing, stage), EchoAction, EchoObservation, "served-name", max_concurrent_envs=1)
    with serving(app, log_config=None) as url, http(url) as client:
        answers = [client.get("/metadata").json() for _ in range(3)]
        assert [(answer["name"], answer["author"]) for answer in answers] == [("served-name", "me")] * 3
        client.post("/reset", headers=NEW)
    assert (stage.count("get_metadata"), stage.count("init")) == (1, 2)


# ---- scopes


def test_agents_token_may_step_only(stage: Stage) -> None:
    app = app_of(partial(InlineStaged, stage), token="boss", agent_token="hand")
    with serving(app, log_config=None) as url, http(url) as agent, http(url) as boss:
        boss.headers["Authorization"] = "Bearer boss"
        agent.headers["Authorization"] = "Bearer hand"
        agent.headers[ID] = boss.headers[ID] = boss.post("/reset", headers=NEW).headers[ID]
        for method, path in (("POST", "/reset"), ("GET", "/state"), ("DELETE", "/session")):
            assert refusal(agent.request(method, path)) == (403, "FORBIDDEN")
        assert echoed(agent.post("/step", json=HI)) == "Hi"
        assert boss.get("/state").json()["step_count"] == 1
    assert stage.count("reset") == 1
