"""What `reset` takes is read off its signature, parameter by parameter, whatever else is wrong with it."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from openenv.env import spec_of
from openenv.env.signature import ANY_RESET, reset_schema
from openenv.types import Action, Observation, State
from tests.support.echo import AsyncEcho, EchoEnvironment

if TYPE_CHECKING:
    from decimal import Decimal as Hidden

ANYTHING: dict[str, Any] = {}


class Deck(BaseModel):
    cards: list[int] = [1, 2]


class Opaque:
    """No type that JSON schema, or pydantic, has a word for."""


class Small:
    def step(self, action: Action) -> Observation:
        return Observation()

    @property
    def state(self) -> State:
        return State()


def schema_of(reset: Callable[..., Any]) -> dict[str, Any]:
    schema = reset_schema(spec_of(type("Made", (Small,), {"reset": reset})))
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema
    return schema


def properties_of(reset: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema_of(reset)["properties"]
    return found


# Signatures that say little, or nothing that makes sense.


def test_parameter_without_a_type_is_anything() -> None:
    assert properties_of(lambda self, level, depth=3: 0) == {"level": ANYTHING, "depth": {"default": 3}}


def test_type_that_does_not_resolve_hides_no_other() -> None:
    def reset(
        self: Any,
        gone: "NoSuchName" = None,  # type: ignore[name-defined]  # noqa: F821
        hidden: "Hidden | None" = None,
        odd: "1 +" = 0,  # type: ignore[valid-type]  # noqa: F722
        level: "int" = 1,
    ) -> None: ...

    found = properties_of(reset)
    assert found["level"] == {"type": "integer", "default": 1}
    assert [found[name] for name in ("gone", "hidden", "odd")] == [{"default": None}, {"default": None}, {"default": 0}]


def test_type_that_pydantic_does_not_know_is_anything_and_its_default_is_left_out() -> None:
    def reset(self: Any, canvas: Opaque = Opaque(), *, number: 5 = 5, infinite: float = float("inf")) -> None: ...  # type: ignore[valid-type]  # noqa: B008

    assert properties_of(reset) == {"canvas": ANYTHING, "number": {"default": 5}, "infinite": {"type": "number"}}


def test_what_cannot_be_given_by_name_is_left_out() -> None:
    def reset(self: Any, first: int = 0, /, *others: int, level: int = 1) -> None: ...

    assert properties_of(reset).keys() == {"level"}


def test_time_limit_is_no_option() -> None:
    assert schema_of(lambda self, timeout_s=None: 0)["properties"] == {}


# Signatures as they should be.


def test_types_defaults_and_bounds_are_those_of_the_signature() -> None:
    def reset(
        self: Any,
        level: Literal["easy", "hard"] = "easy",
        cards: Annotated[int, Field(ge=1, le=9, description="In each hand.")] = 5,
        deck: Deck = Deck(),  # noqa: B008
        names: tuple[str, ...] = (),
        *,
        map_name: str,
    ) -> None: ...

    schema = schema_of(reset)
    found = schema["properties"]
    assert found["level"] == {"enum": ["easy", "hard"], "type": "string", "default": "easy"}
    assert found["cards"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "description": "In each hand.",
        "default": 5,
    }
    assert found["deck"] == {"$ref": "#/$defs/Deck", "default": {"cards": [1, 2]}}
    assert schema["$defs"]["Deck"]["properties"]["cards"]["type"] == "array"
    assert found["names"]["default"] == []
    assert schema["required"] == ["map_name"]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert list(found) == ["level", "cards", "deck", "names", "map_name"]


@pytest.mark.parametrize("reset", [lambda self, seed=None, episode_id=None: 0, EchoEnvironment.reset, AsyncEcho.reset])
def test_seed_and_episode_id_are_described_as_the_server_checks_them(reset: Callable[..., Any]) -> None:
    found = properties_of(reset)
    assert found == ANY_RESET["properties"]
    assert found["seed"]["anyOf"] == [{"type": "integer", "minimum": 0}, {"type": "null"}]


def test_seed_of_a_type_of_its_own_keeps_it() -> None:
    def reset(self: Any, seed: Annotated[int, Field(le=99)] = 7) -> None: ...

    assert properties_of(reset) == {"seed": {"type": "integer", "maximum": 99, "default": 7}}


def test_signature_that_takes_anything_says_so() -> None:
    schema = schema_of(lambda self, level=1, **options: 0)
    assert schema["additionalProperties"] is True
    assert schema["properties"].keys() == {"seed", "episode_id", "level"}


def test_signature_that_takes_nothing_says_so() -> None:
    schema = schema_of(lambda self: 0)
    assert (schema["properties"], schema["additionalProperties"]) == ({}, False)


def test_docstring_describes_what_the_types_do_not() -> None:
    def reset(
        self: Any, level: int = 1, depth: Annotated[int, Field(description="Own.")] = 2, seed: Any = None
    ) -> None:
        """Begin.

        Args:
            level (int): How hard
                it is.

            depth: Not this.
            seed: Shuffles.

        Raises:
            ValueError: Never.
        """

    found = properties_of(reset)
    assert [found[name]["description"] for name in ("level", "depth", "seed")] == [
        "How hard it is.",
        "Own.",
        "Shuffles.",
    ]


def test_async_twin_is_described_where_a_class_writes_one() -> None:
    class Twins(EchoEnvironment):
        async def reset_async(self, level: int = 1) -> Any: ...

    assert reset_schema(spec_of(Twins))["properties"].keys() == {"level"}


def test_class_is_described_once() -> None:
    assert reset_schema(spec_of(EchoEnvironment)) is reset_schema(spec_of(EchoEnvironment))
