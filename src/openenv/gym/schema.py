"""Spaces as JSON schema, for people, pages and clients that know nothing of Gymnasium.

The schema says less than the space: where the bounds of an array differ it names the widest. The space itself lies
beside it, under the key `x-gym-space`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium import spaces as gym_spaces

from openenv.gym.spaces import space_to_json

__all__ = ["SPACE_KEY", "schema_of"]

SPACE_KEY = "x-gym-space"


def schema_of(space: Space[Any]) -> dict[str, Any]:
    """Describe a space as JSON schema, the space included. Raises ConfigurationError as `space_to_json` does."""
    described = space_to_json(space)  # first: it says why a space cannot be sent
    return {**_plain_schema(space), SPACE_KEY: described}


def _plain_schema(space: Space[Any]) -> dict[str, Any]:
    return _SCHEMAS[type(space)](space)


def _discrete(space: gym_spaces.Discrete) -> dict[str, Any]:
    start = int(space.start)
    return {"type": "integer", "minimum": start, "maximum": start + int(space.n) - 1}


def _box(space: gym_spaces.Box) -> dict[str, Any]:
    kinds = {"f": "number", "b": "boolean"}
    item: dict[str, Any] = {"type": kinds.get(space.dtype.kind, "integer")}
    if space.low.size and space.dtype.kind != "b":
        low, high = space.low.min(), space.high.max()
        item |= {"minimum": low.item()} if np.isfinite(low) else {}
        item |= {"maximum": high.item()} if np.isfinite(high) else {}
    return _nested(item, space.shape)


def _multi_binary(space: gym_spaces.MultiBinary) -> dict[str, Any]:
    return _nested({"type": "integer", "minimum": 0, "maximum": 1}, space.shape)


def _multi_discrete(space: gym_spaces.MultiDiscrete) -> dict[str, Any]:
    lowest, highest = int(space.start.min()), int((space.start + space.nvec - 1).max())
    return _nested({"type": "integer", "minimum": lowest, "maximum": highest}, space.shape)


def _text(space: gym_spaces.Text) -> dict[str, Any]:
    return {"type": "string", "minLength": space.min_length, "maxLength": space.max_length}


def _tuple(space: gym_spaces.Tuple[Any]) -> dict[str, Any]:
    return _exactly([_plain_schema(part) for part in space.spaces])


def _dict(space: gym_spaces.Dict) -> dict[str, Any]:
    return _object({key: _plain_schema(part) for key, part in space.spaces.items()}, list(space.spaces))


def _sequence(space: gym_spaces.Sequence) -> dict[str, Any]:
    return {"type": "array", "items": _plain_schema(space.feature_space)}


def _graph(space: gym_spaces.Graph) -> dict[str, Any]:
    properties = {"nodes": {"type": "array", "items": _plain_schema(space.node_space)}}
    if space.edge_space is not None:
        properties["edges"] = {"type": "array", "items": _plain_schema(space.edge_space)}
        properties["edge_links"] = {"type": "array", "items": _nested({"type": "integer", "minimum": 0}, (2,))}
    return _object(properties, ["nodes"])


def _one_of(space: gym_spaces.OneOf[Any]) -> dict[str, Any]:
    branches = [
        _exactly([{"type": "integer", "minimum": index, "maximum": index}, _plain_schema(part)])
        for index, part in enumerate(space.spaces)
    ]
    return {"anyOf": branches}


def _nested(item: dict[str, Any], shape: Sequence[int]) -> dict[str, Any]:
    """Put arrays around an item, one an axis, the last axis innermost."""
    return functools.reduce(
        lambda inner, length: {"type": "array", "items": inner, "minItems": length, "maxItems": length},
        reversed([int(length) for length in shape]),
        item,
    )


def _exactly(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_SCHEMAS: dict[type, Callable[[Any], dict[str, Any]]] = {
    gym_spaces.Box: _box,
    gym_spaces.Dict: _dict,
    gym_spaces.Discrete: _discrete,
    gym_spaces.Graph: _graph,
    gym_spaces.MultiBinary: _multi_binary,
    gym_spaces.MultiDiscrete: _multi_discrete,
    gym_spaces.OneOf: _one_of,
    gym_spaces.Sequence: _sequence,
    gym_spaces.Text: _text,
    gym_spaces.Tuple: _tuple,
}
