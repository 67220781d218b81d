"""What can be said on the wire: requests, replies and faults, as values without any encoding.

Nobody changes them. Two are not frozen all the same: freezing triples the time to make one, and every step makes these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from openenv.errors import RemoteFault

__all__ = [
    "Close",
    "Fault",
    "GetState",
    "GetView",
    "Json",
    "JsonRpc",
    "JsonRpcReply",
    "Observed",
    "Reply",
    "Request",
    "Reset",
    "StateIs",
    "Step",
    "ViewIs",
]

Json = Any  # a JSON value; on the way out also an `orjson.Fragment` of one, so that nothing is encoded twice


@dataclass(frozen=True, slots=True)
class Reset:
    """Begin an episode. `options` are the keyword arguments of the environment's `reset`."""

    options: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: float | None = None


@dataclass(slots=True)
class Step:
    """Act. `options` are further keyword arguments of the environment's `step`."""

    action: Json
    timeout_s: float | None = None
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GetState:
    """Ask for the environment's state. `timeout_s` is kept by the asking side alone."""

    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class GetView:
    """Ask how the environment would show its latest observation to a person."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the session; it has no reply."""


@dataclass(frozen=True, slots=True)
class JsonRpc:
    """A JSON-RPC 2.0 request, carried whole.

    `offered` is kept by the server: which of `reset`, `step` and `state` an environment without tools of its own has as
    tools; None when it is to say that it has none.
    """

    payload: Mapping[str, Json]
    offered: frozenset[str] | None = None


@dataclass(slots=True)
class Observed:
    """Answers `Reset` and `Step`.

    `metadata` repeats what lies inside the observation; None when there is none. `extra` is what a foreign server
    sent besides.
    """

    observation: Json
    reward: float | int | bool | None = None
    done: bool = False
    metadata: Json | None = None
    truncated: bool = False
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StateIs:
    """Answers `GetState`."""

    state: Json


@dataclass(frozen=True, slots=True)
class ViewIs:
    """Answers `GetView`: `html`, a string or null, and `actions`, a list of objects with `label` and `action`."""

    view: Json


@dataclass(frozen=True, slots=True)
class JsonRpcReply:
    """Answers `JsonRpc`."""

    payload: Json


@dataclass(frozen=True, slots=True)
class Fault:
    """Answers any request with "no"; also said unasked, by a server that has no room."""

    code: str
    message: str
    details: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def of(cls, error: RemoteFault) -> Self:
        """Say on the wire what `error` says in Python."""
        return cls(error.code, error.message, error.details)


Request = Reset | Step | GetState | GetView | Close | JsonRpc
Reply = Observed | StateIs | ViewIs | JsonRpcReply | Fault
