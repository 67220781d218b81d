"""Actions made up from the schema of an action: some that fit it, and one that does not.

The same seed gives the same actions. Whatever is made is checked against the schema before it is given out, so where
the schema asks for something that cannot be guessed, a pattern say, there is an error and no wrong action.
"""

import random
from collections.abc import Mapping
from typing import Any

from openenv.testing.schema import Schema, SchemaNotUnderstood, resolved, violations

__all__ = ["actions_for", "misfit"]

_WORDS = ("hello", "a", "left", "42", "Hello, World!", "what now", "ok")
_FORMATS = {
    "date": "2024-02-29", "date-time": "2024-02-29T12:00:00Z", "duration": "P1D", "email": "someone@example.com",
    "ipv4": "127.0.0.1", "ipv6": "::1", "time": "12:00:00Z", "uri": "http://example.com/", "url": "http://example.com/",
    "uuid": "12345678-1234-4234-8234-123456789abc",
}  # fmt: skip
_SPAN = 8
_TRIES = 20
_MAX_DEPTH = 12
_NO_SUCH_FIELD = "no_such_field_openenv_validate"


def actions_for(schema: Schema, *, seed: int, count: int) -> list[dict[str, Any]]:
    """Make actions that fit the schema.

    Raises:
        SchemaNotUnderstood: None can be made; the reason is said.
    """
    chance = random.Random(seed)
    return [_one(schema, chance) for _ in range(count)]


def misfit(schema: Schema) -> dict[str, Any] | None:
    """Make an action that the schema refuses, and no lenient reader would take; None when it refuses nothing.

    Raises:
        SchemaNotUnderstood: The schema cannot be read.
    """
    try:
        fitting = _one(schema, random.Random(0))
    except SchemaNotUnderstood:
        fitting = {}
    root = resolved(schema, schema)
    properties = root.get("properties", {}) if isinstance(root, Mapping) else {}
    wrong = ({**fitting, name: {_NO_SUCH_FIELD: 1}} for name in properties)
    candidates = [{**fitting, _NO_SUCH_FIELD: 1}, *wrong, {}]
    return next((candidate for candidate in candidates if violations(candidate, schema)), None)


def _one(schema: Schema, chance: random.Random) -> dict[str, Any]:
    broken = ["it is no object"]
    for _ in range(_TRIES):
        made = _make(schema, schema, chance, 0)
        if isinstance(made, dict) and not (broken := violations(made, schema)):
            return made
    raise SchemaNotUnderstood(f"no action could be made up that fits the schema: {broken[0]}")


def _make(schema: Schema, root: Schema, chance: random.Random, depth: int) -> Any:
    schema = resolved(schema, root)
    if isinstance(schema, bool) or depth > _MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    for choices in (schema.get("enum"), schema.get("examples")):
        if choices and isinstance(choices, list):
            return chance.choice(choices)
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            return _make(_chosen(schema[keyword], depth, chance), root, chance, depth + 1)
    if schema.get("allOf"):
        return _all_of(schema, root, chance, depth)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = chance.choice([name for name in kind if name != "null"] or ["null"])
    match kind:
        case "string":
            return _string(schema, chance)
        case "integer" | "number":
            return _number(schema, chance, whole=kind == "integer")
        case "boolean":
            return chance.random() < 0.5
        case "array":
            return _array(schema, root, chance, depth)
        case "object":
            return _object(schema, root, chance, depth)
        case _:
            return None


def _chosen(choices: list[Any], depth: int, chance: random.Random) -> Any:
    """Pick an alternative: deep inside the emptiest, so that a recursive schema comes to an end."""
    nulls = [choice for choice in choices if isinstance(choice, Mapping) and choice.get("type") == "null"]
    others = [choice for choice in choices if choice not in nulls]
    # A number that may be written as text is not just any text.
    others = [c for c in others if isinstance(c, Mapping) and c.get("type") in ("integer", "number")] or others
    return chance.choice(nulls if nulls and (depth > 4 or not others) else others)


def _all_of(schema: Mapping[str, Any], root: Schema, chance: random.Random, depth: int) -> Any:
    parts = [_make(part, root, chance, depth + 1) for part in schema["allOf"]]
    rest = {key: value for key, value in schema.items() if key != "allOf"}
    if all(isinstance(part, dict) for part in parts):
        own = _object(rest, root, chance, depth) if "properties" in rest else {}
        return {key: value for part in (*parts, own) for key, value in part.items()}
    return parts[0]


def _string(schema: Mapping[str, Any], chance: random.Random) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    word = chance.choice(_WORDS)
    least = schema.get("minLength", 0)
    while len(word) < least:
        word += chance.choice(_WORDS)
    return word[: schema.get("maxLength", len(word))]


def _number(schema: Mapping[str, Any], chance: random.Random, *, whole: bool) -> int | float:
    step = schema.get("multipleOf", 1 if whole else None)
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    low = max(lows) if lows else (min(highs) - _SPAN if highs else 0)
    high = min(highs) if highs else low + _SPAN
    if step:
        # Ends that are excluded are drawn now and then; what was made is checked, and drawn anew.
        made = chance.randint(round(low / step), max(round(low / step), int(high // step))) * step
        return int(made) if whole else made
    return chance.uniform(low, high)


def _array(schema: Mapping[str, Any], root: Schema, chance: random.Random, depth: int) -> list[Any]:
    made = [_make(item, root, chance, depth + 1) for item in schema.get("prefixItems", ())]
    least = schema.get("minItems", 0)
    wanted = min(max(least, chance.randint(0, 2)), schema.get("maxItems", max(least, 2)))
    while len(made) < wanted:
        made.append(_make(schema.get("items", True), root, chance, depth + 1))
    return made


def _object(schema: Mapping[str, Any], root: Schema, chance: random.Random, depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    # `metadata` is the base class's and means nothing to an environment.
    names = [n for n in schema.get("properties", {}) if n in required or (n != "metadata" and chance.random() < 0.5)]
    return {name: _make(schema["properties"][name], root, chance, depth + 1) for name in names}
