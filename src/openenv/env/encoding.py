"""Observations and states to JSON, once each, and the faults of those that cannot be sent.

JSON has no NaN and no infinity. Other encoders write null instead, and a trainer learns from a reward that never was;
here such a value is an error that names its field. Numpy scalars and arrays are written as numbers and lists.
"""

import dataclasses
import enum
import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import orjson
import pydantic_core
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from openenv.env.arrays import ARRAY_KEY, RawArrays, plain
from openenv.errors import BadObservation
from openenv.types import Observation

__all__ = ["RAW", "EncodedObservation", "encode_actions", "encode_observation", "encode_reply", "encode_state"]

RAW = {"raw_arrays": True}
"""The context of serializers when arrays may lie beside the JSON."""

_ENVELOPE = frozenset({"reward", "done"})
_OUTSIDE = _ENVELOPE | {"metadata", "truncated"}
_MARK = f'"{ARRAY_KEY}"'.encode()
_PLAIN_ONLY = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_N, _I = b"NI"
_UNWRITABLE = (PydanticSerializationError, ValueError, RecursionError)


class EncodedObservation(NamedTuple):  # a frozen dataclass takes four times as long to make
    """An observation ready for the wire: `observation` and `metadata` are JSON text, the rest plain values.

    `arrays` are the numbers of those that `observation` holds as `{"$array":[dtype,shape,which]}`.
    """

    observation: bytes
    reward: float | int | bool | None
    done: bool
    metadata: bytes | None
    truncated: bool
    arrays: Sequence[bytes] = ()


def encode_observation(observation: Any, *, source: str, raw: bool = False) -> EncodedObservation:
    """Encode what `reset` or `step` returned.

    Args:
        observation: Any pydantic model; `reward`, `done`, `truncated` and `metadata` are taken out if it has them.
        source: Who returned it, for the message, such as `EchoEnvironment.step`.
        raw: Whether NumPy's arrays are to lie beside the JSON rather than in it. A serializer of the author's own is
            told by `info.context`, which is then `RAW`, that it may return them as they are.

    Raises:
        BadObservation: It is no model, its reward is not finite, or a field cannot be written as JSON.
    """
    kind = type(observation)
    plan = _plan_of(kind)  # type: ignore[arg-type]  # a class can be hashed
    if plan is None:
        raise _bad(source, None, f"returned {kind.__name__} instead of an Observation")
    # Reading what a model holds takes half the time of asking it for an attribute that it might not have.
    held = observation.__dict__ if plan.is_usual else {name: getattr(observation, name, None) for name in _OUTSIDE}
    reward, metadata = held["reward"], held["metadata"]
    if type(reward) is not float or not isfinite(reward):
        reward = _reward(reward, source)
    extras = _metadata_to_json(metadata, source) if metadata else None  # first: it knows its fields best
    arrays: Sequence[bytes] = ()
    if raw:
        text, arrays = _observation_to_json(observation, plan.exclude, source)
    else:
        try:
            text = plan.write(observation, exclude=plan.exclude, fallback=plain, warnings=False)
        except _UNWRITABLE:
            text = _to_json(observation, plan.exclude, source)  # which says what is to blame
        if b"null" in text or (_N in text and b"NaN" in text) or (_I in text and b"Infinity" in text):
            _refuse_nonfinite_fields(observation, plan.exclude, source)
    encoded = (text, reward, bool(held["done"]), extras, bool(held["truncated"]), arrays)
    return tuple.__new__(EncodedObservation, encoded)  # in half the time of a call


def encode_state(state: object, *, source: str) -> bytes:
    """Encode a state: a pydantic model, dataclass or mapping; a false one is `{}`.

    Raises:
        BadObservation: A field cannot be written as JSON.
    """
    if isinstance(state, BaseModel):
        return _to_json(state, set(), source)
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        return _value_to_json(_shallow(state), "", source)
    if not state:
        return b"{}"
    if not isinstance(state, Mapping):
        raise _bad(source, None, f"is a {type(state).__name__}; make it a State, a dataclass or a mapping")
    return _value_to_json(dict(state), "", source)


def encode_actions(actions: object, *, source: str) -> bytes:
    """Encode what `web_actions` returned: pairs of a label and an action, which is a model or a mapping; None for none.

    Raises:
        BadObservation: It is something else, or an action cannot be written as JSON.
    """
    if actions is None:
        return b"[]"
    if not isinstance(actions, list | tuple):
        raise _bad(source, None, f"returned {type(actions).__name__} instead of a list of labels and actions")
    written = []
    for index, pair in enumerate(actions):
        match pair:
            case (str() as label, BaseModel() as action):
                text = _to_json(action, set(), source)
            case (str() as label, Mapping() as action):
                text = _value_to_json(dict(action), str(index), source)
            case _:
                raise _bad(source, str(index), "is no pair of a label and an action")
        written.append(b'{"label":%s,"action":%s}' % (_value_to_json(label, str(index), source), text))
    return b"[%s]" % b",".join(written)


def encode_reply(reply: object, *, source: str) -> bytes | None:
    """Encode what `handle_json_rpc` returned: a mapping, or None for nothing.

    Raises:
        BadObservation: It is something else, or cannot be written as JSON.
    """
    if reply is None:
        return None
    if not isinstance(reply, Mapping):
        raise _bad(source, None, f"returned {type(reply).__name__} instead of a JSON-RPC reply")
    return _value_to_json(dict(reply), "", source)


class _Plan(NamedTuple):
    write: Callable[..., bytes]  # looking it up on the instance takes as long as writing does
    exclude: set[str]  # what travels outside; pydantic wants a set, and does not change it
    is_usual: bool


@functools.cache
def _plan_of(kind: type) -> _Plan | None:
    """Say how to encode a class; None if it is no model. `truncated` travels outside when it is ours and no other's."""
    if not issubclass(kind, BaseModel):
        return None
    declared = any(
        "truncated" in vars(cls).get("__annotations__", {}) for cls in kind.__mro__ if cls is not Observation
    )
    exclude = {*_ENVELOPE} if declared else {*_ENVELOPE, "truncated"}
    return _Plan(kind.__pydantic_serializer__.to_json, exclude, kind.model_fields.keys() >= _OUTSIDE)


def _reward(reward: Any, source: str) -> float | int | bool | None:
    if reward is None or isinstance(reward, bool):
        return reward
    try:
        number = float(reward)
    except OverflowError as error:
        raise _bad(source, "reward", "is too large for a float") from error
    except (TypeError, ValueError) as error:
        raise _bad(source, "reward", f"is a {type(reward).__name__}, which is no number") from error
    if not isfinite(number):
        raise _bad(source, "reward", f"is {number}; a reward must be finite")
    return reward if isinstance(reward, int) else number


def _observation_to_json(observation: BaseModel, exclude: set[str], source: str) -> tuple[bytes, Sequence[bytes]]:
    arrays = RawArrays()
    text = _to_json(observation, exclude, source, arrays)
    if text.count(_MARK) == len(arrays.buffers):
        return text, arrays.buffers
    return _to_json(observation, exclude, source), ()  # lists: the author's own data has the mark


def _metadata_to_json(metadata: object, source: str) -> bytes:
    try:
        text = orjson.dumps(metadata, option=_PLAIN_ONLY)  # in a third of the time, for what both write alike
    except TypeError:
        return _value_to_json(metadata, "metadata", source)
    return _value_to_json(metadata, "metadata", source) if b"null" in text else text


def _to_json(model: BaseModel, exclude: set[str], source: str, arrays: RawArrays | None = None) -> bytes:
    fallback, context = (plain, None) if arrays is None else (arrays.describe, RAW)
    write = type(model).__pydantic_serializer__.to_json  # asking the instance takes as long as writing does
    try:
        text = write(model, exclude=exclude, fallback=fallback, warnings=False, context=context)
    except _UNWRITABLE as error:
        field = next((name for name in _names(model, exclude) if _fails(model, name)), None)
        raise _bad(source, field, f"cannot be written as JSON: {error}") from error
    if _may_hide_nonfinite(text) or (arrays is not None and arrays.has_nonfinite):
        _refuse_nonfinite_fields(model, exclude, source)
    return text


def _value_to_json(value: object, field: str, source: str) -> bytes:
    """Encode what stands at `field`, or is the whole thing when that is empty."""
    try:
        text = pydantic_core.to_json(value, fallback=plain)
    except _UNWRITABLE as error:
        items = value.items() if isinstance(value, Mapping) else ()
        key = next((key for key, item in items if _fails({key: item})), None)
        raise _bad(source, _joined(field, key), f"cannot be written as JSON: {error}") from error
    if _may_hide_nonfinite(text):
        _refuse_nonfinite(value, field, source)
    return text


def _may_hide_nonfinite(text: bytes) -> bool:
    """Tell whether the encoder may have written NaN or an infinity; looking closer is then worth a walk."""
    # A single letter, given as an integer, is found in a tenth of the time that a word takes.
    return b"null" in text or (_N in text and b"NaN" in text) or (_I in text and b"Infinity" in text)


def _refuse_nonfinite_fields(model: BaseModel, exclude: set[str], source: str) -> None:
    for name in _names(model, exclude):
        _refuse_nonfinite(getattr(model, name, None), name, source)


def _refuse_nonfinite(value: Any, field: str, source: str) -> None:
    if isinstance(value, float):
        if not isfinite(value):
            raise _bad(source, field, f"is {value}, which JSON cannot carry")
    elif isinstance(value, BaseModel):
        for name in _names(value, set()):
            _refuse_nonfinite(getattr(value, name, None), _joined(field, name), source)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_nonfinite(item, _joined(field, key), source)
    elif isinstance(value, list | tuple | set | frozenset | deque):
        for index, item in enumerate(value):
            _refuse_nonfinite(item, _joined(field, index), source)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _refuse_nonfinite(_shallow(value), field, source)
    elif isinstance(value, enum.Enum):
        _refuse_nonfinite(value.value, field, source)
    elif hasattr(value, "tolist"):
        _refuse_nonfinite(value.tolist(), field, source)


def _names(model: BaseModel, exclude: set[str]) -> list[str]:
    known = type(model)
    fields = [name for name, field in known.model_fields.items() if not field.exclude]
    return [name for name in (*fields, *known.model_computed_fields, *(model.model_extra or ())) if name not in exclude]


def _fails(value: object, name: str | None = None) -> bool:
    """Tell whether `value`, or one field of it alone, cannot be written as JSON."""
    try:
        pydantic_core.to_json(value, include=None if name is None else {name}, fallback=plain)
    except _UNWRITABLE:
        return True
    return False


def _shallow(value: Any) -> dict[str, Any]:
    """Give a dataclass as a mapping, without the deep copy of `dataclasses.asdict`."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _joined(field: str, part: object) -> str:
    return ".".join(str(name) for name in (field, part) if name not in ("", None))


def _bad(source: str, field: str | None, sentence: str) -> BadObservation:
    subject = f"{source}: field {field!r} " if field else f"{source} "
    return BadObservation("OBSERVATION_ERROR", subject + sentence, {"field": field} if field else {})
