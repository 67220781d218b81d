"""`schema.js` and `check.js`: what the page reads in a JSON schema, and that it says what pydantic would."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from playwright.sync_api import Page
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from openenv import Action
from tests.support.echo import EchoAction

pytestmark = pytest.mark.slow

Ask = Callable[..., Any]


@pytest.fixture
def ask(bare: Page) -> Ask:
    """Call an export of a module in the browser with JSON arguments."""

    def ask(module: str, function: str, *arguments: Any) -> Any:
        call = "async ([module, name, given]) => (await import(`/static/${module}.js`))[name](...given)"
        return bare.evaluate(call, [module, function, list(arguments)])

    return ask


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str


class Node(BaseModel):
    label: str = "leaf"
    children: list["Node"] = []
    twin: "Node | None" = None


def schema_of(annotation: Any, default: Any = ...) -> Any:
    """Give the schema of a model with one field, `it`."""
    return create_model("Model", it=(annotation, default)).model_json_schema()


KINDS: list[tuple[Any, str, bool]] = [
    (str, "text", False),
    (int, "number", False),
    (float, "number", False),
    (bool, "boolean", False),
    (Colour, "enum", False),
    (Literal["a", "b"], "enum", False),
    (Literal["a"], "const", False),
    (list[int], "array", False),
    (tuple[int, str], "array", False),
    (Cat, "object", False),
    (dict[str, int], "map", False),
    (Cat | Dog, "union", False),
    (Annotated[Cat | Dog, Field(discriminator="kind")], "union", False),
    (int | str, "union", False),
    (str | None, "text", True),
    (Colour | None, "enum", True),
    (Literal["a", None], "enum", True),
    (Cat | None, "object", True),
    (int | str | None, "union", True),
    (Any, "json", False),
]


@pytest.mark.parametrize(("annotation", "kind", "can_be_unset"), KINDS, ids=lambda value: str(value))
def test_kind_of_field_follows_the_type(ask: Ask, annotation: Any, kind: str, can_be_unset: bool) -> None:
    schema = schema_of(annotation)
    plan = ask("schema", "planOf", schema["properties"]["it"], schema)
    assert (plan["kind"], plan["canBeUnset"]) == (kind, can_be_unset)


def test_references_lead_on_and_words_beside_them_win(ask: Ask) -> None:
    root = {"$defs": {"a/b": {"$ref": "#/$defs/c", "title": "b"}, "c": {"type": "integer", "title": "c", "minimum": 1}}}
    found = ask("schema", "resolve", {"$ref": "#/$defs/a~1b", "description": "beside"}, root)
    assert found == {"type": "integer", "title": "b", "minimum": 1, "description": "beside"}


@pytest.mark.parametrize(
    "reference", ["#/$defs/round", "#/$defs/none", "#/$defs/__proto__", "other.json#/x", "#/$defs/constructor/name"]
)
def test_reference_that_leads_nowhere_is_anything(ask: Ask, reference: str) -> None:
    root = {"$defs": {"round": {"$ref": "#/$defs/round"}}}
    assert ask("schema", "resolve", {"$ref": reference}, root) == {}
    assert ask("schema", "planOf", {"$ref": reference}, root)["kind"] == "json"


def test_all_of_is_merged_and_one_in_a_circle_ends(ask: Ask) -> None:
    parts = [
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "integer"}}, "required": ["b"], "title": "Both"},
    ]
    found = ask("schema", "resolve", {"allOf": parts}, {})
    assert (sorted(found["properties"]), found["required"], found["title"]) == (["a", "b"], ["a", "b"], "Both")
    root = {"$defs": {"me": {"allOf": [{"$ref": "#/$defs/me"}]}}}
    assert isinstance(ask("schema", "resolve", {"$ref": "#/$defs/me"}, root), dict)


@pytest.mark.parametrize(
    "annotation",
    [
        str, int, bool, Colour, Literal["x", "y"], list[int], tuple[int, str], Cat, Dog, Node, dict[str, int],
        Cat | Dog, int | None, Annotated[int, Field(ge=3)], Annotated[float, Field(gt=0)], Annotated[int, Field(lt=-4)],
        Annotated[list[int], Field(min_length=2)],
    ],
    ids=str,
)  # fmt: skip
def test_value_a_form_starts_with_has_the_right_type(ask: Ask, annotation: Any) -> None:
    model = create_model("Model", it=(annotation, ...))
    schema = model.model_json_schema()
    model.model_validate(ask("schema", "emptyValue", schema, schema))


def test_value_made_up_from_an_endless_schema_ends(ask: Ask) -> None:
    root = {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"next": {"$ref": "#/$defs/n"}}, "required": ["next"]}}}
    assert "next" in ask("schema", "emptyValue", root, root)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str, "text"),
        (Annotated[str, Field(min_length=2, max_length=5)], "text, 2 to 5 characters"),
        (Annotated[str, Field(min_length=1)], "text, at least 1 character"),
        (Annotated[str, Field(max_length=1)], "text, at most 1 character"),
        (Annotated[str, Field(min_length=0)], "text"),
        (Annotated[int, Field(ge=1, le=10)], "integer, 1 to 10"),
        (Annotated[float, Field(gt=0)], "number, more than 0"),
        (Annotated[int, Field(multiple_of=5)], "integer, a multiple of 5"),
        (int | None, "integer or not set"),
        (list[int], "list of integer"),
        (tuple[int, str], "integer and text"),
        (dict[str, bool], "map to yes or no"),
        (int | str, "integer or text"),
        (Cat, "Cat"),
        (Annotated[Cat | Dog, Field(discriminator="kind")], "cat or dog"),
        (Node, "Node"),
    ],
    ids=str,
)
def test_what_a_field_takes_is_said_in_words(ask: Ask, annotation: Any, words: str) -> None:
    schema = schema_of(annotation)
    assert ask("schema", "describe", schema["properties"]["it"], schema) == words


class Talk(Action):
    say: str
    note: str = ""


class Tagged(Action):
    kind: Literal["say"] = "say"
    text: str


class Choice(Action):
    say: Literal["yes", "no"]


class Open(Action):
    model_config = ConfigDict(extra="allow")
    say: str


@pytest.mark.parametrize(
    ("action", "fits"),
    [(EchoAction, True), (Tagged, True), (Talk, False), (Choice, False), (Open, False), (Cat, False)],
)
def test_chat_is_one_required_text_and_nothing_else(ask: Ask, action: type[BaseModel], fits: bool) -> None:
    assert ask("schema", "isChat", action.model_json_schema()) is fits


WRONG: list[tuple[Any, Any]] = [
    (Annotated[int, Field(ge=1)], 0),
    (Annotated[int, Field(gt=1)], 1),
    (Annotated[int, Field(le=9)], 10),
    (Annotated[float, Field(lt=0.5)], 0.5),
    (Annotated[float, Field(ge=1)], 0.5),
    (Annotated[int, Field(multiple_of=5)], 7),
    (Annotated[float, Field(multiple_of=0.25)], 0.3),
    (int, 1.5),
    (Annotated[str, Field(min_length=1)], ""),
    (Annotated[str, Field(min_length=3)], "😀a"),
    (Annotated[str, Field(max_length=1)], "ab"),
    (Annotated[str, Field(pattern="^[a-z]+$")], "A"),
    (Annotated[list[int], Field(min_length=2)], [1]),
    (Annotated[list[int], Field(max_length=1)], [1, 2, 3]),
]


@pytest.mark.parametrize(("annotation", "value"), WRONG, ids=str)
def test_complaint_is_the_servers_sentence(ask: Ask, annotation: Any, value: Any) -> None:
    model = create_model("Model", it=(annotation, ...))
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"it": value})
    schema = model.model_json_schema()
    plan = ask("schema", "planOf", schema["properties"]["it"], schema)
    assert ask("check", "complaint", plan["schema"], value) == caught.value.errors()[0]["msg"]


@pytest.mark.parametrize("values", [["a", "b", "c"], ["a"], [1, "b"]])
def test_complaint_about_a_choice_is_the_servers_sentence(ask: Ask, values: list[Any]) -> None:
    choice: Any = Literal[tuple(values)]
    with pytest.raises(ValidationError) as caught:
        create_model("Model", it=(choice, ...)).model_validate({"it": "other"})
    assert ask("check", "choiceComplaint", values) == caught.value.errors()[0]["msg"]


RIGHT: list[tuple[Any, Any]] = [
    (Annotated[float, Field(multiple_of=0.1)], 0.3),
    (Annotated[str, Field(max_length=1)], "😀"),
    (Annotated[int, Field(ge=1, le=1)], 1),
    (Annotated[str, Field(json_schema_extra={"pattern": "(?P<python>only"})], "left to the server"),
]


@pytest.mark.parametrize(("annotation", "value"), RIGHT, ids=str)
def test_what_the_server_takes_is_not_complained_about(ask: Ask, annotation: Any, value: Any) -> None:
    model = create_model("Model", it=(annotation, ...))
    model.model_validate({"it": value})
    schema = model.model_json_schema()["properties"]["it"]
    assert ask("check", "complaint", schema, value) is None


@pytest.mark.parametrize(
    "value", [{"kind": "cat"}, {"kind": "dog", "name": "Rex"}, {"name": "Rex"}, {"kind": "cow"}, 3]
)
def test_branches_accept_what_pydantic_accepts(ask: Ask, value: Any) -> None:
    for model in (Cat, Dog):
        schema = model.model_json_schema()
        try:
            model.model_validate(value)
            fits = True
        except ValidationError:
            fits = False
        assert ask("check", "accepts", schema, value, schema) is fits
