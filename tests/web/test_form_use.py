"""A form by keyboard, as JSON, and for readers of all kinds."""

from typing import Annotated, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import expect
from pydantic import Field, create_model

from tests.support.echo import EchoAction
from tests.web.forms import Open
from tests.web.painter import Paint

pytestmark = pytest.mark.slow


def test_enter_submits_and_shift_enter_writes_another_line_in_a_chat(opened: Open) -> None:
    form = opened(EchoAction)
    box = form.page.get_by_label("message")
    box.fill("one")
    box.press("Shift+Enter")
    form.page.keyboard.type("two")
    assert form.page.evaluate("submitted") == []
    box.press("Enter")
    assert form.page.evaluate("submitted") == [{"message": "one\ntwo"}]
    form.page.evaluate("form.set(undefined)")
    expect(box).to_be_focused()
    expect(box).to_have_value("")


def test_enter_is_a_line_in_a_long_text_and_control_enter_submits(opened: Open) -> None:
    model = create_model("Model", code=(str, ...), times=(int, 1))
    form = opened(model.model_json_schema())
    form.page.get_by_label("code").fill("a")
    form.page.get_by_label("code").press("End")
    form.page.get_by_label("code").press("Enter")
    assert form.page.evaluate("submitted") == []
    form.page.get_by_label("code").press("Control+Enter")
    form.page.get_by_label("times").press("Enter")
    assert form.page.evaluate("submitted") == [{"code": "a\n", "times": 1}] * 2


def test_form_with_errors_is_not_submitted_and_goes_to_the_first(opened: Open) -> None:
    model = create_model("Model", name=(str, "a"), count=(int, ...))
    form = opened(model.model_json_schema())
    form.page.get_by_label("name").press("Enter")
    assert form.page.evaluate("submitted") == []
    expect(form.page.get_by_label("count")).to_be_focused()


def test_json_is_in_step_with_the_fields_and_is_not_held_back_by_their_checks(opened: Open) -> None:
    form = opened(Annotated[int, Field(ge=1)])
    form.page.get_by_label("it").fill("4")
    assert form.page.evaluate("form.mode('json')") == "json"
    box = form.page.get_by_label("JSON")
    assert box.input_value() == '{\n  "it": 4\n}'
    box.fill('{"it": ')
    assert form.page.evaluate("form.mode('form')") == "json"
    expect(box).to_have_attribute("aria-invalid", "true")
    box.fill('{"it": 0}')
    expect(box).to_have_attribute("aria-invalid", "false")
    box.press("Control+Enter")
    assert form.page.evaluate("submitted") == [{"it": 0}]
    form.refuse([{"loc": ["it"], "msg": "too small"}])
    assert form.shown_errors() == ["it: too small"]
    assert form.page.evaluate("form.mode('form')") == "form"
    expect(form.page.get_by_label("it")).to_have_value("0")


def test_change_is_told(opened: Open) -> None:
    form = opened(Paint)
    form.page.get_by_label("title").press_sequentially("ab")
    form.page.get_by_label("wet").uncheck()
    assert form.page.evaluate("changes") == 3


def test_hostile_names_and_descriptions_stay_text(opened: Open) -> None:
    script = "<img src=x onerror=alert(1)>"
    part = {"type": "string", "description": script, "enum": [script, "__proto__"]}
    form = opened({"properties": {script: part, "__proto__": {"type": "integer", "default": 3}}})
    assert form.page.locator("img").count() == 0
    assert form.page.evaluate("Object.keys(form.value().value)") == ["__proto__"]
    assert form.page.evaluate("({}).polluted ?? null") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_checks_find_nothing(opened: Open, scheme: Literal["light", "dark"]) -> None:
    form = opened(Paint)
    form.page.emulate_media(color_scheme=scheme)
    form.set({"title": "a", "labels": {"a": 1}, "note": "x", "metadata": {"a": 1}, "strokes": "many"})
    form.refuse([{"loc": ["title"], "msg": "String should match pattern '^[A-Z]'"}])
    found = Axe().run(form.page)
    assert found.violations_count == 0, found.generate_report()
