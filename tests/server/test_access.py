"""`openenv.server.access`: who may call, and how the rest is told."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.datastructures import Headers
from websockets.exceptions import InvalidStatus

from openenv.errors import BadRequest, Refused
from openenv.server import ServerConfig
from openenv.server.access import Scope, check, gradio_pass, handshake_subprotocol, host_name, scope_of
from tests.server.peers import ask, http, ws
from tests.server.stage import app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import serving

LOOPBACK, ELSEWHERE = "127.0.0.1", "10.1.2.3"
EVIL = "http://evil.example"
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "b3BlbmVudm9wZW5lbnZvcA==",
}


def checked(server: str = LOOPBACK, method: str = "GET", path: str = "/ws", **given: Any) -> Scope:
    """Check one request; what is not a header is a setting of the server."""
    settings = {name: given.pop(name) for name in list(given) if hasattr(ServerConfig, name)}
    headers = {"host": "localhost:8000"} | {name.replace("_", "-"): value for name, value in given.items()}
    kind = "websocket" if path == "/ws" else "http"
    scope = {"type": kind, "server": (server, 8000), "method": method, "path": path}
    return check(scope, Headers(headers), ServerConfig(**settings))


def refused(**request: Any) -> str:
    with pytest.raises(Refused) as raised:
        checked(**request)
    return raised.value.code


# ---- Host: a name that leads to this machine may be anybody's (DNS rebinding)


@pytest.mark.parametrize("server", [LOOPBACK, "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "10.1.2.3", "", "[::1"]
)
def test_loopback_address_serves_no_foreign_host(server: str, host: str) -> None:
    assert refused(server=server, host=host) == "FORBIDDEN"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "env.localhost", "127.0.0.1:80", "127.1.1.1", "[::1]:8000"]
)
def test_loopback_address_serves_loopback_hosts(host: str) -> None:
    assert checked(host=host) is Scope.ORCHESTRATOR


@pytest.mark.parametrize("allowed", ["env.example", "env.example:8000"])
def test_host_can_be_allowed_with_its_port_or_for_every_port(allowed: str) -> None:
    assert checked(host="Env.Example:8000", allowed_hosts=frozenset({allowed})) is Scope.ORCHESTRATOR
    assert refused(host="other.example:8000", allowed_hosts=frozenset({allowed})) == "FORBIDDEN"


@pytest.mark.parametrize("server", [ELSEWHERE, "::ffff:10.1.2.3", "fd00::1"])
def test_other_addresses_serve_any_host_but_no_foreign_origin(server: str) -> None:
    assert checked(server=server, host="space.example") is Scope.ORCHESTRATOR
    assert checked(server=server, host="space.example", origin="https://space.example") is Scope.ORCHESTRATOR
    assert refused(server=server, host="space.example", origin=EVIL) == "FORBIDDEN"


def test_host_name_is_the_host_without_its_port() -> None:
    names = {"localhost:8000": "localhost", "[::1]:8000": "::1", "[::1]": "::1", "Env:1": "env", "": "", "[": ""}
    assert {host: host_name(host) for host in names} == names


# ---- Origin: whose page it is


@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:9999", "http://localhost.evil.example", "http://["])
def test_foreign_origin_is_refused(origin: str) -> None:
    assert refused(origin=origin) == "FORBIDDEN"


def test_own_origin_and_allowed_ones_may_call() -> None:
    assert checked(origin="http://LOCALHOST:8000") is Scope.ORCHESTRATOR
    assert checked(origin="HTTP://Pal.example", allowed_origins=frozenset({"http://pal.example"})) is Scope.ORCHESTRATOR
    assert checked(origin="null", allowed_origins=frozenset({"*"})) is Scope.ORCHESTRATOR


# ---- content type: a plain form cannot say JSON


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/problem+json"])
def test_json_bodies_are_taken(kind: str) -> None:
    assert checked(method="POST", path="/step", content_length="2", content_type=kind) is Scope.ORCHESTRATOR


@pytest.mark.parametrize("length", [{"content_length": "2"}, {"transfer_encoding": "chunked"}])
@pytest.mark.parametrize("kind", [{}, {"content_type": "text/plain"}, {"content_type": "x-www-form-urlencoded"}])
def test_other_bodies_are_refused(length: dict[str, str], kind: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="application/json") as raised:
        checked(method="POST", path="/step", **length, **kind)
    assert raised.value.code == "UNSUPPORTED_MEDIA_TYPE"


def test_no_body_needs_no_content_type() -> None:
    for length in ({}, {"content_length": "0"}):
        assert checked(method="POST", path="/reset", **length) is Scope.ORCHESTRATOR


def test_json_rpc_route_takes_any_content_type_from_what_is_no_page() -> None:
    rpc = {"method": "POST", "path": "/mcp", "content_length": "2", "content_type": "text/plain"}
    assert checked(**rpc) is Scope.ORCHESTRATOR
    with pytest.raises(BadRequest):
        checked(**rpc, origin="http://localhost:8000")


# ---- tokens


def test_without_tokens_everybody_is_the_orchestrator() -> None:
    assert checked(authorization="Bearer whatever") is Scope.ORCHESTRATOR
    assert scope_of({}) is Scope.ORCHESTRATOR


@pytest.mark.parametrize(
    ("authorization", "scope"),
    [
        ("Bearer boss", Scope.ORCHESTRATOR),
        ("bearer  boss ", Scope.ORCHESTRATOR),
        ("Bearer hand", Scope.AGENT),
    ],
)
def test_token_decides_the_scope(authorization: str, scope: Scope) -> None:
    assert checked(authorization=authorization, token="boss", agent_token="hand") is scope


@pytest.mark.parametrize(
    "configured", [{"token": "boss"}, {"agent_token": "hand"}, {"token": "boss", "agent_token": "hand"}]
)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "is missing"),
        ({"authorization": "Bearer"}, "is missing"),
        ({"authorization": "Basic boss"}, "is missing"),
        ({"authorization": "Bearer bos"}, "is wrong"),
        ({"authorization": "Bearer bosss"}, "is wrong"),
    ],
)
def test_missing_or_wrong_token_is_refused(configured: dict[str, str], given: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said) as raised:
        checked(**configured, **given)
    assert raised.value.code == "UNAUTHORIZED"
    assert "boss" not in str(raised.value)


def test_token_is_compared_by_its_bytes() -> None:
    as_it_arrives = "schlüssel".encode().decode("latin-1")
    assert checked(authorization=f"Bearer {as_it_arrives}", token="schlüssel") is Scope.ORCHESTRATOR


class _Jealous(bytes):
    """Bytes that may be compared in constant time only."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared with ==, which takes longer the more of a guess is right")

    __hash__ = bytes.__hash__


class _Secret(str):
    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared with ==, which takes longer the more of a guess is right")

    __hash__ = str.__hash__

    def encode(self, *arguments: Any, **options: Any) -> bytes:
        return _Jealous(super().encode(*arguments, **options))


def test_token_is_compared_in_constant_time() -> None:
    assert checked(authorization="Bearer boss", token=_Secret("boss")) is Scope.ORCHESTRATOR


# ---- the token of a page, which cannot give its WebSocket a header


def subprotocol(token: str | bytes) -> str:
    raw = token if isinstance(token, bytes) else token.encode()
    return "openenv.bearer." + base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        ("openenv.v1", "is missing"),
        ("openenv.bearer.", "is missing"),
        ("openenv.bearer", "is missing"),
        (f"openenv.v1, {subprotocol('bos')}", "is wrong"),
        (f"openenv.v1, {subprotocol('bosss')}", "is wrong"),
        ("openenv.v1, openenv.bearer.boss", "is wrong"),  # not encoded
        ("openenv.bearer.!!!!", "is wrong"),
        ("openenv.bearer.A", "is wrong"),
        ("openenv.bearer.\xe9", "is wrong"),
        (f"{subprotocol('nope')}, {subprotocol('boss')}", "is wrong"),  # one guess a handshake
        (subprotocol(b"\xff\xfe"), "is wrong"),
    ],
)
def test_wrong_token_in_a_subprotocol_is_refused_and_not_repeated(offered: str, said: str) -> None:
    with pytest.raises(Refused, match=said) as raised:
        checked(sec_websocket_protocol=offered, token="boss")
    assert raised.value.code == "UNAUTHORIZED"
    assert "openenv.bearer" not in str(raised.value)


@pytest.mark.parametrize("token", ["boss", "schl\u00fcssel", "a", "ab", "??>>~~", "x" * 500])
def test_right_token_in_a_subprotocol_opens(token: str) -> None:
    for offered in (f"openenv.v1, {subprotocol(token)}", f"{subprotocol(token)},openenv.v1", subprotocol(token)):
        assert checked(sec_websocket_protocol=offered, token=token) is Scope.ORCHESTRATOR
        assert checked(sec_websocket_protocol=offered, agent_token=token) is Scope.AGENT


def test_header_goes_before_the_subprotocol() -> None:
    assert refused(authorization="Bearer nope", sec_websocket_protocol=subprotocol("boss"), token="boss") == (
        "UNAUTHORIZED"
    )


def test_subprotocol_is_for_handshakes_alone() -> None:
    assert refused(path="/schema", sec_websocket_protocol=subprotocol("boss"), token="boss") == "UNAUTHORIZED"


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        ([], None),
        (["openenv.bearer.Ym9zcw"], None),
        (["chat", "openenv.V1"], None),
        (["openenv.bearer.Ym9zcw", "openenv.v1"], "openenv.v1"),
    ],
)
def test_subprotocol_that_is_selected_is_one_we_speak_and_never_the_token(
    offered: list[str], selected: str | None
) -> None:
    assert handshake_subprotocol(offered) == selected


def test_page_opens_its_socket_with_its_token(locked: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="openenv")
    offered: list[Any] = ["openenv.v1", subprotocol("boss")]
    with ws(locked, subprotocols=offered) as peer:
        assert peer.subprotocol == "openenv.v1"
        assert ask(peer, {"type": "reset"})["type"] == "observation"
    offered[1] = subprotocol("nope")
    with pytest.raises(InvalidStatus) as raised, ws(locked, subprotocols=offered):
        pass
    assert raised.value.response.status_code == 401
    assert not {"boss", subprotocol("boss"), subprotocol("nope")} & set(caplog.text.split())


# ---- an environment's own UI, in a frame that can say no token


def passed(token: str = "boss") -> str:
    given = gradio_pass({}, token)
    assert given is not None
    return given


def test_pass_is_not_the_token_and_goes_to_those_who_said_it() -> None:
    assert "boss" not in passed()
    assert passed() != passed("bosss")
    assert gradio_pass({}, None) is None
    assert gradio_pass({"openenv.scope": Scope.AGENT}, "boss") is None


@pytest.mark.parametrize("path", ["/web/gradio/", "/web/gradio/gradio_api/info"])
def test_pass_opens_the_ui(path: str) -> None:
    assert checked(path=path, cookie=f"a=b; {passed()}", token="boss") is Scope.ORCHESTRATOR


@pytest.mark.parametrize(
    ("path", "cookie"),
    [
        ("/web/gradio/", ""),
        ("/web/gradio/", "openenv_gradio="),
        ("/web/gradio/", "openenv_gradio=boss"),
        ("/web/gradio/", "openenv_gradio=\xe9"),
        ("/web/gradio/", passed("bosss")),
        ("/schema", passed()),
        ("/web/gradiox", passed()),
        ("/ws", passed()),
    ],
)
def test_pass_opens_nothing_else(path: str, cookie: str) -> None:
    assert refused(path=path, cookie=cookie, token="boss") == "UNAUTHORIZED"


def test_files_may_be_sent_to_the_ui_by_our_pages() -> None:
    upload = {"method": "POST", "content_length": "9", "content_type": "multipart/form-data; boundary=x"}
    own = {"origin": "http://localhost:8000"}
    assert checked(path="/web/gradio/gradio_api/upload", **upload, **own) is Scope.ORCHESTRATOR
    for elsewhere in ({"path": "/web/gradio/gradio_api/upload"}, {"path": "/step", **own}):
        with pytest.raises(BadRequest):
            checked(**upload, **elsewhere)
    assert refused(path="/web/gradio/gradio_api/upload", origin=EVIL, **upload) == "FORBIDDEN"


# ---- how a refusal reaches the caller


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    with serving(app_of(EchoEnvironment, token="boss"), log_config=None) as url:
        yield url


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 403, "FORBIDDEN"),
        ({"Origin": EVIL, "Authorization": "Bearer boss"}, 403, "FORBIDDEN"),
        ({}, 401, "UNAUTHORIZED"),
        ({"Authorization": "Bearer nope"}, 401, "UNAUTHORIZED"),
    ],
)
@pytest.mark.parametrize("path", ["/ws", "/reset", "/schema", "/docs"])
def test_refusal_is_json_with_the_reason(
    locked: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    with http(locked, headers=HANDSHAKE if path == "/ws" else {}) as client:
        answer = client.request("POST" if path == "/reset" else "GET", path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


def test_right_token_opens_both_doors(locked: str) -> None:
    headers = {"Authorization": "Bearer boss"}
    with ws(locked, additional_headers=headers) as peer:
        assert ask(peer, {"type": "reset"})["type"] == "observation"
    with http(locked, headers=headers) as client:
        assert client.post("/reset").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Host": "evil.example"}, {"Origin": EVIL}])
def test_health_is_exempt(locked: str, headers: dict[str, str]) -> None:
    with http(locked, headers=headers) as client:
        assert client.get("/health").status_code == 200


def test_health_is_exempt_under_a_prefix_too() -> None:
    app = app_of(EchoEnvironment, token="boss")
    with serving(app, log_config=None, root_path="/env") as url, http(url) as client:
        assert client.get("/health").status_code == 200
        assert client.post("/reset").status_code == 401
