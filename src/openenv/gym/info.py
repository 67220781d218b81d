"""What Gymnasium's `info` and `terminated` become in an observation's metadata, and how they are read back.

`info` is the metadata, with arrays as lists, so that any client can read it. What JSON would lose stands under the key
`$gym`, which is there only when there is something to say: the entries that were arrays, numpy numbers or tuples, the
entries that cannot travel at all, whether an episode that was truncated had terminated in the same step, and of which
type the rewards of a vector are if that is not `float64`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from openenv.errors import PeerError

__all__ = ["EXTRAS_KEY", "ReadInfo", "info_to_metadata", "metadata_to_info"]

EXTRAS_KEY = "$gym"

_MAX_DEPTH = 16
_NUMBERS = "biuf"
_REWARD_TYPE: np.dtype[Any] = np.dtype(np.float64)


@dataclass(frozen=True)
class ReadInfo:
    """An `info` that has arrived.

    Attributes:
        info: As the environment gave it, but for what could not travel.
        has_terminated: Whether an episode that was truncated had terminated as well.
        left_out: Where the entries stood that could not travel, dotted.
        reward_type: Of which type the rewards of a vector were.
    """

    info: dict[str, Any]
    has_terminated: bool
    left_out: tuple[str, ...]
    reward_type: np.dtype[Any] = _REWARD_TYPE


@dataclass
class _Extras:
    """What is found on the way through an `info`."""

    kinds: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _CannotTravel(Exception):
    """JSON has no place for this value."""


def info_to_metadata(
    info: Mapping[str, Any], *, has_terminated: bool = False, reward_type: np.dtype[Any] = _REWARD_TYPE
) -> dict[str, Any]:
    """Write an `info`.

    Args:
        info: What the environment gave.
        has_terminated: Whether the episode was both terminated and truncated.
        reward_type: Of which type the rewards of a vector are.
    """
    if not info and not has_terminated and reward_type == _REWARD_TYPE:
        return {}
    found = _Extras()
    metadata = _mapping(info, (), found)
    extras: dict[str, Any] = {"terminated": True} if has_terminated else {}
    if reward_type != _REWARD_TYPE:
        extras["rewards"] = reward_type.name
    if found.kinds:
        extras["kinds"] = found.kinds
    if found.left_out:
        extras["left_out"] = found.left_out
    if extras:
        metadata[EXTRAS_KEY] = extras
    return metadata


def metadata_to_info(metadata: Mapping[str, Any] | None) -> ReadInfo:
    """Read an `info`.

    Raises:
        PeerError: What the server says about its entries is not true of them.
    """
    if not metadata:
        return ReadInfo({}, False, ())
    info = dict(metadata)
    extras = info.pop(EXTRAS_KEY, None)
    if extras is None:
        return ReadInfo(info, False, ())
    try:
        for entry in extras.get("kinds", ()):
            _restore(info, entry["path"], entry)
        reward_type = _number_type(extras["rewards"]) if "rewards" in extras else _REWARD_TYPE
        return ReadInfo(
            info, extras.get("terminated") is True, tuple(map(str, extras.get("left_out", ()))), reward_type
        )
    except _UNTRUE as error:
        raise PeerError(f"the server's metadata {EXTRAS_KEY!r} does not fit the rest: {error!r}") from error


_UNTRUE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def _mapping(value: Mapping[Any, Any], path: tuple[str | int, ...], found: _Extras) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key, item in value.items():
        here = (*path, key if isinstance(key, str) else repr(key))
        try:
            if not isinstance(key, str) or here == (EXTRAS_KEY,):
                raise _CannotTravel
            written[key] = _value(item, here, found)
        except _CannotTravel:
            found.left_out.append(".".join(map(str, here)))
    return written


def _value(value: Any, path: tuple[str | int, ...], found: _Extras) -> Any:
    """Write one entry. A sequence travels whole or not at all: without one item the others would change places."""
    if value is None or isinstance(value, str | bool) or type(value) is int:
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _NUMBERS and np.isfinite(value).all():
        if value.dtype.itemsize > 8:
            raise _CannotTravel
        kind = "array" if isinstance(value, np.ndarray) else "number"
        found.kinds.append({"path": list(path), "kind": kind, "dtype": value.dtype.name, "shape": list(value.shape)})
        return value.tolist()
    if len(path) > _MAX_DEPTH:
        raise _CannotTravel
    if isinstance(value, Mapping):
        return _mapping(value, path, found)
    if (sequence := _sequence(value)) is not None:
        inside = _Extras()
        written = [_value(item, (*path, index), inside) for index, item in enumerate(value)]
        if inside.left_out:
            raise _CannotTravel
        found.kinds += inside.kinds
        if sequence != "list":  # after its items, which are put back one by one while it is a list
            found.kinds.append({"path": list(path), "kind": sequence})
        return written
    raise _CannotTravel


def _sequence(value: Any) -> str | None:
    """Say which kind of sequence a value is; arrays of objects are what a vector's infos hold for each environment."""
    if isinstance(value, np.ndarray):
        return "objects" if value.dtype == object and value.ndim == 1 else None
    return type(value).__name__ if type(value) in (list, tuple) else None


def _restore(info: dict[str, Any], path: list[Any], entry: Mapping[str, Any]) -> None:
    *above, last = path
    place: Any = info
    for step in above:
        place = place[step]
    value = place[last]
    match entry["kind"]:
        case "array":
            place[last] = np.array(value, dtype=_number_type(entry["dtype"])).reshape(entry["shape"])
        case "number":
            place[last] = _number_type(entry["dtype"]).type(value)
        case "tuple":
            place[last] = tuple(value)
        case "objects":
            place[last] = np.empty(len(value), dtype=object)
            for index, item in enumerate(value):  # one by one, as arrays in a list would be taken apart
                place[last][index] = item
        case other:
            raise ValueError(f"kind {other!r} is unknown")


def _number_type(name: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(name)
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"{dtype} is no type of numbers")
    return dtype
