"""mcp_notes_env at the page: a browser holds an event loop, so what is awaited is tested elsewhere."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import running_browser, visiting
from tests.web.play import Play

ENVIRONMENT = "mcp_notes_env"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


def test_a_person_plays_it_at_the_page_where_each_tool_is_a_form(browser: Browser, url: str) -> None:
    with visiting(browser) as visitor:
        visitor.tolerate("Content Security Policy|security policy|sandbox")
        play = Play.begun(visitor, url)
        play.page.get_by_role("button", name="All tags").click()
        play.expect_steps(1)
        view = play.page.frame_locator("#detail iframe")
        expect(view.get_by_text("list_tags")).to_be_visible()
        tools = play.page.locator("#tools details.tool")
        expect(tools).to_have_count(8)
        form = tools.filter(has_text="add_note")
        form.locator("summary").click()
        form.get_by_label(re.compile("^title", re.IGNORECASE)).fill("By hand")
        form.get_by_role("button", name="Call").click()
        expect(play.detail).to_contain_text("By hand")
