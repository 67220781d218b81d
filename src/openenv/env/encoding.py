"""Observations and states to JSON, once each, and the faults of those that cannot be sent.

JSON has no NaN and no infinity. Other encoders write null instead, and a trainer learns from a reward that never was;
here such a value is an error that names its field. Numpy scalars and arrays are written as numbers and lists.
"""

import dataclasses
import enum
import functools
import math
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import pydantic_core
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from openenv.errors import BadObservation
from openenv.types import Observation

__all__ = ["EncodedObservation", "encode_actions", "encode_observation", "encode_reply", "encode_state"]

_ENVELOPE = frozenset({"reward", "done"})


class EncodedObservation(NamedTuple):  # a frozen dataclass takes four times as long to make
    """An observation ready for the wire: `observation` and `metadata` are JSON text, the rest plain values."""

    observation: bytes
    reward: float | int | bool | None
    done: bool
    metadata: bytes | None
    truncated: bool


def encode_observation(observation: object, *, source: str) -> EncodedObservation:
    """Encode what `reset` or `step` returned.

    Args:
        observation: Any pydantic model; `reward`, `done`, `truncated` and `metadata` are taken out if it has them.
        source: Who returned it, for the message, such as `EchoEnvironment.step`.

    Raises:
        BadObservation: It is no model, its reward is not finite, or a field cannot be written as JSON.
    """
    if not isinstance(observation, BaseModel):
        raise _bad(source, None, f"returned {type(observation).__name__} instead of an Observation")
    reward = _reward(getattr(observation, "reward", None), source)
    metadata = getattr(observation, "metadata", None)
    extras = _value_to_json(metadata, "metadata", source) if metadata else None  # first: it knows its fields best
    return EncodedObservation(
        observation=_to_json(observation, _excluded(type(observation)), source),
        reward=reward,
        done=bool(getattr(observation, "done", False)),
        metadata=extras,
        truncated=bool(getattr(observation, "truncated", False)),
    )


def encode_state(state: object, *, source: str) -> bytes:
    """Encode a state: a pydantic model, dataclass or mapping; a false one is `{}`.

    Raises:
        BadObservation: A field cannot be written as JSON.
    """
    if isinstance(state, BaseModel):
        return _to_json(state, frozenset(), source)
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
                text = _to_json(action, frozenset(), source)
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


@functools.cache
def _excluded(model: type[BaseModel]) -> frozenset[str]:
    """Name the fields that travel outside: `truncated` only when it is ours and not the author's own."""
    declared = any(
        "truncated" in vars(cls).get("__annotations__", {}) for cls in model.__mro__ if cls is not Observation
    )
    return _ENVELOPE if declared else _ENVELOPE | {"truncated"}


def _reward(reward: Any, source: str) -> float | int | bool | None:
    if reward is None or isinstance(reward, bool):
        return reward
    try:
        number = float(reward)
    except OverflowError as error:
        raise _bad(source, "reward", "is too large for a float") from error
    except (TypeError, ValueError) as error:
        raise _bad(source, "reward", f"is a {type(reward).__name__}, which is no number") from error
    if not math.isfinite(number):
        raise _bad(source, "reward", f"is {number}; a reward must be finite")
    return reward if isinstance(reward, int) else number


def _to_json(model: BaseModel, exclude: frozenset[str], source: str) -> bytes:
    serializer = model.__pydantic_serializer__
    try:
        text: bytes = serializer.to_json(model, exclude=set(exclude), fallback=_plain, warnings=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        field = next((name for name in _names(model, exclude) if _fails(model, name)), None)
        raise _bad(source, field, f"cannot be written as JSON: {error}") from error
    if _may_hide_nonfinite(text):
        for name in _names(model, exclude):
            _refuse_nonfinite(getattr(model, name, None), name, source)
    return text


def _value_to_json(value: object, field: str, source: str) -> bytes:
    """Encode what stands at `field`, or is the whole thing when that is empty."""
    try:
        text = pydantic_core.to_json(value, fallback=_plain)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        items = value.items() if isinstance(value, Mapping) else ()
        key = next((key for key, item in items if _fails({key: item})), None)
        raise _bad(source, _joined(field, key), f"cannot be written as JSON: {error}") from error
    if _may_hide_nonfinite(text):
        _refuse_nonfinite(value, field, source)
    return text


def _may_hide_nonfinite(text: bytes) -> bool:
    """Tell whether the encoder may have written NaN or an infinity; looking closer is then worth a walk."""
    return b"null" in text or b"NaN" in text or b"Infinity" in text


def _refuse_nonfinite(value: Any, field: str, source: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _bad(source, field, f"is {value}, which JSON cannot carry")
    elif isinstance(value, BaseModel):
        for name in _names(value, frozenset()):
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


def _names(model: BaseModel, exclude: frozenset[str]) -> list[str]:
    known = type(model)
    fields = [name for name, field in known.model_fields.items() if not field.exclude]
    return [name for name in (*fields, *known.model_computed_fields, *(model.model_extra or ())) if name not in exclude]


def _fails(value: object, name: str | None = None) -> bool:
    """Tell whether `value`, or one field of it alone, cannot be written as JSON."""
    try:
        pydantic_core.to_json(value, include=None if name is None else {name}, fallback=_plain)
    except (PydanticSerializationError, ValueError, RecursionError):
        return True
    return False


def _plain(value: Any) -> Any:
    """Turn what pydantic does not know into what it does: arrays and scalars of numpy and its likes."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _shallow(value: Any) -> dict[str, Any]:
    """Give a dataclass as a mapping, without the deep copy of `dataclasses.asdict`."""
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _joined(field: str, part: object) -> str:
    return ".".join(str(name) for name in (field, part) if name not in ("", None))


def _bad(source: str, field: str | None, sentence: str) -> BadObservation:
    subject = f"{source}: field {field!r} " if field else f"{source} "
    return BadObservation("OBSERVATION_ERROR", subject + sentence, {"field": field} if field else {})
