"""The validator says no where a schema does, and refuses to judge by a keyword it does not know."""

import math
from typing import Any

import pytest

from openenv.testing.schema import SchemaNotUnderstood, resolved, violations

A_TREE = {
    "$ref": "#/$defs/tree",
    "$defs": {
        "tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}, "value": {"type": "integer"}}}
    },
}


@pytest.mark.parametrize(
    ("schema", "fits", "breaks"),
    [
        ({"type": "integer"}, [1, 1.0, -3], [1.5, True, "1", None]),
        ({"type": "number"}, [1, 1.5], [True, "1", math.nan, math.inf]),
        ({"type": "boolean"}, [True], [0, "true"]),
        ({"type": "null"}, [None], [0, False]),
        ({"type": ["string", "null"]}, ["", None], [1]),
        ({"enum": [1, "a", None]}, [1, 1.0, "a", None], [True, "b"]),
        ({"const": {"a": [1]}}, [{"a": [1]}, {"a": [1.0]}], [{"a": [True]}, {"a": [1], "b": 2}]),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, ["a", 3], [2]),
        ({"oneOf": [{"type": "integer"}, {"minimum": 3}]}, [2, 3.5], [4, 2.5]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2], [0, 3]),
        ({"not": {"type": "string"}}, [1], ["a"]),
        ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 5}}, ["ab", 5], ["a", 4]),
        ({"minimum": 1, "maximum": 3}, [1, 3, "not a number"], [0, 4]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
        ({"multipleOf": 0.1}, [0.3, 7], [0.35]),
        ({"minLength": 1, "maxLength": 2}, ["a", "ab", 5], ["", "abc"]),
        ({"pattern": "^a+$"}, ["aa", 5], ["b"]),
        (
            {"items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
            [[1], [1, 2], "no list"],
            [[], [1, 2, 3], ["a"]],
        ),
        ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [["a", 1], [1]]),
        ({"uniqueItems": True}, [[1, 2], [1, True]], [[1, 1.0], [{}, {}]]),
        ({"contains": {"const": 1}, "maxContains": 2}, [[1], [1, 1, 2]], [[], [2], [1, 1, 1]]),
        (
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            [{"a": 1, "b": 2}, "no object"],
            [{}, {"a": ""}],
        ),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {}], [{"b": 1}]),
        ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "1"}]),
        (
            {"patternProperties": {"^x": {"type": "null"}}, "additionalProperties": False},
            [{"xa": None}],
            [{"xa": 1}, {"a": None}],
        ),
        ({"propertyNames": {"maxLength": 1}}, [{"a": 1}], [{"ab": 1}]),
        ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 2}]),
        ({"dependentRequired": {"a": ["b"]}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
        (A_TREE, [{}, {"left": {"left": {"value": 1}}}], [{"left": {"left": {"value": "1"}}}, 5]),
        (True, [1, None], []),
        (False, [], [1, None]),
        ({"title": "T", "format": "uuid", "default": 1, "x-own": 1, "discriminator": {}}, ["anything"], []),
    ],
)
def test_values_are_judged_as_the_schema_says(schema: Any, fits: list[Any], breaks: list[Any]) -> None:
    assert [value for value in fits if violations(value, schema)] == []
    assert [value for value in breaks if not violations(value, schema)] == []


def test_a_violation_says_where_it_is() -> None:
    schema = {"properties": {"rooms": {"items": {"properties": {"size": {"type": "integer"}}}}}}
    assert violations({"rooms": [{"size": 1}, {"size": "big"}]}, schema) == [
        "rooms.1.size is 'big', not of type integer"
    ]


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"unevaluatedProperties": False}, "the keyword 'unevaluatedProperties', which is not known"),
        ({"$ref": "http://example.com/schema"}, "which is not in it"),
        ({"$ref": "#/$defs/nowhere"}, "which it does not have"),
        ({"$ref": "#"}, "leads deeper than 100 levels"),
        ({"type": "text"}, "there is no type 'text'"),
        ({"pattern": "("}, "which makes no sense"),
        ({"anyOf": 5}, "which makes no sense"),
        ({"properties": {"a": 5}}, "5 stands where a schema should"),
    ],
)
def test_a_schema_that_is_not_understood_lets_nothing_pass(schema: Any, reason: str) -> None:
    with pytest.raises(SchemaNotUnderstood) as raised:
        violations({"a": "text"} if "properties" in schema else "text", schema)
    assert reason in str(raised.value)


def test_references_are_followed_and_circles_are_not() -> None:
    assert resolved(A_TREE, A_TREE) is A_TREE["$defs"]["tree"]  # type: ignore[index]  # it has them
    circle = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    with pytest.raises(SchemaNotUnderstood, match="in a circle"):
        resolved(circle, circle)


def test_keys_with_slashes_can_be_referred_to() -> None:
    schema = {"$ref": "#/$defs/a~1b~0c", "$defs": {"a/b~c": {"type": "null"}}}
    assert violations(1, schema)
