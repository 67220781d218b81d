"""Gymnasium's spaces as JSON and back, without loss; only a space's random number generator stays at home.

JSON has no infinity, so an infinite bound is the string `"inf"` or `"-inf"`. Bounds that are all the same are written
once. What is read may come from anybody: its depth is limited, and so is the memory that its shapes would take.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.error import Error as GymnasiumError
from gymnasium.spaces import (
    Box,
    Dict,
    Discrete,
    Graph,
    MultiBinary,
    MultiDiscrete,
    OneOf,
    Sequence,
    Text,
    Tuple,
)

from openenv.errors import ConfigurationError, PeerError

__all__ = ["space_from_json", "space_to_json"]

_DTYPES = frozenset({"bool", "float16", "float32", "float64"}) | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_MAX_DEPTH = 32
_MAX_ELEMENTS = 2**26
"""Array elements of one space, over all its parts: 64 Mi, some ten frames of 1920 x 1080 in colour."""
_MAX_AXES = 32

_INFINITIES = {"inf": math.inf, "-inf": -math.inf}


def space_to_json(space: Space[Any]) -> dict[str, Any]:
    """Describe a space.

    Raises:
        ConfigurationError: It is none of Gymnasium's own, or of a data type that other machines lack.
    """
    write = _WRITERS.get(type(space))
    if write is None:
        known = ", ".join(sorted(kind.__name__ for kind in _WRITERS))
        raise ConfigurationError(
            f"a space of class {type(space).__name__} cannot be sent: {space!r}; the spaces that can are {known}"
        )
    return {"space": type(space).__name__, **write(space)}


def space_from_json(described: object) -> Space[Any]:
    """Build the space that `space_to_json` described.

    Raises:
        PeerError: It is no description of a space, or the space would be larger than any machine has use for.
    """
    return _Reader().read(described, "the space")


def _dtype_to_json(space: Space[Any]) -> str:
    dtype = np.dtype(space.dtype)
    if dtype.name not in _DTYPES or not dtype.isnative:
        raise ConfigurationError(
            f"the data type {dtype.str} of {space!r} cannot be sent; use one of {', '.join(sorted(_DTYPES))}"
        )
    return dtype.name


def _box_to_json(space: Box) -> dict[str, Any]:
    return {
        "dtype": _dtype_to_json(space),
        "shape": list(space.shape),
        "low": _bounds_to_json(space.low, space.bounded_below, "-inf"),
        "high": _bounds_to_json(space.high, space.bounded_above, "inf"),
    }


def _bounds_to_json(bounds: np.ndarray[Any, Any], bounded: np.ndarray[Any, Any], unbounded: str) -> Any:
    """Write bounds, one value where all are the same. An integer without a bound has its type's, marked as none."""
    if not bounds.size:
        return 0  # of nothing
    if (bounds == bounds.flat[0]).all() and (bounded == bounded.flat[0]).all():
        bounds, bounded = bounds.flat[0], bounded.flat[0]
    return _marked(bounds.tolist(), bounded.tolist(), unbounded)


def _marked(bounds: Any, bounded: Any, unbounded: str) -> Any:
    if isinstance(bounds, list):
        return [_marked(part, mark, unbounded) for part, mark in zip(bounds, bounded, strict=True)]
    if not bounded:
        return unbounded
    return str(bounds) if isinstance(bounds, float) and math.isinf(bounds) else bounds


def _discrete_to_json(space: Discrete) -> dict[str, Any]:
    return {"dtype": _dtype_to_json(space), "n": int(space.n), "start": int(space.start)}


def _multi_binary_to_json(space: MultiBinary) -> dict[str, Any]:
    return {"n": list(space.n) if isinstance(space.n, tuple) else space.n}


def _multi_discrete_to_json(space: MultiDiscrete) -> dict[str, Any]:
    return {"dtype": _dtype_to_json(space), "nvec": space.nvec.tolist(), "start": space.start.tolist()}


def _text_to_json(space: Text) -> dict[str, Any]:
    characters = "".join(space.character_list)  # in their order, by which samples are drawn
    return {"min_length": space.min_length, "max_length": space.max_length, "characters": characters}


def _dict_to_json(space: Dict) -> dict[str, Any]:
    odd = [key for key in space.spaces if not isinstance(key, str)]
    if odd:
        raise ConfigurationError(f"the key {odd[0]!r} of {space!r} cannot be sent; make it a string")
    # Pairs, since not everybody's JSON objects keep their order, which samples and flattened values depend on.
    return {"spaces": [[k, space_to_json(s)] for k, s in space.spaces.items()], "sort_keys": _sorts_keys(space)}


def _sorts_keys(space: Dict) -> bool:
    return bool(getattr(space, "sort_keys", True))  # Gymnasium before 1.3 always sorts


def _tuple_to_json(space: Tuple[Any] | OneOf[Any]) -> dict[str, Any]:
    return {"spaces": [space_to_json(part) for part in space.spaces]}


def _sequence_to_json(space: Sequence) -> dict[str, Any]:
    return {"feature_space": space_to_json(space.feature_space), "stack": bool(space.stack)}


def _graph_to_json(space: Graph) -> dict[str, Any]:
    edge = space.edge_space
    return {
        "node_space": space_to_json(space.node_space),
        "edge_space": None if edge is None else space_to_json(edge),
    }


_WRITERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    Box: _box_to_json,
    Dict: _dict_to_json,
    Discrete: _discrete_to_json,
    Graph: _graph_to_json,
    MultiBinary: _multi_binary_to_json,
    MultiDiscrete: _multi_discrete_to_json,
    OneOf: _tuple_to_json,
    Sequence: _sequence_to_json,
    Text: _text_to_json,
    Tuple: _tuple_to_json,
}


class _Reader:
    """Reads one description, and keeps count of what it would cost."""

    def __init__(self) -> None:
        self._depth = 0
        self._elements = 0

    def read(self, described: object, where: str) -> Space[Any]:
        if not isinstance(described, Mapping):
            raise PeerError(f"{where} is described by a {type(described).__name__} in place of an object")
        kind = described.get("space")
        build = self._BUILDERS.get(kind) if isinstance(kind, str) else None
        if build is None:
            raise PeerError(f"{where} is of the unknown kind {str(kind)[:80]!r}")
        if self._depth == _MAX_DEPTH:
            raise PeerError(f"{where} lies more than {_MAX_DEPTH} spaces deep")
        self._depth += 1
        try:
            return build(self, described)
        except _WRONG as error:
            raise PeerError(f"{where} is no {kind}: {_reason(error)}") from error
        finally:
            self._depth -= 1

    def _box(self, described: Mapping[str, Any]) -> Box:
        dtype, shape = _dtype(described), self._shape(described["shape"])
        low, below = _bounds(described["low"], shape, dtype, "-inf")
        high, above = _bounds(described["high"], shape, dtype, "inf")
        box = Box(low, high, shape, dtype.type)
        if dtype.kind != "f":  # a float without a bound is infinite, which Box sees by itself
            box.bounded_below, box.bounded_above = below, above
        return box

    def _discrete(self, described: Mapping[str, Any]) -> Discrete:
        return Discrete(_whole(described["n"]), start=_whole(described["start"]), dtype=_dtype(described).type)

    def _multi_binary(self, described: Mapping[str, Any]) -> MultiBinary:
        n = described["n"]
        return MultiBinary(list(self._shape(n)) if isinstance(n, list) else self._shape([n])[0])

    def _multi_discrete(self, described: Mapping[str, Any]) -> MultiDiscrete:
        dtype = _dtype(described)
        nvec, start = (np.array(_wholes(described[key]), dtype=dtype) for key in ("nvec", "start"))
        return MultiDiscrete(nvec, dtype=dtype.type, start=start)

    def _text(self, described: Mapping[str, Any]) -> Text:
        least, most = _whole(described["min_length"]), _whole(described["max_length"])
        return Text(most, min_length=least, charset=str(described["characters"]))

    def _tuple(self, described: Mapping[str, Any]) -> Tuple[Any]:
        return Tuple(self._parts(described["spaces"]))

    def _one_of(self, described: Mapping[str, Any]) -> OneOf[Any]:
        return OneOf(self._parts(described["spaces"]))

    def _dict(self, described: Mapping[str, Any]) -> Dict:
        parts = {str(key): self.read(part, f"the space {key!r}") for key, part in described["spaces"]}
        space = Dict(list(parts.items()))
        if hasattr(space, "sort_keys"):
            space.sort_keys = bool(described["sort_keys"])
        return space

    def _sequence(self, described: Mapping[str, Any]) -> Sequence:
        feature = self.read(described["feature_space"], "the feature space")
        return Sequence(feature, stack=bool(described["stack"]))

    def _graph(self, described: Mapping[str, Any]) -> Graph:
        edge = described["edge_space"]
        node: Any = self.read(described["node_space"], "the node space")
        edges: Any = None if edge is None else self.read(edge, "the edge space")
        return Graph(node, edges)

    def _parts(self, described: Any) -> list[Space[Any]]:
        return [self.read(part, f"part {index}") for index, part in enumerate(described)]

    def _shape(self, described: Any) -> tuple[int, ...]:
        shape = tuple(_whole(axis) for axis in described)
        if len(shape) > _MAX_AXES or any(axis < 0 for axis in shape):
            raise ValueError(f"{str(described)[:80]} is no shape")
        self._elements += math.prod(shape)
        if self._elements > _MAX_ELEMENTS:
            raise ValueError(f"it has more than {_MAX_ELEMENTS} elements")
        return shape

    _BUILDERS: Mapping[str, Callable[["_Reader", Mapping[str, Any]], Space[Any]]] = {
        "Box": _box,
        "Dict": _dict,
        "Discrete": _discrete,
        "Graph": _graph,
        "MultiBinary": _multi_binary,
        "MultiDiscrete": _multi_discrete,
        "OneOf": _one_of,
        "Sequence": _sequence,
        "Text": _text,
        "Tuple": _tuple,
    }


# What the constructors of spaces raise, and what looking things up in a description that is none does.
_WRONG = (AssertionError, GymnasiumError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


def _reason(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def _dtype(described: Mapping[str, Any]) -> np.dtype[Any]:
    name = described["dtype"]
    if not isinstance(name, str) or name not in _DTYPES:
        raise ValueError(f"{str(name)[:80]!r} is no data type of a space")
    return np.dtype(name)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{str(value)[:80]!r} is no whole number")
    return value


def _bounds(
    described: Any, shape: tuple[int, ...], dtype: np.dtype[Any], unbounded: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Read bounds and which of them count; each is of the box's own shape and type, so that nothing is rounded."""
    if dtype.kind == "f":
        values = np.broadcast_to(np.asarray(_with_infinities(described), dtype=dtype), shape).copy()
        return values, np.isfinite(values)
    limits = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    replaced, marks = _unmarked(described, unbounded, int(limits[0] if unbounded == "-inf" else limits[1]))
    values = np.broadcast_to(np.array(replaced, dtype=dtype), shape).copy()
    return values, np.broadcast_to(np.array(marks, dtype=np.bool_), shape).copy()


def _with_infinities(described: Any) -> Any:
    if isinstance(described, list):
        return [_with_infinities(part) for part in described]
    number = _INFINITIES.get(described, described) if isinstance(described, str) else described
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{str(number)[:80]!r} is no bound")
    return number


def _unmarked(described: Any, unbounded: str, limit: int) -> tuple[Any, Any]:
    if isinstance(described, list):
        pairs = [_unmarked(part, unbounded, limit) for part in described]
        return [value for value, _ in pairs], [mark for _, mark in pairs]
    if described == unbounded:
        return limit, False
    return described if isinstance(described, bool) else _whole(described), True


def _wholes(described: Any) -> Any:
    return [_wholes(part) for part in described] if isinstance(described, list) else _whole(described)
