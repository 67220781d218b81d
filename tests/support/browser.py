"""A real browser without a window: the Chromium or Chrome of this machine, driven by Playwright.

One browser serves a module, and is started before any of its tests; a `Visitor` is one test's own profile in it. When
the visitor leaves, the profile goes with every connection that it holds, spare ones too that Chromium opens ahead and
never uses. So nothing of it outlives the test. Nothing but this machine can be reached: no other name resolves.
"""

import asyncio
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.support.services import require

__all__ = ["Visitor", "running_browser", "visiting"]

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_ONLY_HERE = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
_FLAGS = ["--disable-gpu", "--disable-quic", "--disable-sync", f"--host-resolver-rules={_ONLY_HERE}"]
_PATIENCE_MS = 10_000
_FOREIGN = "request to another origin: "
_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`security policy: ${event.effectiveDirective} forbids ${event.blockedURI} ${event.sample}`));"""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a browser. Meant for a fixture of module scope: this thread is in an event loop until the end."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    require(program, "needs Chromium or Chrome")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright, ThreadPoolExecutor(1) as writer:
        # Playwright reads and writes files in its loop's executor, whose threads would begin in a test, and not end.
        asyncio.get_running_loop().set_default_executor(writer)
        writer.submit(int).result()
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """A person who visits servers in a browser profile of their own, and notices all that goes wrong meanwhile.

    Attributes:
        complaints: Errors on the console and in scripts, violations of a page's security policy, and requests to
            any origin but those that were opened here.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._tolerated: list[str] = []
        self._origins: set[str] = set()
        context.set_default_timeout(_PATIENCE_MS)
        context.add_init_script(_VIOLATIONS)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: self._on_request(request.url))
        context.on("requestfailed", self._on_failure)
        context.on("page", lambda page: page.on("websocket", lambda socket: self._on_request(socket.url)))

    def open(self, url: str) -> Page:
        """Open a tab and go there. From now on requests to that server are in order."""
        page = self.context.new_page()
        self.welcome(url)
        page.goto(url)
        return page

    def welcome(self, url: str) -> None:
        """Have requests to that server in order, too."""
        self._origins.add(urlsplit(url).netloc)

    def tolerate(self, pattern: str) -> None:
        """Have complaints in which this regular expression is found left out: this test provokes them."""
        self._tolerated.append(pattern)

    def judge(self) -> None:
        """Fail if anything went wrong."""
        said = [text for text in self.complaints if not any(re.search(each, text) for each in self._tolerated)]
        assert not said, "\n".join(["the browser complained:", *said])

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location
            self.complaints.append(f"console: {message.text} ({where.get('url')}:{where.get('lineNumber')})")

    def _on_request(self, url: str) -> None:
        parts = urlsplit(url)
        self.requested.append(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in self._origins:
            self.complaints.append(f"{_FOREIGN}{url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure == "csp" and (complaint := f"{_FOREIGN}{request.url}") in self.complaints:
            self.complaints.remove(complaint)  # the page's policy kept it from being sent; that is on the console
            self.requested.remove(request.url)


@contextmanager
def visiting(browser: Browser, **options: Any) -> Iterator[Visitor]:
    """Give a visitor, and let them leave in the end. Options are those of Playwright's `Browser.new_context`."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
    visitor = Visitor(context)
    try:
        yield visitor
        visitor.judge()
    finally:
        context.close()
