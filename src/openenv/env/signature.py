"""What an environment's `reset` takes, read off its signature and described in JSON schema."""

import functools
import inspect
import math
import re
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, get_type_hints

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticSerializationError, SchemaError, core_schema

from openenv.env.spec import EnvironmentSpec

__all__ = ["ANY_RESET", "LenientJsonSchema", "reset_schema"]

_EVERYWHERE: dict[str, dict[str, Any]] = {
    "seed": {
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}],
        "default": None,
        "description": "The same seed gives the same episode.",
    },
    "episode_id": {
        "anyOf": [{"type": "string", "maxLength": 255}, {"type": "null"}],
        "default": None,
        "description": "Names the episode.",
    },
}
"""The parameters that have a meaning in every environment."""

_UNBOUNDED = {"seed": TypeAdapter(int | None).json_schema(), "episode_id": TypeAdapter(str | None).json_schema()}
"""What their usual annotations say, which is less than the server checks."""

ANY_RESET: dict[str, Any] = {
    "title": "Reset",
    "type": "object",
    "properties": _EVERYWHERE,
    "additionalProperties": True,
}
"""What the `reset` of a class takes that is not known yet."""

_ON_THE_WIRE = "timeout_s"  # said beside the options, not among them


class LenientJsonSchema(GenerateJsonSchema):
    """Describes what JSON schema has no word for, such as arrays of numpy, as "anything"."""

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        """Say nothing about it."""
        return {}


@functools.cache
def reset_schema(spec: EnvironmentSpec) -> dict[str, Any]:
    """Describe the options of `reset`: their types, defaults, and what the docstring says of them."""
    function = getattr(spec.environment_class, spec.reset.name)
    parameters = inspect.signature(function).parameters
    takes_any = spec.reset.accepts is None
    taken = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name not in (*spec.reset.refuses, _ON_THE_WIRE)
    }
    adapters = {name: _adapter(_hint(function, name, each)) for name, each in taken.items()}
    described, shared = TypeAdapter.json_schemas(
        [(name, "validation", adapter) for name, adapter in adapters.items()], schema_generator=LenientJsonSchema
    )
    said = _said_of(inspect.cleandoc(function.__doc__ or ""))
    properties = {
        name: _property(name, described[name, "validation"], parameter, adapters[name], said.get(name))
        for name, parameter in taken.items()
    }
    schema = {
        "title": "Reset",
        "type": "object",
        "properties": ({**_EVERYWHERE, **properties} if takes_any else properties),
        "required": [name for name, parameter in taken.items() if parameter.default is parameter.empty],
        "additionalProperties": takes_any,
    }
    return {**schema, **({"$defs": shared["$defs"]} if "$defs" in shared else {})}


def _hint(function: Callable[..., Any], name: str, parameter: inspect.Parameter) -> Any:
    """Resolve one annotation; by itself, so that one that cannot be resolved hides no other."""
    if parameter.annotation is parameter.empty:
        return Any
    alone = SimpleNamespace(__annotations__={name: parameter.annotation})
    names = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return get_type_hints(alone, globalns=names, include_extras=True)[name]
    except (AttributeError, NameError, SyntaxError, TypeError):  # imported for the type checker only, or no type
        return Any


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint)
    except (PydanticUserError, PydanticUndefinedAnnotation, SchemaError, TypeError):  # no type that pydantic knows
        return TypeAdapter(Any)


def _property(
    name: str, schema: JsonSchemaValue, parameter: inspect.Parameter, adapter: TypeAdapter[Any], said: str | None
) -> dict[str, Any]:
    is_usual = name in _EVERYWHERE and schema in ({}, _UNBOUNDED[name])
    described = dict(_EVERYWHERE[name] if is_usual else schema)
    described.pop("default", None)
    if said and "description" not in schema:
        described["description"] = said
    default = parameter.default
    if default is not parameter.empty and not (isinstance(default, float) and not math.isfinite(default)):
        with suppress(PydanticSerializationError, ValueError):  # a default that JSON cannot say is left out
            described["default"] = adapter.dump_python(default, mode="json", warnings=False)
    return described


def _said_of(docstring: str) -> dict[str, str]:
    """Read what a docstring says of each argument, under `Args:`, one after the other and further indented."""
    block = re.search(r"^Args:[ \t]*\n((?:[ \t]+\S.*(?:\n|\Z)|[ \t]*\n)+)", docstring, re.MULTILINE)
    if block is None:
        return {}
    lines = inspect.cleandoc(block[1]).splitlines()
    said: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if entry := re.match(r"(\w+)(?:\s*\([^)]*\))?:\s*(.*)", line):
            name = entry[1]
            said[name] = [entry[2]]
        elif name:
            said[name].append(line.strip())
    return {name: " ".join(filter(None, parts)) for name, parts in said.items()}
