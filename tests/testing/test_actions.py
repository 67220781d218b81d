"""Actions made from a schema fit the class it came from, and the one that is made not to fit does not."""

import datetime
import decimal
import enum
import uuid
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from openenv import Action
from openenv.testing.actions import actions_for, misfit
from openenv.testing.schema import SchemaNotUnderstood


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


class Node(BaseModel):
    value: Annotated[int, Field(ge=3, lt=9, multiple_of=3)]
    next: "Node | None" = None


class Walk(BaseModel):
    kind: Literal["walk"]
    metres: float = Field(gt=0, le=10)


class Talk(BaseModel):
    kind: Literal["talk"]
    words: list[str] = Field(min_length=1, max_length=3)


class Everything(Action):
    message: str = Field(min_length=10, max_length=12)
    node: Node
    colour: Colour
    pair: tuple[int, str]
    scores: dict[str, float] = Field(default_factory=dict)
    letters: list[Literal["a", "b"]] = Field(min_length=3)
    id: uuid.UUID
    when: datetime.datetime
    share: float = Field(gt=0, lt=1)
    amount: decimal.Decimal
    several: set[int] = Field(default_factory=set)
    deed: Walk | Talk = Field(discriminator="kind")
    flag: bool
    below: int = Field(le=-5)
    nothing: None = None
    anything: Any = None
    described: str = Field(examples=["north", "south"])


@pytest.mark.parametrize("seed", range(20))
def test_made_actions_fit_their_class(seed: int) -> None:
    for action in actions_for(Everything.model_json_schema(), seed=seed, count=5):
        made = Everything.model_validate(action)
        assert made.described in ("north", "south")
        assert "metadata" not in action


def test_the_same_seed_makes_the_same_actions() -> None:
    schema = Everything.model_json_schema()
    assert actions_for(schema, seed=1, count=4) == actions_for(schema, seed=1, count=4)
    assert actions_for(schema, seed=1, count=4) != actions_for(schema, seed=2, count=4)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"code": {"type": "string", "pattern": "^[A-Z]{9}$"}}, "required": ["code"]},
        {"type": "object", "properties": {"no": {"not": {}}}, "required": ["no"]},
        {"type": "string"},
        {"$ref": "#/$defs/nowhere"},
    ],
)
def test_what_cannot_be_made_up_is_an_error_and_no_wrong_action(schema: Any) -> None:
    with pytest.raises(SchemaNotUnderstood):
        actions_for(schema, seed=0, count=1)


def test_parts_of_a_whole_are_put_together() -> None:
    part = {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}
    whole = {"allOf": [part], "properties": {"b": {"const": 2}}, "required": ["b"]}
    assert actions_for(whole, seed=0, count=1) == [{"a": 1, "b": 2}]


class Lenient(BaseModel):
    count: int


class Strictest(Action):
    message: str = Field(pattern="^a+$")


@pytest.mark.parametrize("model", [Everything, Lenient, Strictest, Walk])
def test_a_misfit_is_refused_by_its_class(model: type[BaseModel]) -> None:
    wrong = misfit(model.model_json_schema())
    assert wrong is not None
    with pytest.raises(ValidationError):
        model.model_validate(wrong)


def test_there_is_no_misfit_where_everything_fits() -> None:
    assert misfit({"type": "object"}) is None
    assert misfit(True) is None
