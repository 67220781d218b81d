"""The timeline and the detail: every step in full, backwards too, pictures and arrays as such, and long episodes."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visitor
from tests.support.echo import EchoAction, EchoEnvironment
from tests.web.gallery import Gallery, GalleryObservation
from tests.web.play import Play, hosting
from tests.web.stage import Climber

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_LONG = 10_000
_RECORDED = """(count) => {
    const lines = [];
    for (let index = 0; index < count; index += 1) {
        lines.push(JSON.stringify({index, kind: "step", request: {message: `number ${index}`},
            observation: {echoed_message: `number ${index}`, message_length: 9}, reward: (index % 7) / 10, done: false,
            truncated: false, metadata: {}, state: null, latency_ms: index % 50, error: null,
            at: "2030-01-01T00:00:00Z"}));
    }
    return lines.join("\\n");
}"""


def test_each_step_says_action_observation_reward_and_latency(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        play.say("down")
        expect(play.rows).to_have_count(3)
        expect(play.rows.nth(1)).to_contain_text("up")
        expect(play.rows.nth(1)).to_contain_text("+0.75")
        expect(play.rows.nth(2)).to_contain_text("\u22121.25")
        expect(play.rows.nth(2)).to_contain_text(re.compile(r"\d ms"))
        expect(play.rows.last).to_have_attribute("aria-selected", "true")


def test_stepping_backwards_shows_each_step_as_it_was(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        for text in ("up", "down", "sideways"):
            play.say(text)
        play.rows.nth(1).click()
        title = play.detail.get_by_role("heading", level=2)
        expect(title).to_have_text("Step 1")
        expect(play.detail).to_contain_text("+0.75")
        play.page.keyboard.press("ArrowDown")
        expect(title).to_have_text("Step 2")
        play.page.keyboard.press("Home")
        expect(title).to_have_text("Reset")
        play.detail.get_by_role("button", name="The next one").click()
        expect(title).to_have_text("Step 1")
        expect(play.tab("State")).to_contain_text(re.compile(r"step_count\W+1"))


def test_new_step_does_not_take_away_the_one_that_is_looked_at_but_the_newest_is_followed(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        play.say("down")
        title = play.detail.get_by_role("heading", level=2)
        expect(title).to_have_text("Step 2")
        play.rows.nth(1).click()
        play.say("up")
        expect(title).to_have_text(re.compile("Step [13]"))


def test_values_fold(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        heading = play.page.get_by_role("heading", name="Observation", exact=True)
        section = play.detail.locator("section").filter(has=heading)
        inner = section.get_by_text("echoed_message")
        expect(inner).to_be_visible()
        fold = section.locator("summary, [aria-expanded]").first
        fold.click()
        expect(inner).to_be_hidden()
        fold.click()
        expect(inner).to_be_visible()
        expect(section.get_by_text("height")).to_have_count(0)
        section.get_by_text("reward_components").click()
        expect(section.get_by_text("height")).to_be_visible()


def test_pictures_are_shown_as_pictures(visitor: Visitor) -> None:
    with hosting(Gallery, EchoAction, GalleryObservation) as url:
        play = Play.begun(visitor, url)
        pictures = play.detail.locator("img")
        expect(pictures).to_have_count(2)
        for picture in pictures.all():
            picture.scroll_into_view_if_needed()
            expect(picture).to_have_js_property("complete", True)
            assert picture.evaluate("(found) => [found.naturalWidth, found.naturalHeight]") == [48, 32]
            assert picture.get_attribute("alt")


def test_arrays_are_summarised_and_shown_as_plot_heat_map_and_picture(visitor: Visitor) -> None:
    with hosting(Gallery, EchoAction, GalleryObservation) as url:
        play = Play.begun(visitor, url)
        expect(play.detail).to_contain_text(re.compile("8\\s*×\\s*12"))
        expect(play.detail).to_contain_text(re.compile("16\\s*×\\s*16\\s*×\\s*3"))
        expect(play.detail).to_contain_text(re.compile(r"max\w*\W+7\.7"))
        for name in ("plot", "heat map", "picture"):
            if (shower := play.detail.get_by_role("button", name=re.compile(name, re.IGNORECASE))).count():
                shower.first.click()
        drawn = play.detail.locator("canvas, svg[role=img]")
        expect(drawn).to_have_count(3)
        for each in drawn.all():
            assert each.get_attribute("aria-label"), "a drawing needs a text besides"


def test_episode_of_ten_thousand_steps_stays_small_and_scrolls(visitor: Visitor, tmp_path: Any) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        play.say("short")
        exported = play.export(tmp_path / "episode.jsonl")
        head = exported.read_text().splitlines()[0]
        long = tmp_path / "long.jsonl"
        body = play.page.evaluate(_RECORDED, _LONG)
        long.write_text(f"{head}\n{body}\n")
        nodes = play.page.evaluate("document.querySelectorAll('*').length")
        play.import_file(long)
        timeline = play.page.get_by_role("listbox")
        expect(play.rows.last).to_contain_text(f"number {_LONG - 1}")
        expect(play.rows.last).to_have_attribute("aria-setsize", str(_LONG))
        assert play.page.evaluate("document.querySelectorAll('*').length") < nodes + 1000
        timeline.evaluate("(list) => { list.scrollTop = list.scrollHeight / 2 }")
        expect(play.rows.first).to_contain_text(re.compile("number (49|50)"))
        assert play.rows.count() < 60
        timeline.evaluate("(list) => { list.scrollTop = 0 }")
        play.rows.first.click()
        expect(play.rows.first).to_have_attribute("aria-selected", "true")
        play.page.keyboard.press("End")
        expect(play.detail).to_contain_text(f"number {_LONG - 1}")
        play.tab("Charts")
        assert play.page.evaluate("document.querySelectorAll('*').length") < nodes + 1500
        assert sum(len(path) for path in play.page.locator("svg path").evaluate_all(_DRAWN)) < 100_000


_DRAWN = "(paths) => paths.map((path) => path.getAttribute('d') ?? '')"
