"""`tests.support.browser`: a visitor notices what goes wrong, and leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import running_browser, visiting
from tests.support.leftovers import Holdings, leftovers
from tests.support.serving import serving

_POLICY = "default-src 'self'; connect-src *"
_PATIENCE_S = 5


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving(_site) as url:
        yield url


async def _site(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every path with the same page."""
    while scope["type"] == "lifespan":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
    headers = [(b"content-type", b"text/html"), (b"content-security-policy", _POLICY.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<!doctype html><title>site</title><p>Hello"})


@pytest.mark.slow
def test_page_without_faults_is_not_complained_of(browser: Browser, site: str) -> None:
    with visiting(browser) as visitor:
        page = visitor.open(site)
        assert page.inner_text("p") == "Hello"
        assert page.evaluate("fetch('/other').then((answer) => answer.status)") == 200
    assert visitor.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('broken')", "console: broken"),
        ("setTimeout(() => { throw Error('lost') })", "uncaught: lost"),
        ("document.body.appendChild(document.createElement('style')).textContent = 'p {}'", "security policy: style-"),
        ("fetch('http://127.0.0.1:9/').catch(() => 0)", "request to another origin: http://127.0.0.1:9/"),
        ("void new WebSocket('ws://127.0.0.1:9/').url", "request to another origin: ws://127.0.0.1:9/"),
        ("fetch('http://example.com/').catch(() => 0)", "request to another origin: http://example.com/"),
    ],
)
def test_what_goes_wrong_fails_the_test_unless_it_is_meant_to(
    browser: Browser, site: str, script: str, complaint: str
) -> None:
    with visiting(browser) as visitor:
        page = visitor.open(site)
        with page.expect_event("console", lambda message: message.text == "waited"):
            page.evaluate(f"() => {{ {script}; setTimeout(() => console.log('waited'), 50); }}")
        assert any(complaint in said for said in visitor.complaints), visitor.complaints
        with pytest.raises(AssertionError, match="the browser complained"):
            visitor.judge()
        visitor.tolerate("")


@pytest.mark.slow
def test_request_that_the_policy_stops_was_none(browser: Browser, site: str) -> None:
    with visiting(browser) as visitor:
        visitor.tolerate("security policy|Content Security Policy")
        page = visitor.open(site)
        page.evaluate("""() => new Promise((done) => {
            const image = new Image();
            image.onerror = done;
            image.src = "http://127.0.0.1:9/picture.png";
        })""")
        page.evaluate("new Promise((done) => setTimeout(done, 50))")
        assert any("img-src" in said for said in visitor.complaints)
        assert visitor.requested == [f"{site}/"]


@pytest.mark.slow
def test_connections_of_a_visitor_end_with_the_visit(browser: Browser, site: str) -> None:
    """Spare connections too: Chromium opens one ahead where it expects a second request, and the server keeps it."""
    before = Holdings.now()
    with visiting(browser) as visitor:
        page = visitor.open(site)
        page.evaluate(f"""async () => {{
            const link = document.createElement("link");
            Object.assign(link, {{rel: "preconnect", href: {site!r}}});
            document.head.append(link);
            await Promise.all([..."abcdef"].map((path) => fetch(`/${{path}}`)));
        }}""")
        assert any("socket" in held for held in Holdings.now().describe_since(before))
    assert leftovers(before, _PATIENCE_S) == []


@pytest.mark.slow
def test_picture_saved_to_a_file_leaves_no_thread(browser: Browser, site: str, tmp_path: Path) -> None:
    before = Holdings.now()
    with visiting(browser) as visitor:
        visitor.open(site).screenshot(path=tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 0
    assert leftovers(before, _PATIENCE_S) == []
