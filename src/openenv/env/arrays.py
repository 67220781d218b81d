"""NumPy's arrays on their way into an environment and out of it. NumPy is used where it is loaded already.

On the way out an array of an observation can lie beside the JSON as the bytes of its numbers. On the way in a field of
an action is given an array if its annotation names one, however it came, and lists if not.
"""

import functools
import sys
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo

__all__ = ["ARRAY_KEY", "AS_SENT", "RawArrays", "arranged", "array_fields", "plain", "says_arrays"]

AS_SENT = object()
"""In place of a data type: arrays stay arrays, and lists lists; the field's validator makes of them what it needs."""

ARRAY_KEY = "$array"
"""Key of what stands in the JSON for an array that lies beside it: data type, shape, and which one."""

_MAX_ITEM_BYTES = 8


class RawArrays:
    """Takes arrays out of an observation that is being written; its `describe` is what the encoder asks.

    Attributes:
        buffers: Their numbers, little-endian in C order: copies, since the environment goes on with the originals.
        has_nonfinite: Whether NaN or an infinity was among them.
    """

    def __init__(self) -> None:
        self.buffers: list[bytes] = []
        self.has_nonfinite = False

    def describe(self, value: Any) -> Any:
        """Give what stands for `value` in the JSON. Raises TypeError when it has no form there."""
        numpy = sys.modules.get("numpy")
        if numpy is None or not isinstance(value, numpy.ndarray) or not value.shape or not _is_raw(value.dtype):
            return plain(value)
        if value.dtype.kind == "f" and not numpy.isfinite(value).all():
            self.has_nonfinite = True
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        self.buffers.append(little.tobytes())
        return {ARRAY_KEY: [little.dtype.str, value.shape, len(self.buffers) - 1]}


def plain(value: Any) -> Any:
    """Turn what pydantic does not know into what it does: arrays and scalars of numpy and its likes."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


@functools.cache
def array_fields(model: type[BaseModel]) -> Mapping[str, Any]:
    """Name the fields of an action that hold arrays, each with the data type that its annotation asks for, or None.

    A field holds one if it is annotated as `numpy.ndarray` or `numpy.typing.NDArray`, maybe optional. One whose
    annotation has metadata that says so by `takes_arrays = True` is given what was sent, `AS_SENT`.
    """
    numpy = sys.modules.get("numpy")
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        takes, dtype = _asks_for(field, None if numpy is None else numpy.ndarray)
        if takes:
            found |= dict.fromkeys(filter(None, (name, field.alias)), dtype)
    return found


def arranged(model: type[BaseModel], payload: Any) -> Any:
    """Give an action's payload the arrays that its class asks for, and lists everywhere else.

    A payload that is no object, such as a row of a batch that was sent as one array, is the value of the only field
    that the action has besides `metadata`.

    Raises:
        ValueError: A list that should become an array is ragged, or holds no numbers.
    """
    fields = array_fields(model)
    if hasattr(payload, "dtype") or type(payload) is not dict:
        name = _only_field(model)
        if name is None or isinstance(payload, BaseModel | Mapping):
            return _listed(payload)
        payload = {name: payload}
    if not fields:
        return payload
    return {key: _made(value, fields[key]) if key in fields else _listed(value) for key, value in payload.items()}


def says_arrays(notes: Iterable[Any]) -> bool:
    """Tell whether the metadata of an annotation says by `takes_arrays = True` that its values hold arrays."""
    return any(getattr(note, "takes_arrays", False) for note in notes)


def _is_raw(dtype: Any) -> bool:
    return dtype.kind in "biuf" and dtype.itemsize <= _MAX_ITEM_BYTES


def _asks_for(field: FieldInfo, array_class: type | None) -> tuple[bool, Any]:
    options = typing.get_args(field.annotation) or ()
    if says_arrays(field.metadata) or any(says_arrays(getattr(option, "__metadata__", ())) for option in options):
        return True, AS_SENT
    for annotated in (field.annotation, *options):
        if array_class is not None and array_class in (annotated, typing.get_origin(annotated)):
            arguments = typing.get_args(annotated)
            scalars = typing.get_args(arguments[1]) if len(arguments) > 1 else ()
            known = scalars and isinstance(scalars[0], type) and issubclass(scalars[0], sys.modules["numpy"].generic)
            concrete = known and not scalars[0].__subclasses__()  # not `Any`, nor `floating`
            return True, scalars[0] if concrete else None
    return False, None


@functools.cache
def _only_field(model: type[BaseModel]) -> str | None:
    if issubclass(model, RootModel):
        return None
    names = [name for name in model.model_fields if name != "metadata"]
    return (model.model_fields[names[0]].alias or names[0]) if len(names) == 1 else None


def _made(value: Any, dtype: Any) -> Any:
    """Make an array of a list; what is one already stays, but for its data type."""
    numpy = sys.modules.get("numpy")
    if dtype is AS_SENT or numpy is None or not isinstance(value, list | numpy.ndarray):
        return value
    try:
        made = numpy.asarray(value, dtype=dtype)
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from error
    if not _is_raw(made.dtype):
        raise ValueError("an array holds numbers or booleans")
    return made


def _listed(value: Any) -> Any:
    if hasattr(value, "dtype"):
        return value.tolist()
    if type(value) is dict:
        return {key: _listed(item) for key, item in value.items()}
    if type(value) is list:
        return [_listed(item) for item in value]
    return value
