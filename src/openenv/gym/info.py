"""What Gymnasium's `info` and `terminated` become in an observation's metadata, and how they are read back.

`info` is the metadata, with arrays as lists, so that any client can read it. What JSON would lose stands under the key
`$gym`, which is there only when there is something to say: the entries that were arrays, numpy numbers or tuples, the
entries that cannot travel at all, and whether an episode that was truncated had terminated in the same step.
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


@dataclass(frozen=True)
class ReadInfo:
    """An `info` that has arrived.

    Attributes:
        info: As the environment gave it, but for what could not travel.
        has_terminated: Whether an episode that was truncated had terminated as well.
        left_out: Where the entries stood that could not travel, dotted.
    """

    info: dict[str, Any]
    has_terminated: bool
    left_out: tuple[str, ...]


@dataclass
class _Extras:
    """What is found on the way through an `info`."""

    kinds: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class _CannotTravel(Exception):
    """JSON has no place for this value."""


def info_to_metadata(info: Mapping[str, Any], *, has_terminated: bool) -> dict[str, Any]:
    """Write an `info`; `has_terminated` says that the episode was both terminated and truncated."""
    if not info and not has_terminated:
        return {}
    found = _Extras()
    metadata = _mapping(info, (), found)
    extras: dict[str, Any] = {"terminated": True} if has_terminated else {}
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
        return ReadInfo(info, extras.get("terminated") is True, tuple(map(str, extras.get("left_out", ()))))
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
    if type(value) in (list, tuple):
        inside = _Extras()
        written = [_value(item, (*path, index), inside) for index, item in enumerate(value)]
        if inside.left_out:
            raise _CannotTravel
        found.kinds += inside.kinds
        if isinstance(value, tuple):  # after its items, which are put back one by one while it is a list
            found.kinds.append({"path": list(path), "kind": "tuple"})
        return written
    raise _CannotTravel


def _restore(info: dict[str, Any], path: list[Any], entry: Mapping[str, Any]) -> None:
    *above, last = path
    place: Any = info
    for step in above:
        place = place[step]
    value = place[last]
    match entry["kind"]:
        case "array":
            place[last] = np.array(value, dtype=_number_type(entry)).reshape(entry["shape"])
        case "number":
            place[last] = _number_type(entry).type(value)
        case "tuple":
            place[last] = tuple(value)
        case other:
            raise ValueError(f"kind {other!r} is unknown")


def _number_type(entry: Mapping[str, Any]) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(entry["dtype"])
    if dtype.kind not in _NUMBERS:
        raise ValueError(f"{dtype} is no type of numbers")
    return dtype
