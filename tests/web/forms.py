"""A form in a bare page, and models that forms are made of."""

import json
from collections.abc import Callable
from typing import Any, Literal

from playwright.sync_api import Page
from pydantic import BaseModel, Field

__all__ = ["Box", "Circle", "Form", "Node", "Open"]

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
