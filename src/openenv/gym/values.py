"""Members of spaces on their way: to JSON values whose leaves may be arrays, and back to what a space contains.

`encode` looks at shapes and data types, not at bounds: many an environment strays from the bounds it declares, and its
values must arrive as they are. Arrays stay arrays, so that whoever writes them may choose lists or raw buffers.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import Space
from gymnasium.spaces import (
    Box,
    Dict,
    Discrete,
    Graph,
    GraphInstance,
    MultiBinary,
    MultiDiscrete,
    OneOf,
    Sequence,
    Text,
    Tuple,
)
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

__all__ = ["Misfit", "decode", "encode", "has_arrays", "is_inside", "plain"]

Array = np.ndarray[Any, Any]

_LINKS = np.dtype(np.int32)  # as Gymnasium itself reads the links of a graph


class Misfit(ValueError):
    """A value is not of the kind that its space describes; the message says where and why."""

    def __init__(self, sentence: str, path: tuple[object, ...] = ()) -> None:
        where = f"at {'.'.join(str(step) for step in path)}: " if path else ""
        super().__init__(where + sentence)
        self.sentence = sentence
        self.path = path


def encode(space: Space[Any], value: Any) -> Any:
    """Make a JSON value of a member of a space.

    Raises:
        Misfit: It is of another kind, or its shape or data type is another.
    """
    return _CODECS[type(space)][0](space, value)


def decode(space: Space[Any], value: Any) -> Any:
    """Make a value of the space's kind of what `encode` made, after JSON or before; a member of the space stays one.

    Raises:
        Misfit: It is no such value.
    """
    return _CODECS[type(space)][1](space, value)


def has_arrays(space: Space[Any]) -> bool:
    """Tell whether members of a space may hold arrays."""
    return type(space) not in (Discrete, Text)


def is_inside(space: Space[Any], member: Any) -> bool:
    """Tell whether what `decode` made lies within the bounds of a space."""
    if type(space) is Discrete:  # in a twentieth of the time that its own check takes, of numbers of any type
        return bool(space.start <= member < space.start + space.n)
    return bool(space.contains(member))


def plain(value: Any) -> Any:
    """Write arrays as lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _array(space: Space[Any], value: Any) -> Array:
    return _of_kind(value, np.dtype(space.dtype), space.shape or ())


def _of_kind(value: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """Give an array of exactly this type and shape; a number that the type cannot hold is a misfit, not another one."""
    array = value if type(value) is np.ndarray and value.dtype == dtype else _cast(value, dtype)
    if array.shape != shape:
        if array.size == 0 and 0 in shape:  # a list of no rows does not tell how long they are
            return array.reshape(shape)
        raise Misfit(f"the shape is {array.shape} and should be {shape}")
    return array


def _cast(value: Any, dtype: np.dtype[Any]) -> Array:
    try:
        given = np.asarray(value)
        if given.size and given.dtype.kind not in "biuf":
            raise Misfit(f"{_shown(value)} is not made of numbers")
        if dtype.kind == "f":
            with np.errstate(over="raise"):
                return given.astype(dtype)
        array = np.array(value, dtype=dtype)  # from the numbers themselves: some integers pass through no float
    except (FloatingPointError, OverflowError) as error:
        raise Misfit(f"a number in {_shown(value)} is too large for {dtype.name}") from error
    except (TypeError, ValueError) as error:
        if isinstance(error, Misfit):
            raise
        raise Misfit(f"{_shown(value)} is no array of {dtype.name}") from error
    if not np.array_equal(array, given):
        raise Misfit(f"a number in {_shown(value)} is no {dtype.name}")
    return array


def _whole(space: Discrete, value: Any) -> int:
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise Misfit(f"{_shown(value)} is no whole number")
    return int(value)


def _text(space: Text, value: Any) -> str:
    if not isinstance(value, str):
        raise Misfit(f"{_shown(value)} is no text")
    return str(value)


def _dict_parts(space: Dict, value: Any, convert: Callable[[Space[Any], Any], Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Misfit(f"{_shown(value)} is no mapping")
    if value.keys() != space.spaces.keys():
        raise Misfit(f"the keys are {_names(value)} and should be {_names(space.spaces)}")
    return {key: _within(key, convert, part, value[key]) for key, part in space.spaces.items()}


def _tuple_parts(space: Tuple[Any], value: Any, convert: Callable[[Space[Any], Any], Any]) -> list[Any]:
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != len(space.spaces):
        raise Misfit(f"{_shown(value)} is no sequence of {len(space.spaces)}")
    pairs = zip(space.spaces, value, strict=True)
    return [_within(index, convert, part, item) for index, (part, item) in enumerate(pairs)]


def _items(space: Space[Any], value: Any, convert: Callable[[Space[Any], Any], Any]) -> list[Any]:
    if not isinstance(value, list | tuple | np.ndarray):
        raise Misfit(f"{_shown(value)} is no sequence")
    return [_within(index, convert, space, item) for index, item in enumerate(value)]


def _one_of(space: OneOf[Any], value: Any, convert: Callable[[Space[Any], Any], Any]) -> tuple[int, Any]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Misfit(f"{_shown(value)} is no pair of an index and a value")
    index, item = value
    if isinstance(index, bool) or not isinstance(index, int | np.integer) or not 0 <= index < len(space.spaces):
        raise Misfit(f"the index {_shown(index)} is none of 0 to {len(space.spaces) - 1}")
    return int(index), _within(1, convert, space.spaces[int(index)], item)


def _encode_sequence(space: Sequence, value: Any) -> Any:
    if not space.stack:
        return _items(space.feature_space, value, encode)
    return _stacked_to_list(space.feature_space, value)


def _decode_sequence(space: Sequence, value: Any) -> Any:
    if not space.stack:
        return tuple(_items(space.feature_space, value, decode))
    return _stacked(space.feature_space, value)


def _stacked_to_list(space: Space[Any], value: Any) -> Any:
    """Write what is batched as one item after another; a batch of arrays stays one array."""
    if isinstance(space, Box | Discrete | MultiBinary | MultiDiscrete) and isinstance(value, np.ndarray):
        return _of_kind(value, np.dtype(space.dtype), (len(value), *(space.shape or ())))
    try:
        items = list(iterate(batch_space(space, 1), value))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Misfit(f"{_shown(value)} is no batch of {space}") from error
    return _items(space, items, encode)


def _stacked(space: Space[Any], value: Any) -> Any:
    if isinstance(value, list | tuple | np.ndarray):
        items = [decode(space, item) for item in value]
    else:  # it is batched already
        items = [decode(space, item) for item in iterate(batch_space(space, 1), value)]
    if not items and isinstance(space, Box | Discrete | MultiBinary | MultiDiscrete):
        return np.empty((0, *(space.shape or ())), dtype=space.dtype)
    room: Any = create_empty_array(space, len(items))
    return concatenate(space, items, room)


def _encode_graph(space: Graph, value: Any) -> dict[str, Any]:
    if not isinstance(value, GraphInstance) or (value.edges is None) != (value.edge_links is None):
        raise Misfit(f"{_shown(value)} is no GraphInstance with nodes, and with both edges and edge_links or neither")
    encoded = {"nodes": _within("nodes", _stacked_to_list, space.node_space, value.nodes)}
    if value.edges is None or value.edge_links is None or space.edge_space is None:
        return encoded
    edges = _within("edges", _stacked_to_list, space.edge_space, value.edges)
    links = _of_kind(value.edge_links, value.edge_links.dtype, (len(edges), 2))
    return {**encoded, "edges": edges, "edge_links": links}


def _decode_graph(space: Graph, value: Any) -> GraphInstance:
    if isinstance(value, GraphInstance):
        value = {name: part for name, part in value._asdict().items() if part is not None}
    if not isinstance(value, Mapping) or not {"nodes"} <= value.keys() <= {"nodes", "edges", "edge_links"}:
        raise Misfit(f"{_shown(value)} is no graph with nodes, and maybe edges and edge_links")
    nodes = _within("nodes", _stacked, space.node_space, value["nodes"])
    if "edges" not in value or "edge_links" not in value or space.edge_space is None:
        return GraphInstance(nodes, None, None)
    edges = _within("edges", _stacked, space.edge_space, value["edges"])
    return GraphInstance(nodes, edges, _of_kind(value["edge_links"], _LINKS, (len(value["edge_links"]), 2)))


def _within(name: object, convert: Callable[[Any, Any], Any], space: Space[Any], value: Any) -> Any:
    try:
        return convert(space, value)
    except Misfit as error:
        raise Misfit(error.sentence, (name, *error.path)) from error


def _names(mapping: Mapping[Any, Any]) -> str:
    return _shown(sorted(map(str, mapping)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_CODECS: dict[type, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    Box: (_array, _array),
    Dict: (lambda s, v: _dict_parts(s, v, encode), lambda s, v: _dict_parts(s, v, decode)),
    Discrete: (_whole, _whole),
    Graph: (_encode_graph, _decode_graph),
    MultiBinary: (_array, _array),
    MultiDiscrete: (_array, _array),
    OneOf: (lambda s, v: list(_one_of(s, v, encode)), lambda s, v: _one_of(s, v, decode)),
    Sequence: (_encode_sequence, _decode_sequence),
    Text: (_text, _text),
    Tuple: (lambda s, v: _tuple_parts(s, v, encode), lambda s, v: tuple(_tuple_parts(s, v, decode))),
}
