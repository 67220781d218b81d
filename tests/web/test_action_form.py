"""The action form as a person fills it in: every kind of field, JSON beside it, errors where they belong, and tools."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import Visitor
from tests.support.echo import EchoEnvironment
from tests.web.painter import Paint, Painter, Painting
from tests.web.play import Play, hosting
from tests.web.stage import Tools

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def painting(visitor: Visitor) -> Any:
    with hosting(Painter, Paint, Painting) as url:
        yield Play.begun(visitor, url)


def _last_request(play: Play) -> Any:
    """Give the last action that went over the wire."""
    return play.steps_sent()[-1]


def _form(play: Play) -> Locator:
    return play.page.locator("#action-form")


def test_defaults_are_filled_in_and_hints_said(painting: Play) -> None:
    form = _form(painting)
    expect(painting.field("strokes")).to_have_value("3")
    expect(painting.field("colour")).to_be_visible()
    expect(form).to_contain_text("Shown below the picture.")
    described = painting.field("title").get_attribute("aria-describedby")
    assert described
    texts = " ".join(painting.page.locator(f"#{each}").inner_text() for each in described.split())
    assert "Shown below the picture." in texts
    painting.field("title").fill("Sunset")
    painting.step()
    sent = _last_request(painting)
    assert sent["title"] == "Sunset"
    expected = Paint(title="Sunset").model_dump(mode="json", exclude={"metadata"})
    assert Paint(**sent).model_dump(mode="json", exclude={"metadata"}) == expected


def test_fields_of_every_kind_arrive_as_they_are_filled_in(painting: Play) -> None:
    form = _form(painting)
    painting.field("title").fill("Two lines")
    form.get_by_label(re.compile("^colour", re.IGNORECASE)).select_option("blue")
    painting.field("strokes").fill("7")
    painting.field("wet").click()
    painting.step()
    sent = _last_request(painting)
    assert (sent["colour"], sent["strokes"], sent["wet"]) == ("blue", 7, False)


def test_union_is_chosen_by_its_name_and_shows_the_fields_of_the_choice(painting: Play) -> None:
    form = _form(painting)
    painting.field("title").fill("Round")
    form.get_by_label(re.compile("^shape", re.IGNORECASE)).first.select_option(label="Circle")
    form.get_by_label(re.compile(r"^x\b", re.IGNORECASE)).fill("10")
    form.get_by_label(re.compile(r"^y\b", re.IGNORECASE)).fill("20")
    form.get_by_label(re.compile(r"^radius", re.IGNORECASE)).fill("2.5")
    painting.step()
    assert _last_request(painting)["shape"] == {"kind": "circle", "centre": {"x": 10, "y": 20}, "radius": 2.5}


def test_json_mode_keeps_in_step_with_the_form(painting: Play) -> None:
    form = _form(painting)
    painting.field("title").fill("Both ways")
    form.get_by_text("JSON", exact=True).first.click()
    box = form.get_by_role("textbox", name=re.compile("json", re.IGNORECASE))
    shown = json.loads(box.input_value())
    assert shown["title"] == "Both ways"
    box.fill(json.dumps(shown | {"strokes": 5, "labels": {"sky": 2}}))
    form.get_by_text("Form", exact=True).first.click()
    expect(painting.field("strokes")).to_have_value("5")
    painting.step()
    sent = _last_request(painting)
    assert (sent["strokes"], sent["labels"]) == (5, {"sky": 2})


def test_json_that_does_not_parse_is_said_and_not_sent(painting: Play) -> None:
    form = _form(painting)
    form.get_by_text("JSON", exact=True).first.click()
    form.get_by_role("textbox", name=re.compile("json", re.IGNORECASE)).fill('{"title": ')
    painting.button("Step").click()
    expect(form).to_contain_text(re.compile("json", re.IGNORECASE))
    expect(form.locator("[aria-invalid=true]")).to_have_count(1)
    assert painting.steps_sent() == []
    expect(painting.figure("steps")).to_have_text("0")


def test_error_is_shown_at_its_field_and_goes_when_it_is_mended(painting: Play) -> None:
    painting.field("strokes").fill("99")
    painting.field("title").fill("lower case")
    painting.button("Step").click()
    for name, said in (("strokes", "9"), ("title", "")):
        field = painting.field(name)
        expect(field).to_have_attribute("aria-invalid", "true")
        described = (field.get_attribute("aria-describedby") or "").split()
        texts = " ".join(painting.page.locator(f"#{each}").inner_text() for each in described)
        assert said in texts
    expect(painting.figure("steps")).to_have_text("0")
    painting.field("strokes").fill("9")
    painting.field("title").fill("Upper case")
    painting.step()
    expect(_form(painting).locator("[aria-invalid=true]")).to_have_count(0)


def test_environment_with_one_text_gets_a_box_to_chat_in(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        box = play.field("message")
        assert box.evaluate("(found) => found.tagName") == "TEXTAREA"
        for text in ("first", "second"):
            box.fill(text)
            box.press("Enter")
            expect(play.detail).to_contain_text(text)
        play.expect_steps(2)
        expect(box).to_have_value("")


def test_tools_are_forms_and_their_answers_are_shown(visitor: Visitor) -> None:
    with hosting(Tools) as url:
        play = Play.begun(visitor, url)
        tools = play.page.locator("#tools")
        tools.get_by_text("add", exact=True).click()
        expect(tools).to_contain_text("Adds two numbers.")
        tools.get_by_label(re.compile(r"^a\b")).fill("2")
        tools.get_by_label(re.compile(r"^b\b")).fill("40")
        play.button("Call add").click()
        expect(play.detail).to_contain_text("the sum is 42")
        expect(play.rows.last).to_contain_text("add")


def test_tool_that_fails_says_why_and_arguments_are_checked(visitor: Visitor) -> None:
    with hosting(Tools) as url:
        play = Play.begun(visitor, url)
        tools = play.page.locator("#tools")
        tools.get_by_text("add", exact=True).click()
        play.button("Call add").click()
        expect(tools.locator("[aria-invalid=true]").first).to_be_visible()
        expect(play.rows).to_have_count(1)
        tools.get_by_text("fail", exact=True).click()
        play.button("Call fail").click()
        expect(play.detail).to_contain_text("the tool broke")
