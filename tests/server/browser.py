"""A real browser without a window: Chromium, driven by its own protocol over the WebSocket library we have anyway."""

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.services import require

__all__ = ["Tab", "tab"]

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-port=0", "--window-size=800,900"),
]
_PATIENCE_S = 15


class Tab:
    """One page of the browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._asked = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=_PATIENCE_S))
            if answer.get("id") == self._asked:  # the rest are events
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def run(self, script: str) -> Any:
        """Give the value of an expression in the page; a promise is awaited."""
        ran = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in ran, ran["exceptionDetails"]
        return ran["result"].get("value")

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def wait(self, condition: str) -> Any:
        """Wait until an expression in the page is truthy, and give its value."""
        check = f"(() => {{ try {{ return {condition} }} catch (error) {{ return false }} }})()"
        poll = f"if ({check}) done({check}); else if (performance.now() > end) fail(Error('it never came true'));"
        repeat = "else setTimeout(poll, 10);"
        body = f"const end = performance.now() + 8000; (function poll() {{ {poll} {repeat} }})()"
        return self.run(f"new Promise((done, fail) => {{ {body} }})")

    def click(self, selector: str) -> None:
        """Click into the middle of an element with the mouse."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y = self.run(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({box})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, selector: str, text: str) -> None:
        """Replace the text of a field by typing."""
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """Save what is to be seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """Run a browser with a profile of its own, and give a tab of it."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    require(program, "needs Chromium or Chrome")
    command = [str(program), *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    browser = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0)
    try:
        assert browser.stderr is not None
        address = next((line.split()[-1] for line in browser.stderr if line.startswith("DevTools listening on ")), None)
        assert address, f"the browser ended with {browser.wait(5)}"
        settings: dict[str, Any] = {"proxy": None, "max_size": None}
        with connect(address, **settings) as whole:
            targets = Tab(whole).call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        with connect(f"{address.partition('/devtools/')[0]}/devtools/page/{page}", **settings) as connection:
            yield Tab(connection)
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.communicate()
