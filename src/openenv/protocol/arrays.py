"""Arrays in frames: raw buffers in binary ones, lists in text.

An array is whatever has `dtype`, `shape` and the buffer protocol, as NumPy's have; NumPy itself is loaded only to
make arrays of what arrives, if that is wanted and it is installed. On the wire an array is `{"$array": [dtype, shape,
offset]}` in the JSON, and its numbers in C order, little-endian, at that offset behind it.
"""

import functools
import math
import struct
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from openenv.protocol.messages import Json

__all__ = ["ARRAY_KEY", "ArrayReader", "ArrayWriter", "read_buffer", "size_of", "to_lists"]

ARRAY_KEY = "$array"
_FORMATS = {
    "|b1": "?", "|i1": "b", "|u1": "B", "<i2": "h", "<u2": "H", "<i4": "i", "<u4": "I", "<i8": "q", "<u8": "Q",
    "<f2": "e", "<f4": "f", "<f8": "d",
}  # fmt: skip
_SIZES = {kind: struct.calcsize(f"<{number}") for kind, number in _FORMATS.items()}
_MAX_DIMENSIONS = 32


class ArrayWriter:
    """Takes arrays out of a message that is being written; its `describe` is what the JSON encoder asks.

    Args:
        buffers: The numbers of arrays that the message describes already.

    Attributes:
        buffers: Their numbers so far, to be put behind the JSON in this order.
    """

    def __init__(self, buffers: Iterable[bytes] = ()) -> None:
        self.buffers: list[Any] = list(buffers)
        self._size = sum(map(len, self.buffers))

    def describe(self, value: Any) -> Json:
        """Give what stands for `value` in the JSON. Raises TypeError when it is neither an array nor a number."""
        kind = getattr(getattr(value, "dtype", None), "str", "")
        if kind[:1] == ">":
            kind = f"<{kind[1:]}"
            value = value.astype(kind)
        if kind not in _FORMATS or not value.shape:
            return to_lists(value)
        view = memoryview(value)
        self.buffers.append(view if view.c_contiguous else value.tobytes())
        described = {ARRAY_KEY: [kind, value.shape, self._size]}
        self._size += view.nbytes
        return described


def to_lists(value: Any) -> Json:
    """Give an array, or a number of one, the form JSON has for it.

    Raises:
        TypeError: It is neither, or holds NaN or an infinity, which would arrive as null.
    """
    lists = getattr(value, "tolist", None)
    if lists is None:
        raise TypeError(f"a {type(value).__name__} has no form in JSON")
    found = lists()
    if not _is_finite(found):
        raise TypeError("NaN and the infinities of arrays travel in binary frames only")
    return found


def _is_finite(value: Json) -> bool:
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


class ArrayReader:
    """Puts the arrays of one frame back into its message.

    Args:
        buffers: What lies behind the JSON.
        size: Bytes of the whole frame. Together its arrays may be no larger: else a short frame that describes the
            same bytes again and again would fill our memory.
        arrays: Whether to make NumPy's arrays, if it is installed; else lists.
    """

    def __init__(self, buffers: memoryview, size: int, *, arrays: bool) -> None:
        self._buffers = buffers
        self._left = size
        self._numpy = _numpy() if arrays else None
        self._kind: Json = None
        self._shape: Json = None
        self._count = self._size = 0

    def restore(self, value: Json) -> Json:
        """Replace every description in `value` by its array. Raises ValueError for one that lies."""
        if type(value) is dict:
            if ARRAY_KEY in value:
                return self._read(value)
            for key, item in value.items():
                if type(item) is dict or type(item) is list:
                    value[key] = self.restore(item)
        elif type(value) is list:
            for index, item in enumerate(value):
                if type(item) is dict or type(item) is list:
                    value[index] = self.restore(item)
        return value

    def _measure(self, kind: Json, shape: Json) -> None:
        self._size = size_of(kind, shape)
        self._count = math.prod(shape)
        self._kind, self._shape = kind, shape

    def _read(self, described: dict[str, Json]) -> Json:
        spec = described[ARRAY_KEY]
        if len(described) != 1 or type(spec) is not list or len(spec) != 3 or type(spec[2]) is not int:
            raise ValueError("an array is described by a dtype, a shape and an offset")
        kind, shape, offset = spec
        if kind != self._kind or shape != self._shape:  # a column has the same again and again
            self._measure(kind, shape)
        kind, shape, count, size = self._kind, self._shape, self._count, self._size
        end = offset + size
        self._left -= size or _empty_lists(shape)
        if offset < 0 or end > len(self._buffers) or self._left < 0:
            raise ValueError("an array lies outside the bytes of its frame, or they are described more than once")
        if self._numpy is not None:  # a copy, so that it can be written to and does not keep the frame alive
            return self._numpy.frombuffer(self._buffers, kind, count, offset).reshape(shape).copy()
        return read_buffer(self._buffers[offset:end], kind, shape)


def size_of(kind: Json, shape: Json) -> int:
    """Say how many bytes an array of this type and shape has. Raises ValueError when they are none."""
    if type(kind) is not str or type(shape) is not list or not _is_shape(shape):
        raise ValueError("an array is described by a dtype, a shape and an offset")
    if kind not in _SIZES:
        raise ValueError("an array has a dtype that frames do not carry")
    return math.prod(shape) * _SIZES[kind]


def read_buffer(buffer: bytes | memoryview, kind: str, shape: list[int]) -> Json:
    """Give the numbers of one array as lists."""
    return _nested(struct.unpack(f"<{math.prod(shape)}{_FORMATS[kind]}", buffer), shape)


def _is_shape(shape: list[Json]) -> bool:
    return len(shape) <= _MAX_DIMENSIONS and all(type(size) is int and 0 <= size < 2**31 for size in shape)


def _empty_lists(shape: list[int]) -> int:
    """Count the lists that an array without numbers is made of."""
    return math.prod(shape[: shape.index(0)])


def _nested(numbers: Sequence[Json], shape: list[int]) -> Json:
    if len(shape) < 2:
        return list(numbers) if shape else numbers[0]
    row = len(numbers) // (shape[0] or 1)
    return [_nested(numbers[index * row : index * row + row], shape[1:]) for index in range(shape[0])]


@functools.cache
def _numpy() -> ModuleType | None:
    try:
        import numpy  # only here: an optional part, and slow to import
    except ImportError:
        return None
    return numpy
