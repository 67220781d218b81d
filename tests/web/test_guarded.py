"""Who gets to see the page and what it may do: tokens, prefixes, frames, its security policy, and the switch."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from openenv.server import ServerConfig, create_app
from tests.server.peers import http
from tests.support.browser import Visitor, visiting
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving
from tests.web.play import Play, hosting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_TOKEN = "s3cret token/+=~".replace(" ", "-")


@contextmanager
def _behind_a_prefix(prefix: str, app: Any, *, tells: bool) -> Iterator[str]:
    """Serve an app as behind a proxy that puts a prefix before it, and give the URL with the prefix.

    Either the prefix is stripped and nothing said of it, or it is told as ASGI servers do, in `root_path`.
    """

    async def proxy(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        assert scope["path"].startswith(f"{prefix}/"), f"{scope['path']} is not behind the prefix"
        path = scope["path"].removeprefix(prefix)
        stripped = {"path": path, "raw_path": path.encode()}
        await app({**scope, **({"root_path": prefix} if tells else stripped)}, receive, send)

    with serving(proxy) as url:
        yield f"{url}{prefix}"


@contextmanager
def _framed(url: str) -> Iterator[str]:
    """Serve a page of another origin with the page at `url` in a frame."""

    async def outer(request: Request) -> HTMLResponse:
        return HTMLResponse(f'<!doctype html><link rel="icon" href="data:,"><iframe src="{url}" width=1200 height=700>')

    with serving(Starlette(routes=[Route("/", outer)])) as outside:
        yield outside


def test_page_has_a_policy_that_allows_nothing_from_elsewhere() -> None:
    with hosting(EchoEnvironment) as url, http(url) as client:
        policy = client.get("/web").headers["Content-Security-Policy"]
    rules = {name: rest for name, _, rest in (rule.strip().partition(" ") for rule in policy.split(";"))}
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["frame-ancestors"].split() == ["'self'", "https://huggingface.co", "https://*.hf.space"]


def test_page_does_not_break_its_own_policy(visitor: Visitor) -> None:
    """Every visitor of every test complains of a violation; this one makes sure that a violation would be seen."""
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        visitor.judge()
        play.page.evaluate(
            "document.body.appendChild(document.createElement('script')).textContent = 'window.owned = 1'"
        )
        assert play.page.evaluate("window.owned") is None
        assert any("script-src" in said for said in visitor.complaints)
        visitor.tolerate("script-src|inline script")


def test_token_is_asked_for_once_and_kept(visitor: Visitor) -> None:
    visitor.tolerate("401")
    with hosting(EchoEnvironment, token=_TOKEN) as url:
        page = visitor.open(f"{url}/web")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        Play(page).tell_token(_TOKEN)
        play = Play(page)
        play.begin()
        play.say("Hello")
        page.reload()
        expect(play.button("Reset to begin")).to_be_enabled()
        expect(dialog).to_be_hidden()
        play.begin()
        assert _TOKEN not in page.url


def test_wrong_token_is_said_and_asked_for_again(visitor: Visitor) -> None:
    visitor.tolerate("401")
    with hosting(EchoEnvironment, token=_TOKEN) as url:
        page = visitor.open(f"{url}/web")
        Play(page).tell_token("not-this-one")
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("refused")
        Play(page).tell_token(_TOKEN)
        Play(page).begin()


def test_token_can_be_forgotten(visitor: Visitor) -> None:
    visitor.tolerate("401")
    with hosting(EchoEnvironment, token=_TOKEN) as url:
        page = visitor.open(f"{url}/web")
        Play(page).tell_token(_TOKEN)
        play = Play(page)
        expect(play.button("Reset to begin")).to_be_enabled()
        play.tab("Connect").get_by_role("button", name=re.compile("forget", re.IGNORECASE)).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert _TOKEN not in page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("tells", [False, True], ids=["the proxy says nothing", "root_path says it"])
def test_page_works_behind_a_path_prefix(visitor: Visitor, tells: bool) -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(web=True))
    with _behind_a_prefix("/spaces/mine", app, tells=tells) as prefixed:
        visitor.welcome(prefixed)
        page = visitor.context.new_page()
        page.goto(f"{prefixed}/")
        assert page.url == f"{prefixed}/web"
        play = Play(page)
        play.begin()
        play.say("Hello")
        expect(play.tab("Connect")).to_contain_text(prefixed)
        wrong = [each for each in visitor.requested if "/spaces/mine/" not in each and not each.startswith("data:")]
        assert wrong == []


def test_tokens_of_two_servers_on_one_origin_are_kept_apart(visitor: Visitor) -> None:
    visitor.tolerate("401")
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(web=True, token=_TOKEN))
    other = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(web=True, token="another"))

    async def both(scope: Any, receive: Any, send: Any) -> None:
        chosen = other if scope["type"] != "lifespan" and scope["path"].startswith("/two/") else app
        prefix = "" if scope["type"] == "lifespan" else scope["path"][:4]
        path = scope.get("path", "").removeprefix(prefix)
        await chosen({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    with serving(both) as url:
        for prefix, token in (("/one", _TOKEN), ("/two", "another")):
            page = visitor.open(f"{url}{prefix}/web")
            Play(page).tell_token(token)
            expect(Play(page).button("Reset to begin")).to_be_enabled()
        page = visitor.open(f"{url}/one/web")
        expect(Play(page).button("Reset to begin")).to_be_enabled()


def test_strangers_page_cannot_show_ours_in_a_frame(visitor: Visitor) -> None:
    visitor.tolerate("frame-ancestors")
    with hosting(EchoEnvironment) as url, _framed(f"{url}/web") as outside:
        visitor.welcome(url)
        visitor.open(outside)
        assert any("frame-ancestors" in said for said in visitor.complaints)


def test_allowed_page_shows_ours_in_a_frame_and_it_can_be_played_there(visitor: Visitor) -> None:
    allowed = ("http://127.0.0.1:*",)
    with hosting(EchoEnvironment, frame_ancestors=allowed) as url, _framed(f"{url}/web") as outside:
        visitor.welcome(url)
        frame = visitor.open(outside).frame_locator("iframe")
        frame.get_by_role("button", name="Reset to begin").click()
        frame.get_by_label(re.compile("^message")).fill("Hello")
        frame.get_by_role("button", name="Step", exact=True).click()
        expect(frame.locator("#figure-steps")).to_have_text("1")


def test_switched_off_there_is_no_page(browser: Browser) -> None:
    with hosting(EchoEnvironment, web=False) as url, http(url) as client, visiting(browser) as visitor:
        assert [client.get(path).status_code for path in ("/web", "/web/static/app.js", "/")] == [404] * 3
        visitor.tolerate("404")
        expect(visitor.open(f"{url}/web").locator("body")).to_contain_text("Not Found")


def test_page_says_why_it_cannot_show_the_environment(visitor: Visitor) -> None:
    def broken() -> Any:
        raise OSError("no model")

    visitor.tolerate("status of 5")
    with hosting(broken) as url:
        page = visitor.open(f"{url}/web")
        expect(page.get_by_role("alert").filter(has_text="broken")).to_be_visible()
