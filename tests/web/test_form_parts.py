"""Parts of a form that come and go: lists, branches of a union, what is not set, and metadata."""

from typing import Annotated

import pytest
from playwright.sync_api import expect
from pydantic import Field, create_model

from tests.support.echo import EchoAction
from tests.web.forms import Box, Circle, Open

pytestmark = pytest.mark.slow


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
