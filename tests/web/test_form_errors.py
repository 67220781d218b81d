"""What is wrong with a form is said at its field, whoever says it."""

from typing import Annotated, Any, Literal

import pytest
from playwright.sync_api import expect
from pydantic import Field, ValidationError, create_model

from tests.support.echo import EchoAction
from tests.web.forms import Box, Circle, Node, Open

pytestmark = pytest.mark.slow


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
