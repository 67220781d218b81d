"""What the fields of dialect 2 may hold; both directions ask here."""

import base64
from typing import Any

from openenv.protocol.messages import Json

__all__ = [
    "MAX_COUNT",
    "MAX_LANE",
    "OPS",
    "are_lanes",
    "is_column",
    "is_count",
    "snapshot_from_text",
    "snapshot_to_text",
]

MAX_COUNT = 2**53
"""The largest integer that every JSON library holds exactly."""
MAX_LANE = 2**31 - 1
OPS = ("reset", "step", "state")
"""What a batch may ask of its lanes."""


def is_count(value: Json) -> bool:
    """Tell whether `value` numbers or counts something."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def are_lanes(lanes: Json) -> bool:
    """Check a list as a whole: asking each of a thousand lanes would cost more than stepping some."""
    if not isinstance(lanes, list) or set(map(type, lanes)) != {int}:
        return False
    return min(lanes) >= 0 and max(lanes) <= MAX_LANE and len(set(lanes)) == len(lanes)


def is_column(value: Any) -> bool:
    """Tell a list, or an array of one dimension at least, from all else."""
    return isinstance(value, list) or bool(getattr(value, "shape", ()))


def snapshot_to_text(snapshot: bytes) -> str:
    """Write a snapshot as JSON can carry it, in base64."""
    return base64.b64encode(snapshot).decode()


def snapshot_from_text(text: Json) -> bytes:
    """Read one. Raises ValueError when it is none."""
    if not isinstance(text, str):
        raise ValueError("a snapshot is text, in base64")
    return base64.b64decode(text, validate=True)
