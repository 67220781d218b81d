"""When the server goes away: the page says what was lost, keeps it readable, and goes on when there is one again."""

import re
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.support.browser import Visitor
from tests.support.command import openenv_serve
from tests.support.echo import EchoEnvironment
from tests.support.folders import environment_folder
from tests.web.play import Play, hosting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def visitor(visitor: Visitor) -> Visitor:
    visitor.tolerate("WebSocket|Failed to load resource|ERR_")
    return visitor


def test_restart_says_what_was_lost_and_a_reset_goes_on(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        play.say("one")
        play.say("two")
    lost = play.page.get_by_role("alert").filter(has_text=re.compile("lost", re.IGNORECASE))
    expect(lost).to_contain_text(re.compile("episode 1.*2 steps", re.IGNORECASE | re.DOTALL))
    play.rows.nth(1).click()
    expect(play.detail).to_contain_text("one")
    with hosting(EchoEnvironment, port=urlsplit(url).port or 0):
        lost.get_by_role("button", name=re.compile("reset", re.IGNORECASE)).click()
        play.expect_steps(0)
        expect(lost).to_be_hidden()
        play.say("three")
        expect(play.detail).to_contain_text("three")
        play.page.close()


def test_server_that_is_not_back_yet_is_said_and_can_be_tried_again(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        play.say("one")
    lost = play.page.get_by_role("alert").filter(has_text=re.compile("lost", re.IGNORECASE))
    lost.get_by_role("button", name=re.compile("reset", re.IGNORECASE)).click()
    expect(play.page.get_by_role("alert").filter(has_text="cannot be reached").first).to_be_visible()
    expect(play.rows).to_have_count(2)
    with hosting(EchoEnvironment, port=urlsplit(url).port or 0):
        play.page.get_by_role("button", name=re.compile("^Reset")).first.click()
        play.expect_steps(0)
        play.page.close()


def test_step_into_a_lost_session_does_not_begin_another_unasked(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        play.say("one")
    port = urlsplit(url).port or 0
    with hosting(EchoEnvironment, port=port):
        step = play.button("Step")
        if step.is_enabled():
            play.field("message").fill("two")
            step.click()
        expect(play.page.get_by_role("alert").filter(has_text=re.compile("lost", re.IGNORECASE))).to_be_visible()
        assert [action["message"] for action in play.steps_sent()] == ["one"]
        play.page.close()


def test_server_that_dies_is_noticed_at_once(visitor: Visitor, tmp_path: Path) -> None:
    with openenv_serve(environment_folder(tmp_path)) as server:
        play = Play.begun(visitor, server.url)
        play.say("one")
        server.process.kill()
        lost = play.page.get_by_role("alert").filter(has_text=re.compile("lost", re.IGNORECASE))
        expect(lost).to_contain_text(re.compile("episode 1.*1 step", re.IGNORECASE))
        expect(play.page.locator("#connection")).to_contain_text("Disconnected")


def test_silent_network_lets_the_visitor_give_up(visitor: Visitor, tmp_path: Path) -> None:
    with openenv_serve(environment_folder(tmp_path)) as server:
        play = Play.begun(visitor, server.url)
        play.say("one")
        server.process.send_signal(signal.SIGSTOP)
        try:
            play.field("message").fill("two")
            play.button("Step").click()
            play.button("Give up").click()
            lost = play.page.get_by_role("alert").filter(has_text=re.compile("lost", re.IGNORECASE))
            expect(lost).to_contain_text(re.compile("episode 1.*1 step", re.IGNORECASE))
        finally:
            server.process.send_signal(signal.SIGCONT)
        lost.get_by_role("button", name="Reset").click()
        play.expect_steps(0)
