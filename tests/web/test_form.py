"""`form.js` and its fields: what is filled in comes out, what is set stays, and nothing is lost."""

from typing import Annotated, Any, Literal

import pytest
from playwright.sync_api import expect
from pydantic import Field, create_model

from tests.support.echo import EchoAction
from tests.web.forms import Box, Circle, Node, Open
from tests.web.painter import Paint

pytestmark = pytest.mark.slow


def test_fresh_form_gives_the_defaults_and_nothing_that_is_not_set(opened: Open) -> None:
    form = opened(Paint)
    form.page.get_by_label("title").fill("A")
    assert form.value == Paint(title="A").model_dump(mode="json", exclude={"metadata", "note"})


def test_fields_of_every_kind_are_filled_in_by_hand(opened: Open) -> None:
    form = opened(Paint)
    page = form.page
    page.get_by_label("title").fill("Sky")
    page.get_by_label("colour").select_option("blue")
    page.get_by_label("strokes").fill("7")
    page.get_by_label("wet").uncheck()
    page.get_by_label("note").fill("two\nlines")
    page.get_by_label("shape", exact=True).select_option(label="Circle")
    page.get_by_label("x", exact=True).fill("3")
    page.get_by_label("y", exact=True).fill("4")
    page.get_by_label("radius").fill("1.5")
    page.get_by_role("button", name="Add item to weights").click()
    page.keyboard.type("0.25")
    page.get_by_role("button", name="Add key to labels").click()
    page.keyboard.type("__proto__")
    page.get_by_label("value of __proto__").fill("5")
    page.get_by_label("amount", exact=True).select_option(label="text")
    page.get_by_label("amount, text").fill("much")
    value = page.evaluate("JSON.stringify(form.value().value)")
    assert form.errors == []
    painted = Paint.model_validate_json(value)
    assert painted.model_dump(exclude={"metadata"}) == {
        "title": "Sky", "colour": "blue", "strokes": 7, "wet": False, "note": "two\nlines", "weights": [1.0, 0.25],
        "shape": {"kind": "circle", "centre": {"x": 3, "y": 4}, "radius": 1.5}, "size": (640, 480),
        "labels": {"__proto__": 5}, "amount": "much",
    }  # fmt: skip


ROUND_TRIPS: list[tuple[Any, Any]] = [
    (str, "two\nlines"),
    (str, "\r\n\0\u202e"),
    (str, ""),
    (int, -3),
    (float, 0.1),
    (float, 1e300),
    (bool, True),
    (str | None, None),
    (str | None, ""),
    (int | None, 0),
    (bool | None, False),
    (Literal["a", 1, None], 1),
    (list[int], [3, 1, 2]),
    (list[int], []),
    (list[list[str]], [["a"], []]),
    (list[int | None], [None, 1]),
    (tuple[int, str], [1, "a"]),
    (dict[str, int], {"constructor": 1, "": 2}),
    (dict[str, list[int]], {"a": [1]}),
    (Node, {"label": "a", "children": [{"label": "b", "children": [], "twin": {"label": "c", "children": []}}]}),
    (Circle | Box, {"kind": "box", "width": 1, "height": 2}),
    (Annotated[Circle | Box, Field(discriminator="kind")], {"kind": "circle", "radius": 2}),
    (Circle | None, None),
    (Circle | None, {"kind": "circle", "radius": 2}),
    (int | str | list[int], [1, 2]),
    (int | str, "1"),
    (Any, {"deep": [1, None, {"x": "y"}]}),
    (Any, None),
]


@pytest.mark.parametrize(("annotation", "value"), ROUND_TRIPS, ids=str)
def test_value_that_is_set_comes_out_as_it_went_in(opened: Open, annotation: Any, value: Any) -> None:
    form = opened(annotation)
    form.set({"it": value})
    assert form.value == {"it": value}
    assert form.page.get_by_role("button", name="Use the form").count() == 0


UNFIT: list[tuple[Any, Any]] = [
    (int, "three"),
    (str, 5),
    (bool, "yes"),
    (Literal["a"], "b"),
    (Literal["a", "b"], "c"),
    (list[int], {"0": 1}),
    (list[int], list(range(100_000))),
    (tuple[int, int], [1]),
    (tuple[int, int], [1, 2, 3]),
    (Circle, [1]),
    (Circle | Box, {"kind": "cone"}),
    (str, None),
]


@pytest.mark.parametrize(("annotation", "value"), UNFIT, ids=lambda value: str(value)[:40])
def test_value_the_form_has_no_place_for_is_shown_as_json_in_its_part(
    opened: Open, annotation: Any, value: Any
) -> None:
    form = opened(
        {"type": "object", "properties": {"it": _part(annotation), "other": {"type": "string"}}} | _defs(annotation)
    )
    form.set({"it": value, "other": "stays"})
    assert form.read()[0] == {"it": value, "other": "stays"}
    expect(form.page.get_by_label("it, as JSON")).to_be_visible()
    expect(form.page.get_by_label("other")).to_have_value("stays")
    form.page.get_by_role("button", name="Use the form").click()
    expect(form.page.get_by_label("it, as JSON")).to_have_count(0)


def _part(annotation: Any) -> Any:
    return create_model("Model", it=(annotation, ...)).model_json_schema()["properties"]["it"]


def _defs(annotation: Any) -> dict[str, Any]:
    schema = create_model("Model", it=(annotation, ...)).model_json_schema()
    return {"$defs": schema.get("$defs", {}), "required": ["it"]}


def test_keys_a_form_does_not_know_are_kept_and_shown(opened: Open) -> None:
    form = opened(EchoAction)
    form.set({"message": "a", "mesage": [1]})
    assert form.value == {"message": "a", "mesage": [1]}
    expect(form.page.get_by_label("Key in fields")).to_have_value("mesage")
    form.refuse([{"loc": ["mesage"], "msg": "Extra inputs are not permitted"}])
    assert form.shown_errors() == ["Extra inputs are not permitted"]


def test_integers_of_any_length_keep_their_digits(opened: Open) -> None:
    form = opened(int)
    form.page.get_by_label("it").fill("9007199254740993")
    written = "import('/static/json.js').then(({formatJson}) => formatJson(form.value().value))"
    assert form.page.evaluate(written) == '{"it":9007199254740993}'
    form.page.evaluate("form.mode('json')")
    assert "9007199254740993" in form.page.get_by_label("JSON").input_value()
    form.page.evaluate("form.mode('form')")
    assert form.page.evaluate(written) == '{"it":9007199254740993}'
    form.page.evaluate("form.mode('json')")
    form.page.get_by_label("JSON").fill('{"it":-' + "9" * 400 + "}")
    form.page.evaluate("form.mode('form')")
    assert form.page.evaluate(written) == '{"it":-' + "9" * 400 + "}"
    expect(form.page.get_by_label("it, as JSON")).to_be_visible()
