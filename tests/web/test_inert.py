"""What an environment says stays text: scripts, misleading characters, five megabytes, and HTML of its own."""

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visitor
from tests.support.echo import EchoAction
from tests.web.hostile import SCRIPT, Hostile, HostileObservation
from tests.web.play import Play, hosting
from tests.web.stage import Walker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_OWNED = "[window.owned, {}.owned, document.title === 'owned']"


def _is_unharmed(play: Play) -> bool:
    return bool(play.page.evaluate(_OWNED) == [None, None, False])


@pytest.mark.parametrize("kind", ["script", "keys", "bidi", "long", "wide", "deep"])
def test_hostile_values_are_inert_and_the_page_goes_on(visitor: Visitor, kind: str) -> None:
    with hosting(Hostile, EchoAction, HostileObservation) as url:
        play = Play.begun(visitor, url)
        play.field("message").fill(kind)
        play.step()
        assert _is_unharmed(play)
        assert play.page.evaluate("document.querySelectorAll('*').length") < 4000
        for name in ("State", "Charts"):
            play.tab(name)
        play.field("message").fill("again")
        play.step()
        expect(play.rows).to_have_count(3)
        assert _is_unharmed(play)


def test_scripts_are_shown_as_they_are_written(visitor: Visitor) -> None:
    with hosting(Hostile, EchoAction, HostileObservation) as url:
        play = Play.begun(visitor, url)
        expect(play.detail).to_contain_text(SCRIPT)
        play.say(SCRIPT)
        expect(play.rows.last).to_contain_text("<script>")
        assert _is_unharmed(play)


def test_characters_that_turn_or_hide_text_are_made_visible(visitor: Visitor) -> None:
    with hosting(Hostile, EchoAction, HostileObservation) as url:
        play = Play.begun(visitor, url)
        play.say("bidi")
        observation = play.detail.locator("section").filter(
            has=play.page.get_by_role("heading", name="Observation", exact=True)
        )
        expect(observation).to_contain_text("safe")
        text = observation.inner_text()
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u0000\u0007]", text), ascii(text)
    assert re.search(r"202e", text, re.IGNORECASE), ascii(text)


def test_long_text_is_shown_in_part_and_whole_when_asked_for(visitor: Visitor) -> None:
    with hosting(Hostile, EchoAction, HostileObservation) as url:
        play = Play.begun(visitor, url)
        play.say("long")
        assert len(play.detail.inner_text()) < 100_000
        whole = play.detail.get_by_role("button", name=re.compile("show all", re.IGNORECASE))
        expect(whole.first).to_be_visible()
        whole.first.click()
        expect(play.detail).to_contain_text("<b>xxx")
        assert _is_unharmed(play)


def test_html_of_the_environment_is_shown_in_a_frame_that_can_do_nothing(visitor: Visitor) -> None:
    visitor.tolerate("Content Security Policy|security policy|sandbox")
    with hosting(Walker) as url:
        play = Play.begun(visitor, url)
        play.say("north")
        frame = play.detail.frame_locator("iframe")
        heading = frame.get_by_role("heading", name="Walked: north")
        expect(heading).to_be_visible()
        expect(heading).to_have_css("color", "rgb(0, 128, 128)")
        if (link := frame.get_by_text("press")).count():
            link.click()
        inside = play.page.frames[-1]
        assert inside.evaluate("[window.owned, document.title === 'owned']") == [None, False]
        assert inside.evaluate(
            "(() => { try { return parent.document.title } catch { return 'out of reach' } })()"
        ) == ("out of reach")
        assert _is_unharmed(play)
        assert "tracker" not in " ".join(visitor.requested)


def test_frame_goes_when_there_is_nothing_to_show(visitor: Visitor) -> None:
    visitor.tolerate("Content Security Policy|security policy|sandbox")
    with hosting(Walker) as url:
        play = Play.begun(visitor, url)
        frame = play.detail.locator("iframe")
        expect(frame).to_be_visible()
        play.say("nothing")
        expect(frame).to_be_hidden()
        play.say("south")
        expect(play.detail.frame_locator("iframe").get_by_text("Walked: south")).to_be_visible()


def test_actions_that_the_environment_offers_are_buttons(visitor: Visitor) -> None:
    visitor.tolerate("Content Security Policy|security policy|sandbox")
    with hosting(Walker) as url:
        play = Play.begun(visitor, url)
        play.button("Walk north").click()
        play.expect_steps(1)
        assert play.steps_sent()[-1]["message"] == "north"
