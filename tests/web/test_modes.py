"""The page in production mode, and as `create_app` was told to show it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from openenv.server import ServerConfig, create_app
from tests.support.browser import Visitor
from tests.support.command import openenv_serve
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving
from tests.web.play import Play, hosting
from tests.web.stage import Tools

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]  # to import gradio takes long


def test_page_in_production_says_so_and_offers_the_tools_alone(visitor: Visitor) -> None:
    with hosting(Tools, mode="production") as url:
        page = visitor.open(f"{url}/web")
        expect(page.get_by_role("alert").filter(has_text="production mode")).to_be_visible()
        for name in ("Step", "Reset", "Reset to begin"):
            expect(page.get_by_role("button", name=name, exact=True)).to_be_hidden()
        page.keyboard.press("r")
        page.get_by_text("add", exact=True).click()
        page.get_by_label("a", exact=True).fill("2")
        page.get_by_label("b", exact=True).fill("3")
        page.get_by_role("button", name="Call add").click()
        expect(page.get_by_text("the sum is 5").first).to_be_visible()
        expect(page.get_by_text("FORBIDDEN")).to_have_count(0)


def test_title_goes_before_the_name(visitor: Visitor) -> None:
    app = create_app(
        EchoEnvironment,
        EchoAction,
        EchoObservation,
        title_override="Echo & <b>Sons</b>",
        config=ServerConfig(web=True),
    )
    with serving(app) as url:
        play = Play.open(visitor, url)
        expect(play.page).to_have_title(re.compile("^Echo & <b>Sons</b>"))
        expect(play.page.get_by_role("heading", level=1)).to_have_text("Echo & <b>Sons</b>")


@pytest.mark.parametrize("name", ["primary", "alone"])
def test_environments_own_ui_comes_first_or_alone(visitor: Visitor, tmp_path: Path, name: str) -> None:
    pytest.importorskip("gradio")
    visitor.tolerate("")  # what Gradio does is its own affair; ours is that it is there
    (tmp_path / "openenv.yaml").write_text(f"name: painted\napp: tests.server.gradio_app:{name}\n")
    with openenv_serve(tmp_path) as server:
        page = visitor.open(f"{server.url}/web")
        expect(page.frame_locator("iframe.custom").get_by_role("button", name="Play")).to_be_visible()
        tabs = page.get_by_role("tab")
        if name == "primary":
            expect(tabs.first).to_have_text("Board")
            expect(tabs.first).to_have_attribute("aria-selected", "true")
            expect(page).to_have_title(re.compile("^Chess club"))
        else:
            expect(tabs).to_have_count(0)
            expect(page.get_by_role("button", name="Reset to begin")).to_have_count(0)
