"""JSON schema, as far as checking a value against what `/schema` says needs it.

Knows the keywords of draft 2020-12 that assert something, apart from those that refer to other documents or to what
other keywords have looked at. A keyword it does not know raises: a value is never called valid by leaving a rule out.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openenv.errors import OpenEnvError

__all__ = ["SchemaNotUnderstood", "resolved", "violations"]

Schema = Mapping[str, Any] | bool

_MAX_DEPTH = 100

# They describe, and assert nothing; `format` does only on request, and `discriminator` repeats `oneOf`.
_ANNOTATIONS = frozenset({
    "$anchor", "$comment", "$defs", "$id", "$schema", "$vocabulary", "contentEncoding", "contentMediaType",
    "contentSchema", "default", "definitions", "deprecated", "description", "discriminator", "example",
    "examples", "externalDocs", "format", "readOnly", "title", "writeOnly", "xml",
})  # fmt: skip
# Read by the keyword they go with.
_COMPANIONS = frozenset({"then", "else", "minContains", "maxContains"})

_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: _is_number(v) and (isinstance(v, int) or v.is_integer()),
    "number": lambda v: _is_number(v),
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


class SchemaNotUnderstood(OpenEnvError):
    """A schema says something that cannot be checked here, or is no schema."""


def violations(value: Any, schema: Schema) -> list[str]:
    """List where a JSON value breaks a schema; empty when it fits.

    Raises:
        SchemaNotUnderstood: The schema has a keyword that is not known here, or refers to what is not there.
    """
    return list(_check(value, schema, schema, "", 0))


def resolved(schema: Schema, root: Schema) -> Schema:
    """Follow a `$ref` within a document; a schema without one is given back.

    Raises:
        SchemaNotUnderstood: It leads out of the document, nowhere, or in a circle.
    """
    for _ in range(_MAX_DEPTH):
        if isinstance(schema, bool) or "$ref" not in schema:
            return schema
        schema = _target(schema["$ref"], root)
    raise SchemaNotUnderstood("the schema has a $ref that leads in a circle")


def _target(reference: Any, root: Schema) -> Schema:
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise SchemaNotUnderstood(f"the schema refers to {reference!r}, which is not in it")
    found: Any = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or key not in found:
            raise SchemaNotUnderstood(f"the schema refers to {reference!r}, which it does not have")
        found = found[key]
    return _schema(found)


def _schema(found: Any) -> Schema:
    if not isinstance(found, Mapping | bool):
        raise SchemaNotUnderstood(f"{found!r} stands where a schema should")
    return found


def _check(value: Any, schema: Schema, root: Schema, at: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise SchemaNotUnderstood("the schema leads deeper than 100 levels")
    if isinstance(schema, bool):
        if not schema:
            yield f"{at or 'it'} must not be there"
        return
    for keyword, said in schema.items():
        if keyword in _ANNOTATIONS or keyword in _COMPANIONS or keyword.startswith("x-"):
            continue
        rule = _RULES.get(keyword)
        if rule is None:
            raise SchemaNotUnderstood(f"the schema has the keyword {keyword!r}, which is not known here")
        try:
            yield from rule(_Place(value, schema, root, at, depth), said)
        except (TypeError, AttributeError, ValueError, re.error) as error:
            raise SchemaNotUnderstood(f"the schema says {keyword}: {said!r}, which makes no sense: {error}") from error


class _Place:
    """A value, the schema it stands under, and where that is."""

    def __init__(self, value: Any, schema: Mapping[str, Any], root: Schema, at: str, depth: int) -> None:
        self.value, self.schema, self.at = value, schema, at
        self._root, self._depth = root, depth

    @property
    def name(self) -> str:
        return self.at or "it"

    def under(self, schema: Any) -> Iterator[str]:
        """Check this value under another schema."""
        return _check(self.value, _schema(schema), self._root, self.at, self._depth + 1)

    def fits(self, schema: Any) -> bool:
        return next(self.under(schema), None) is None

    def inner(self, key: object, value: Any, schema: Any) -> Iterator[str]:
        """Check a part of this value."""
        return _check(value, _schema(schema), self._root, f"{self.at}.{key}" if self.at else str(key), self._depth + 1)

    def ref(self, reference: Any) -> Iterator[str]:
        return _check(self.value, _target(reference, self._root), self._root, self.at, self._depth + 1)


Rule = Callable[[_Place, Any], Iterator[str]]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does, in which 1 is 1.0 and true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _type(place: _Place, said: Any) -> Iterator[str]:
    names = [said] if isinstance(said, str) else list(said)
    if unknown := [name for name in names if name not in _TYPES]:
        raise ValueError(f"there is no type {unknown[0]!r}")
    if not any(_TYPES[name](place.value) for name in names):
        yield f"{place.name} is {_shown(place.value)}, not of type {' or '.join(names)}"


def _enum(place: _Place, said: Any) -> Iterator[str]:
    if not any(_same(place.value, choice) for choice in said):
        yield f"{place.name} is {_shown(place.value)}, not one of {said!r}"


def _const(place: _Place, said: Any) -> Iterator[str]:
    if not _same(place.value, said):
        yield f"{place.name} is {_shown(place.value)}, not {said!r}"


def _any_of(place: _Place, said: Any) -> Iterator[str]:
    if not any(place.fits(choice) for choice in said):
        yield f"{place.name} is {_shown(place.value)}, which fits none of {len(said)} alternatives"


def _one_of(place: _Place, said: Any) -> Iterator[str]:
    fitting = sum(place.fits(choice) for choice in said)
    if fitting != 1:
        yield f"{place.name} is {_shown(place.value)}, which fits {fitting} of {len(said)} alternatives, not one"


def _all_of(place: _Place, said: Any) -> Iterator[str]:
    for part in said:
        yield from place.under(part)


def _not(place: _Place, said: Any) -> Iterator[str]:
    if place.fits(said):
        yield f"{place.name} is {_shown(place.value)}, which is excluded"


def _if(place: _Place, said: Any) -> Iterator[str]:
    yield from place.under(place.schema.get("then" if place.fits(said) else "else", True))


def _properties(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        for key, schema in said.items():
            if key in place.value:
                yield from place.inner(key, place.value[key], schema)


def _pattern_properties(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        for pattern, schema in said.items():
            for key in place.value:
                if re.search(pattern, key):
                    yield from place.inner(key, place.value[key], schema)


def _additional_properties(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        patterns = place.schema.get("patternProperties", {})
        for key, value in place.value.items():
            if key not in place.schema.get("properties", {}) and not any(re.search(p, key) for p in patterns):
                if said is False:
                    yield f"{place.name} has {key!r}, which the schema does not allow"
                else:
                    yield from place.inner(key, value, said)


def _property_names(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        for key in place.value:
            yield from place.inner(key, key, said)


def _required(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        yield from (f"{place.name} lacks {key!r}" for key in said if key not in place.value)


def _dependent_required(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        for key, others in said.items():
            if key in place.value:
                yield from _required(place, others)


def _dependent_schemas(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, dict):
        for key, schema in said.items():
            if key in place.value:
                yield from place.under(schema)


def _items(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, list):
        first = len(place.schema.get("prefixItems", ()))
        for index, item in enumerate(place.value[first:], start=first):
            yield from place.inner(index, item, said)


def _prefix_items(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, list):
        for index, (item, schema) in enumerate(zip(place.value, said, strict=False)):
            yield from place.inner(index, item, schema)


def _contains(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, list):
        count = sum(next(place.inner(i, item, said), None) is None for i, item in enumerate(place.value))
        least, most = place.schema.get("minContains", 1), place.schema.get("maxContains", math.inf)
        if not least <= count <= most:
            yield f"{place.name} has {count} items of a kind of which it must have {least} to {most}"


def _unique_items(place: _Place, said: Any) -> Iterator[str]:
    items = place.value if said and isinstance(place.value, list) else []
    if any(_same(item, other) for i, item in enumerate(items) for other in items[:i]):
        yield f"{place.name} has an item twice"


def _pattern(place: _Place, said: Any) -> Iterator[str]:
    if isinstance(place.value, str) and not re.search(said, place.value):
        yield f"{place.name} is {_shown(place.value)}, which does not match {said!r}"


def _multiple_of(place: _Place, said: Any) -> Iterator[str]:
    if _is_number(place.value):
        ratio = place.value / said
        if not math.isclose(ratio, round(ratio), rel_tol=1e-9, abs_tol=1e-9):
            yield f"{place.name} is {place.value}, not a multiple of {said}"


def _bound(holds: Callable[[Any, Any], bool], words: str) -> Rule:
    def rule(place: _Place, said: Any) -> Iterator[str]:
        if _is_number(place.value) and not holds(place.value, said):
            yield f"{place.name} is {place.value}, not {words} {said}"

    return rule


def _size(kind: type, holds: Callable[[Any, Any], bool], words: str) -> Rule:
    def rule(place: _Place, said: Any) -> Iterator[str]:
        if isinstance(place.value, kind) and not holds(len(place.value), said):  # type: ignore[arg-type]  # sized, all
            yield f"{place.name} has {len(place.value)}, not {words} {said}"  # type: ignore[arg-type]  # as above

    return rule


def _at_least(value: Any, bound: Any) -> bool:
    return bool(value >= bound)


def _at_most(value: Any, bound: Any) -> bool:
    return bool(value <= bound)


_RULES: dict[str, Rule] = {
    "$ref": lambda place, said: place.ref(said),
    "additionalProperties": _additional_properties,
    "allOf": _all_of,
    "anyOf": _any_of,
    "const": _const,
    "contains": _contains,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "enum": _enum,
    "exclusiveMaximum": _bound(lambda value, bound: value < bound, "less than"),
    "exclusiveMinimum": _bound(lambda value, bound: value > bound, "more than"),
    "if": _if,
    "items": _items,
    "maxItems": _size(list, _at_most, "at most"),
    "maxLength": _size(str, _at_most, "at most"),
    "maxProperties": _size(dict, _at_most, "at most"),
    "maximum": _bound(_at_most, "at most"),
    "minItems": _size(list, _at_least, "at least"),
    "minLength": _size(str, _at_least, "at least"),
    "minProperties": _size(dict, _at_least, "at least"),
    "minimum": _bound(_at_least, "at least"),
    "multipleOf": _multiple_of,
    "not": _not,
    "oneOf": _one_of,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "prefixItems": _prefix_items,
    "properties": _properties,
    "propertyNames": _property_names,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique_items,
}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
