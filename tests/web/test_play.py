"""Playing an episode at the page: a session of one's own, its limits, its options, its end, and the keyboard."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.server.peers import ask, http, ws
from tests.support.browser import Visitor, visiting
from tests.support.command import openenv_serve
from tests.support.echo import EchoEnvironment
from tests.support.folders import environment_folder
from tests.web.play import Play, hosting
from tests.web.stage import Climber, Failing, Mission

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def test_person_plays_the_scaffold_without_reading(visitor: Visitor, tmp_path: Any) -> None:
    with openenv_serve(environment_folder(tmp_path)) as server:
        page = visitor.open(server.url)  # `/` leads to the page
        assert page.url == f"{server.url}/web"
        play = Play(page)
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("my.?env", re.IGNORECASE))
        expect(page.get_by_text("Echoes every message back, and rewards long ones.").first).to_be_visible()
        play.begin()
        expect(play.field("message")).to_be_focused()
        page.keyboard.type("Hello, World!")
        page.keyboard.press("Enter")
        play.expect_steps(1)
        expect(play.detail).to_contain_text("+1.3")
        expect(play.detail).to_contain_text("Hello, World!")
        expect(play.figure("reward")).to_have_text("+1.3")
        expect(play.field("message")).to_be_focused()
        page.keyboard.type("Hi")
        page.keyboard.press("Enter")
        play.expect_steps(2)
        expect(play.figure("reward")).to_have_text("+1.5")


def test_tabs_have_a_session_each(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        left, right = Play.begun(visitor, url), Play.begun(visitor, url)
        for text in ("one", "two", "three"):
            left.say(text)
        right.say("other")
        assert left.figure("steps").inner_text() == "3"
        expect(left.tab("State")).to_contain_text(re.compile(r"step_count\W+3"))
        expect(right.tab("State")).to_contain_text(re.compile(r"step_count\W+1"))


def test_page_that_is_only_looked_at_takes_no_place(visitor: Visitor) -> None:
    with hosting(EchoEnvironment, max_sessions=1) as url, http(url) as client:
        Play.open(visitor, url)
        assert client.get("/web/sessions").json()["active"] == 0
        Play.begun(visitor, url)
        assert client.get("/web/sessions").json()["active"] == 1


@pytest.mark.parametrize("queue_s", [30.0, 0.0], ids=["in the queue", "turned away and coming again"])
def test_full_server_is_said_and_a_place_set_free_lets_the_visitor_in(visitor: Visitor, queue_s: float) -> None:
    with hosting(EchoEnvironment, max_sessions=1, queue_s=queue_s) as url:
        with ws(url) as other:
            ask(other, {"type": "reset", "data": {}})
            play = Play.open(visitor, url)
            play.button("Reset to begin").click()
            expect(play.page.get_by_text("1 of 1").first).to_be_visible()
        expect(play.figure("steps")).to_have_text("0", timeout=15_000)


def test_waiting_for_a_place_can_be_cancelled(visitor: Visitor) -> None:
    with hosting(EchoEnvironment, max_sessions=1) as url, ws(url) as other, http(url) as client:
        ask(other, {"type": "reset", "data": {}})
        play = Play.open(visitor, url)
        play.button("Reset to begin").click()
        expect(play.page.get_by_text("1 of 1").first).to_be_visible()
        play.button("Cancel").click()
        expect(play.button("Reset to begin")).to_be_enabled()
        expect(play.button("Cancel")).to_be_hidden()
        assert client.get("/web/sessions").json()["waiting"] == 0


def test_closed_tab_gives_its_place_back(browser: Browser, visitor: Visitor) -> None:
    with hosting(EchoEnvironment, max_sessions=1) as url:
        with visiting(browser) as first:
            Play.begun(first, url)
        Play.begun(visitor, url)


def test_reset_takes_the_options_of_the_environments_signature(visitor: Visitor) -> None:
    with hosting(Mission) as url:
        play = Play.begun(visitor, url)
        expect(play.detail).to_contain_text("2 to moon, seed None")
        page = play.page
        page.locator("#reset-options summary").click()
        form = page.locator("#reset-form")
        form.get_by_label(re.compile("^target", re.IGNORECASE)).select_option("mars")
        form.get_by_label(re.compile("^crew", re.IGNORECASE)).fill("5")
        if (unset := form.get_by_role("button", name=re.compile("set seed", re.IGNORECASE))).count():
            unset.click()
        form.get_by_label(re.compile("^seed", re.IGNORECASE)).last.fill("7")
        play.button("Reset").click()
        expect(play.detail).to_contain_text("5 to mars, seed 7")


def test_end_of_an_episode_is_shown_and_reset_offered(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        play.say("summit")
        expect(play.detail).to_contain_text("The episode is done")
        expect(play.rows.last).to_contain_text("done")
        play.detail.get_by_role("button", name="Reset").click()
        play.expect_steps(0)
        for _ in range(10):
            play.say("up")
        expect(play.detail).to_contain_text("truncated")


def test_reward_is_explained_by_its_parts(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        parts = play.detail.get_by_role("table", name="reward_components")
        expect(parts).to_contain_text(re.compile(r"height\s*\+1"))
        expect(parts).to_contain_text(re.compile(r"effort\s*\u22120\.25"))
        expect(play.detail).to_contain_text("+0.75")
        play.say("down")
        expect(play.detail).to_contain_text("\u22121.25")
        expect(play.figure("reward")).to_have_text("\u22120.5")


def test_failure_of_the_environment_is_shown_and_the_session_goes_on(visitor: Visitor) -> None:
    with hosting(Failing) as url:
        play = Play.begun(visitor, url)
        play.say("raise")
        expect(play.detail).to_contain_text("the rope broke")
        expect(play.detail).to_contain_text("ValueError")
        play.say("fine")
        expect(play.detail).to_contain_text("+0.4")
        play.say("nan")
        expect(play.detail).to_contain_text(re.compile("nan|none", re.IGNORECASE))


def test_what_is_typed_while_a_step_runs_is_kept(visitor: Visitor) -> None:
    Failing.gate.clear()
    with hosting(Failing) as url:
        play = Play.begun(visitor, url)
        play.field("message").fill("hang")
        play.field("message").press("Enter")
        expect(play.button("Give up")).to_be_visible()
        play.field("message").fill("the next one")
        Failing.gate.set()
        play.expect_steps(1)
        expect(play.field("message")).to_have_value("the next one")


def test_step_that_hangs_is_given_up_and_what_was_lost_is_said(visitor: Visitor) -> None:
    Failing.gate.clear()
    with hosting(Failing, step_timeout_s=0.3) as url:
        play = Play.begun(visitor, url)
        play.say("fine")
        play.field("message").fill("hang")
        play.button("Step").click()
        expect(play.page.locator("body")).to_contain_text(re.compile("0.3 s|timed out|TIMED_OUT", re.IGNORECASE))
        Failing.gate.set()
        play.button("Reset").first.click()
        play.expect_steps(0)
        play.say("again")


def test_visitor_gives_up_a_step(visitor: Visitor) -> None:
    Failing.gate.clear()
    with hosting(Failing) as url:
        play = Play.begun(visitor, url)
        play.field("message").fill("hang")
        play.button("Step").click()
        play.button("Give up").click()
        Failing.gate.set()
        expect(play.page.get_by_role("alert").filter(has_text="episode 1")).to_be_visible()


def test_shortcuts_are_listed_under_a_question_mark_and_work(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        page = play.page
        play.detail.click()
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        listed = dialog.inner_text()
        assert not re.search(r"(Ctrl|Cmd|⌘)\s*\+?\s*[RTWNL]\b", listed), listed
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.keyboard.press("k")
        expect(play.detail.get_by_role("heading", level=2)).to_have_text("Reset")
        page.keyboard.press("j")
        expect(play.detail.get_by_role("heading", level=2)).to_have_text("Step 1")


def test_typing_a_shortcuts_letter_into_a_field_types_it(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        play.field("message").focus()
        play.page.keyboard.type("jk?r")
        expect(play.field("message")).to_have_value("jk?r")
        expect(play.page.get_by_role("dialog")).to_be_hidden()
        play.page.keyboard.press("Shift+Enter")
        play.page.keyboard.type("second line")
        play.page.keyboard.press("Enter")
        play.expect_steps(1)
        expect(play.detail).to_contain_text("second line")


def test_everything_is_reached_by_the_tab_key_with_a_visible_focus(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        page = play.page
        reached: list[str] = []
        while reached.count("BODY") < 2:  # the browser's own controls are between the last element and the first
            page.keyboard.press("Tab")
            name, outlined = page.evaluate(_FOCUS)
            reached.append(name)
            assert outlined or name == "BODY", f"{name} shows no focus"
            assert len(reached) < 150, reached
        assert {"Step", "Reset", "Copy Python", "Export"} <= set(reached), reached
        assert any("listbox" in name for name in reached), reached


_FOCUS = """() => {
    const found = document.activeElement;
    const style = getComputedStyle(found);
    const shown = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
    return [found.tagName === "BODY" ? "BODY" : found.textContent.trim() && found.role !== "listbox"
        ? found.textContent.trim() : `${found.role} ${found.ariaLabel}`, shown];
}"""


def test_results_are_announced_to_screen_readers(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        expect(play.page.locator("#announcer")).to_contain_text(re.compile(r"step 1.*0\.75", re.IGNORECASE))
