"""`openenv.server.page`: the page at `/web` and its files, as HTTP gives them; how it works is for `tests/web`."""

import socket
from collections.abc import Iterator
from importlib.resources import files
from typing import Any
from urllib.parse import urljoin

import pytest

from openenv.server import ServerConfig
from openenv.server.page import frame_ancestors, page_routes
from tests.server.peers import ask, http, ws
from tests.server.stage import app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import serving

HIDDEN = ["/web", "/web/", "/", "/web/frame", "/web/sessions", "/web/static/app.js"]


@pytest.fixture(scope="module")
def shown() -> Iterator[str]:
    with serving(app_of(EchoEnvironment, web=True), log_config=None) as url:
        yield url


def fetch(url: str, target: str) -> bytes:
    """Ask for a target as it stands, without a client that would tidy it first."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=8) as raw:
        raw.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target.encode())
        return b"".join(iter(lambda: raw.recv(65536), b""))


def policy_of(answer: Any) -> dict[str, str]:
    """Take a content security policy apart."""
    directives = answer.headers["Content-Security-Policy"].split(";")
    return {name: rest for name, _, rest in (directive.strip().partition(" ") for directive in directives)}


# ---- what is not there, and what must not get out


@pytest.mark.parametrize("path", HIDDEN)
def test_server_without_the_page_has_none_of_it(path: str) -> None:
    with serving(app_of(EchoEnvironment), log_config=None) as url, http(url) as client:
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "../__init__.py",
        "..%2f__init__.py",
        "%2e%2e/__init__.py",
        "vendor/../../__init__.py",
        "vendor/..%2f..%2f..%2fserver%2fapp.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "..\\__init__.py",
        "app.js%00",
        "app.js/",
        "vendor",
        "vendor/",
        "",
        "APP.JS",
        "index.html",
        "frame.html",
    ],
)
def test_nothing_but_the_files_of_the_page_is_served(shown: str, path: str) -> None:
    answer = fetch(shown, f"/web/static/{path}")
    assert answer.split(b" ", 2)[1] == b"404"
    assert b"openenv" not in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("host", ["evil;script-src *", "a b", "x'y", "localhost, evil.example"])
def test_host_that_would_change_the_policy_is_left_out_of_it(host: str) -> None:
    app = app_of(EchoEnvironment, web=True, allowed_hosts=frozenset({host.lower()}))
    with serving(app, log_config=None) as url, http(url) as client:
        answer = client.get("/web", headers={"Host": host})
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert policy_of(answer)["connect-src"] == "'self'"
        assert policy_of(answer)["script-src"] == "'self'"


def test_page_is_no_part_of_the_api(shown: str) -> None:
    with http(shown) as client:
        assert not [path for path in client.get("/openapi.json").json()["paths"] if path in HIDDEN]


# ---- the page and its files


def test_page_is_served_whole_with_a_policy_that_lets_nothing_else_in(shown: str) -> None:
    with http(shown) as client:
        answer = client.get("/web")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")
    assert answer.text.endswith("</html>\n")
    host = shown.removeprefix("http://")
    assert policy_of(answer) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": f"'self' ws://{host} wss://{host}",
        "frame-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'self' https://huggingface.co https://*.hf.space",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "X-Frame-Options" not in answer.headers


def test_frame_runs_our_script_alone_and_belongs_to_no_origin(shown: str) -> None:
    with http(shown) as client:
        answer = client.get("/web/frame")
        source = answer.text.partition('src="')[2].partition('"')[0]
        assert client.get(urljoin("/web/frame", source)).headers["Content-Type"].startswith("text/javascript")
    policy = policy_of(answer)
    assert policy["sandbox"] == "allow-scripts"
    assert (policy["default-src"], policy["script-src"], policy["img-src"]) == ("'none'", "'self'", "data:")
    assert policy["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space"


def test_frames_are_for_those_who_were_named() -> None:
    app = app_of(EchoEnvironment, web=True, frame_ancestors=("https://pal.example",))
    with serving(app, log_config=None) as url, http(url) as client:
        for path in ("/web", "/web/frame"):
            assert policy_of(client.get(path))["frame-ancestors"] == "'self' https://pal.example"
    assert frame_ancestors(()) == "frame-ancestors 'self'"


def test_every_file_is_served_under_its_own_type(shown: str) -> None:
    folder = files("openenv").joinpath("web", "static")
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "json": "application/json"}
    names = [entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.endswith(".html")]
    assert names
    with http(shown) as client:
        for name in names:
            answer = client.get(f"/web/static/{name}")
            assert answer.content == folder.joinpath(name).read_bytes()
            assert answer.headers["Content-Type"] == types.get(name.rpartition(".")[2], "text/plain; charset=utf-8")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/web", "/web/frame", "/web/static/frame.js"])
def test_known_file_is_not_sent_again(shown: str, path: str) -> None:
    with http(shown) as client:
        first = client.get(path)
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "no-cache"
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == tag
            assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
        for unknown in ("", '"other"', tag[:-2], "W/"):
            assert client.get(path, headers={"If-None-Match": unknown}).status_code == 200


# ---- the ways to it


@pytest.mark.parametrize("path", ["/", "/web/"])
@pytest.mark.parametrize("prefix", ["", "/spaces/mine"])
def test_other_ways_lead_to_the_page_whatever_a_proxy_took_off(shown: str, path: str, prefix: str) -> None:
    with http(shown) as client:
        answer = client.get(path)
    assert answer.status_code == 307
    assert urljoin(f"https://proxy.example{prefix}{path}", answer.headers["Location"]) == (
        f"https://proxy.example{prefix}/web"
    )


@pytest.mark.parametrize("path", ["/", "/web/"])
def test_other_ways_keep_to_the_prefix_that_the_server_knows(path: str) -> None:
    app = app_of(EchoEnvironment, web=True)
    with serving(app, log_config=None, root_path="/spaces/mine") as url, http(url) as client:
        assert client.get(path).headers["Location"] == "/spaces/mine/web"
        assert client.get("/web/static/frame.js").status_code == 200


# ---- who may see it


@pytest.mark.parametrize("path", ["/web", "/web/frame", "/web/static/frame.js"])
@pytest.mark.parametrize("prefix", ["", "/env"])
def test_page_is_open_and_what_it_shows_is_not(path: str, prefix: str) -> None:
    app = app_of(EchoEnvironment, web=True, token="boss")
    with serving(app, log_config=None, root_path=prefix) as url, http(url) as client:
        assert client.get(path).status_code == 200
        assert client.get("/", follow_redirects=False).status_code == 307
        for closed in ("/web/sessions", "/schema", "/metadata", "/web/gradio/", "/web/staticx", "/docs"):
            assert client.get(closed).status_code == 401
        assert client.get("/web/sessions", headers={"Authorization": "Bearer boss"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_page_is_not_open_to_other_sites(shown: str, headers: dict[str, str]) -> None:
    with http(shown) as client:
        assert [client.get(path, headers=headers).status_code for path in ("/web", "/web/sessions", "/")] == [403] * 3


@pytest.mark.parametrize(("headers", "status"), [({"Host": "evil.example"}, 403), ({"Origin": "null"}, 200)])
def test_files_are_open_to_the_sandboxed_frame_which_has_no_origin(
    shown: str, headers: dict[str, str], status: int
) -> None:
    with http(shown) as client:
        answer = client.get("/web/static/frame.js", headers=headers)
        assert answer.status_code == status
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert client.post("/web/static/frame.js", headers={"Origin": "null"}).status_code == 405


def test_sessions_are_counted() -> None:
    app = app_of(EchoEnvironment, web=True, max_sessions=2)
    with serving(app, log_config=None) as url, http(url) as client:
        assert client.get("/web").status_code == 200  # who only looks takes no place
        assert client.get("/web/sessions").json() == {"active": 0, "max": 2, "waiting": 0}
        with ws(url) as first, ws(url) as second:
            ask(first, {"type": "reset"}), ask(second, {"type": "reset"})
            with ws(url):
                while (counted := client.get("/web/sessions")).json()["waiting"] == 0:
                    pass  # until the third has come as far as the queue
                assert counted.json() == {"active": 2, "max": 2, "waiting": 1}
                assert counted.headers["Cache-Control"] == "no-store"


def test_routes_are_made_from_the_table_alone() -> None:
    assert {route.path for route in page_routes(app_of(EchoEnvironment).state.openenv).routes} >= {"/web", "/"}  # type: ignore[attr-defined]
    assert ServerConfig().web is False
