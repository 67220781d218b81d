"""The page as a person uses it: found by what it says, waited for by what it shows."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from playwright.sync_api import Locator, Page, expect
from pydantic import BaseModel

from openenv.server import ServerConfig, create_app
from tests.support.browser import Visitor
from tests.support.echo import EchoAction, EchoObservation
from tests.support.serving import serving

__all__ = ["Play", "hosting"]


@contextmanager
def hosting(
    environment: Any,
    action: type[BaseModel] = EchoAction,
    observation: type[BaseModel] = EchoObservation,
    *,
    gradio_builder: Any = None,
    port: int = 0,
    **settings: Any,
) -> Iterator[str]:
    """Serve an environment with its page, and give the server's URL. Settings are those of `ServerConfig`."""
    more = {} if gradio_builder is None else {"gradio_builder": gradio_builder}
    app = create_app(environment, action, observation, config=ServerConfig(**({"web": True} | settings)), **more)
    with serving(app, port) as url:
        yield url


class Play:
    """One tab with the page in it.

    Attributes:
        sent: The frames that the page has sent over its WebSocket.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: list[str] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: self.sent.append(str(frame))))

    def steps_sent(self) -> list[Any]:
        """Give the actions that went over the wire, oldest first."""
        return [frame["data"] for frame in map(json.loads, self.sent) if frame["type"] == "step"]

    @classmethod
    def open(cls, visitor: Visitor, url: str) -> Self:
        """Open the page of a server, and wait until it knows what it shows."""
        play = cls(visitor.open(f"{url}/web"))
        expect(play.button("Reset to begin")).to_be_enabled()
        return play

    @classmethod
    def begun(cls, visitor: Visitor, url: str) -> Self:
        """Open the page and begin an episode."""
        play = cls.open(visitor, url)
        play.begin()
        return play

    def begin(self) -> None:
        self.button("Reset to begin").click()
        self.expect_steps(0)

    def tell_token(self, token: str) -> None:
        """Answer the question for the token."""
        self.page.get_by_role("textbox", name="Token").fill(token)
        self.page.keyboard.press("Enter")

    def reset(self) -> None:
        self.button("Reset").click()
        self.expect_steps(0)

    def step(self) -> None:
        """Press Step, and wait until it is done."""
        before = int(self.figure("steps").inner_text())
        self.button("Step").click()
        self.expect_steps(before + 1)

    def say(self, text: str) -> None:
        """Take a step with a text in the only field."""
        self.field("message").fill(text)
        self.step()

    def expect_steps(self, count: int) -> None:
        expect(self.figure("steps")).to_have_text(str(count))
        expect(self.button("Step").or_(self.button("Reset")).first).to_be_enabled()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def field(self, name: str) -> Locator:
        return self.page.locator("#action-form").get_by_label(re.compile(rf"^{name}\b", re.IGNORECASE))

    def figure(self, name: str) -> Locator:
        return self.page.locator(f"#figure-{name}")

    def tab(self, name: str) -> Locator:
        """Choose a tab and give its panel."""
        self.page.get_by_role("tab", name=name).click()
        return self.page.get_by_role("tabpanel")

    def inspect(self, name: str) -> None:
        """Choose a tab, on a phone behind the button that shows the tabs."""
        if (views := self.page.get_by_role("navigation", name="Views")).is_visible():
            views.get_by_role("button", name="Inspect").click()
        self.tab(name)

    @property
    def detail(self) -> Locator:
        return self.page.locator("#detail")

    @property
    def rows(self) -> Locator:
        return self.page.locator("#timeline").get_by_role("option")

    def copy(self, button: str) -> str:
        """Press a button that copies, and give what is on the clipboard."""
        self.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        pressed = self.button(button)
        pressed.click()
        expect(self.page.get_by_role("button", name="Copied")).to_be_visible()
        text: str = self.page.evaluate("navigator.clipboard.readText()")
        expect(pressed).to_be_visible()
        return text

    def export(self, path: Path) -> Path:
        """Save the episode to a file."""
        with self.page.expect_download() as download:
            self.button("Export").click()
        download.value.save_as(path)
        return path

    def import_file(self, path: Path) -> None:
        """Open an exported episode."""
        self.page.locator("#file").set_input_files(path)
