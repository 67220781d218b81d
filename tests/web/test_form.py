"""`form.js` and its fields: what is filled in comes out, nothing is lost, and errors find their place."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect
from pydantic import BaseModel, Field, ValidationError, create_model

from openenv import Action
from tests.support.echo import EchoAction
from tests.web.painter import Paint

pytestmark = pytest.mark.slow

_OPEN = """async (schema) => {
    const { createForm } = await import("/static/form.js");
    window.submitted = [];
    window.changes = 0;
    window.form = createForm(JSON.parse(schema), {
        idPrefix: "f", onSubmit: (value) => submitted.push(value), onChange: () => (changes += 1),
    });
    document.querySelector("main").append(form.element);
}"""


class Form:
    """A form in a page, read and filled in by its own interface; the rest is done by the page's locators."""

    def __init__(self, page: Page, schema: Any) -> None:
        self.page = page
        page.evaluate(_OPEN, json.dumps(schema))

    def read(self) -> tuple[Any, list[tuple[list[Any], str]]]:
        found = self.page.evaluate("form.value()")
        return found["value"], [(error["path"], error["message"]) for error in found["errors"]]

    @property
    def value(self) -> Any:
        value, errors = self.read()
        assert errors == []
        return value

    @property
    def errors(self) -> list[tuple[list[Any], str]]:
        return self.read()[1]

    def set(self, value: Any) -> None:
        self.page.evaluate("(value) => form.set(value)", value)

    def refuse(self, errors: Any) -> None:
        self.page.evaluate("(errors) => form.showErrors(errors)", errors)

    def shown_errors(self) -> list[str]:
        texts: list[str] = self.page.locator(".field-error:visible").all_inner_texts()
        return texts


Open = Callable[[Any], Form]


@pytest.fixture
def opened(bare: Page) -> Open:
    """Open a form for a model, or for a schema, or for one field called `it`."""

    def opened(of: Any) -> Form:
        if isinstance(of, dict):
            return Form(bare, of)
        if isinstance(of, type) and issubclass(of, Action):
            return Form(bare, of.model_json_schema())
        return Form(bare, create_model("Model", it=(of, ...)).model_json_schema())

    return opened


class Node(BaseModel):
    """A tree."""

    label: str = "leaf"
    children: list["Node"] = []
    twin: "Node | None" = None


class Circle(BaseModel):
    """Round."""

    kind: Literal["circle"] = "circle"
    radius: float = Field(gt=0)


class Box(BaseModel):
    kind: Literal["box"] = "box"
    width: int
    height: int = 2


# ---- what comes out


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


def test_metadata_stays_out_of_sight_until_it_is_asked_for_or_holds_something(opened: Open) -> None:
    form = opened(EchoAction)
    form.page.get_by_label("message").fill("hi")
    assert form.value == {"message": "hi"}
    key = form.page.get_by_label("Key in metadata")
    form.set({"message": "hi", "metadata": {"run": 3}})
    expect(key).to_have_value("run")
    assert form.value == {"message": "hi", "metadata": {"run": 3}}


def test_metadata_can_be_added_by_hand(opened: Open) -> None:
    form = opened(EchoAction)
    form.page.get_by_role("button", name="Add metadata").click()
    form.page.get_by_role("button", name="Add key to metadata").click()
    form.page.keyboard.type("run")
    form.page.get_by_label("value of run").fill("[1]")
    assert form.value == {"message": "", "metadata": {"run": [1]}}


def test_not_set_is_null_only_where_leaving_away_would_mean_something_else(opened: Open) -> None:
    model = create_model(
        "Model",
        a=(int | None, ...),
        b=(int | None, 5),
        c=(int | None, None),
        d=(list[int], Field(default_factory=list)),
    )
    form = opened(model.model_json_schema())
    assert form.value == {"a": None, "b": 5}
    form.page.get_by_label("b", exact=True).fill("")
    assert form.value == {"a": None, "b": None}
    expect(form.page.get_by_label("d", exact=True)).to_have_value("")
    form.page.get_by_label("d", exact=True).select_option(label="set")
    assert form.value == {"a": None, "b": None, "d": []}


def test_endless_schema_is_built_as_far_as_needed(opened: Open) -> None:
    root = {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}, "required": ["next"]}}}
    form = opened(root)
    form.page.get_by_placeholder("JSON").fill("{}")
    value = form.value
    for _ in range(12):
        value = value["next"]
    assert form.page.locator(".field").count() < 20


def test_items_are_added_moved_and_removed_by_keyboard(opened: Open) -> None:
    form = opened(list[str])
    page = form.page
    page.get_by_role("button", name="Add item to it").focus()
    for text in ("one", "two", "three"):
        page.get_by_role("button", name="Add item to it").press("Enter")
        page.keyboard.type(text)
    page.get_by_role("button", name="Move item 3 of it up").press("Enter")
    assert form.value == {"it": ["one", "three", "two"]}
    expect(page.get_by_role("button", name="Move item 2 of it up")).to_be_focused()
    page.get_by_role("button", name="Remove item 1 of it").press("Enter")
    assert form.value == {"it": ["three", "two"]}
    expect(page.get_by_role("button", name="Remove item 1 of it")).to_be_focused()
    assert page.locator(":focus").count() == 1


def test_list_and_tuple_have_no_more_items_than_they_may(opened: Open) -> None:
    model = create_model("Model", few=(Annotated[list[int], Field(max_length=1)], []), pair=(tuple[int, int], (1, 2)))
    form = opened(model.model_json_schema())
    add = form.page.get_by_role("button", name="Add item to few")
    add.click()
    expect(add).to_be_disabled()
    expect(form.page.get_by_role("button", name="Add item to pair")).to_be_hidden()
    assert form.page.get_by_role("button", name="of pair").count() == 0


def test_branch_keeps_what_was_filled_in_while_another_is_looked_at(opened: Open) -> None:
    form = opened(Annotated[Circle | Box, Field(discriminator="kind")])
    choice = form.page.get_by_label("it", exact=True)
    form.page.get_by_label("radius").fill("2")
    choice.select_option(label="Box")
    form.page.get_by_label("width").fill("3")
    assert form.value == {"it": {"kind": "box", "width": 3, "height": 2}}
    choice.select_option(label="Circle")
    assert form.value == {"it": {"kind": "circle", "radius": 2}}


def test_read_only_field_cannot_be_changed_and_is_sent(opened: Open) -> None:
    form = opened({"properties": {"it": {"type": "string", "readOnly": True, "default": "fixed"}}})
    expect(form.page.get_by_label("it")).not_to_be_editable()
    assert form.value == {"it": "fixed"}


# ---- errors

CHECKED: list[tuple[Any, str, str]] = [
    (Annotated[int, Field(ge=1)], "0", "Input should be greater than or equal to 1"),
    (int, "1.5", "Input should be a valid integer, got a number with a fractional part"),
    (int, "", "Field required"),
    (Annotated[str, Field(pattern="^[A-Z]")], "a", "String should match pattern '^[A-Z]'"),
    (Annotated[str, Field(min_length=2)], "a", "String should have at least 2 characters"),
    (Any, "{", "This is not JSON"),
]


@pytest.mark.parametrize(("annotation", "text", "message"), CHECKED, ids=str)
def test_error_is_said_at_the_field_when_it_is_left_and_goes_when_it_is_edited(
    opened: Open, annotation: Any, text: str, message: str
) -> None:
    form = opened(annotation)
    field = form.page.get_by_label("it")
    field.fill("1")
    field.fill(text)
    field.blur()
    assert form.errors[0][0] == ["it"]
    assert form.errors[0][1].startswith(message)
    assert form.page.evaluate("form.validate()") is False
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    described = field.get_attribute("aria-describedby") or ""
    texts = [form.page.locator(f"#{each}").inner_text() for each in described.split()]
    assert any(each.startswith(message) for each in texts)
    field.press_sequentially("1")
    expect(form.page.locator("[aria-invalid=true]")).to_have_count(0)


def test_choice_that_was_not_made_is_an_error(opened: Open) -> None:
    form = opened(Literal["a", "b"])
    assert form.errors == [(["it"], "Field required")]


def test_same_key_twice_is_an_error(opened: Open) -> None:
    form = opened(dict[str, int])
    for _ in "ab":
        form.page.get_by_role("button", name="Add key to it").click()
        form.page.keyboard.type("same")
    assert (["it"], "Keys should differ, and 'same' is there twice") in form.errors


REFUSED: list[tuple[Any, Any, list[str]]] = [
    (int, {"it": "x"}, ["it"]),
    (list[int], {"it": [1, "x"]}, ["item 2"]),
    (Node, {"it": {"children": [{"label": 3}]}}, ["label"]),
    (dict[str, int], {"it": {"a": "x"}}, ["value of a"]),
    (tuple[int, str], {"it": ["x", "y"]}, ["item 1"]),
    (Annotated[Circle | Box, Field(discriminator="kind")], {"it": {"kind": "box", "width": "x"}}, ["width"]),
    (Circle | Box, {"it": {"kind": "circle", "radius": -1}}, ["radius"]),
    (int | list[int], {"it": [1, "x"]}, ["item 2"]),
    (Circle | None, {"it": {"radius": -1}}, ["radius"]),
    (Annotated[str, Field(pattern="^a")] | int, {"it": "b"}, ["it, text"]),
]


@pytest.mark.parametrize(("annotation", "value", "labels"), REFUSED, ids=lambda value: str(value)[:60])
def test_errors_of_pydantic_find_their_field(opened: Open, annotation: Any, value: Any, labels: list[str]) -> None:
    model = create_model("Model", it=(annotation, ...))
    with pytest.raises(ValidationError) as caught:
        model.model_validate(value)
    form = opened(annotation)
    form.set(value)
    form.refuse([{"loc": list(error["loc"]), "msg": error["msg"]} for error in caught.value.errors()])
    wrong = form.page.locator(".field[data-invalid]")
    expect(wrong).to_have_count(len(labels))
    assert [each.locator(".field-label").first.inner_text() for each in wrong.all()] == labels
    form.page.evaluate("form.clearErrors()")
    expect(wrong).to_have_count(0)


def test_error_about_another_branch_is_said_at_the_choice_rather_than_nowhere(opened: Open) -> None:
    form = opened(Circle | Box)
    form.refuse([{"loc": ["it", "Box", "width"], "msg": "Field required"}])
    assert form.shown_errors() == ["Field required"]
    expect(form.page.get_by_label("it", exact=True)).to_have_attribute("aria-invalid", "true")


def test_error_of_the_whole_and_one_of_no_field_are_said_below(opened: Open) -> None:
    form = opened(EchoAction)
    form.refuse([{"loc": [], "msg": "Value error, no"}, {"loc": ["nowhere", 1], "msg": "Wrong"}])
    assert form.page.get_by_role("alert").inner_text() == "Value error, no\nnowhere.1: Wrong"


# ---- keyboard, JSON, help for all readers


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
