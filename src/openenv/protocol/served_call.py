"""A request that a server's link is serving: what each of its lanes has to do, and has answered."""

from collections.abc import Sequence
from typing import Protocol

from openenv.protocol.link_messages import Batch, CloseLanes, Fork, GetSnapshot, Open, Restore, Restored, SnapshotIs
from openenv.protocol.messages import Fault, Reply, Request

__all__ = ["Encoded", "Outcome", "Refused", "ServedCall", "Work"]


class Encoded(Protocol):
    """An observation that is JSON text already; what the server's encoder makes, to be sent as it is."""

    @property
    def observation(self) -> bytes:
        """JSON text."""

    @property
    def reward(self) -> float | int | bool | None:
        """A plain value."""

    @property
    def done(self) -> bool:
        """A plain value."""

    @property
    def metadata(self) -> bytes | None:
        """JSON text."""

    @property
    def truncated(self) -> bool:
        """A plain value."""

    @property
    def arrays(self) -> Sequence[bytes]:
        """The buffers of arrays that `observation` describes; see `placing`."""


Served = Request | GetSnapshot | Restore | Fork | Open | CloseLanes | Batch
"""What a server answers."""
Outcome = Reply | Encoded | SnapshotIs | Restored | None
"""How the work of a lane ended. None says that the lane is open, or closed, now."""


class ServedCall:
    """One request that is being served, and what its lanes have answered so far.

    Attributes:
        id: The client's number for it.
        lane: The lane it is for; None when it names lanes itself.
        lanes: All the lanes it is for; of a fork, the one that is forked is the first.
        request: What is asked; `Batch.at` says what that is for one of the lanes.
        is_binary: The encoding of request and reply.
        size: Bytes of the request.
        left: How many lanes have still to answer.
        outcomes: Index and answer of those that have, and that were not sent yet.
        snapshot: What the new lanes of a fork begin with; None until it is there.
    """

    __slots__ = ("id", "is_binary", "lane", "lanes", "left", "outcomes", "request", "size", "snapshot")

    def __init__(self, call_id: int, lane: int | None, request: Served, *, binary: bool, size: int) -> None:
        self.id = call_id
        self.lane = lane
        self.lanes: tuple[int, ...] = () if lane is None else (lane,)
        if isinstance(request, Open | CloseLanes | Batch):
            self.lanes = request.lanes
        elif isinstance(request, Fork):
            self.lanes += request.lanes
        self.request = request
        self.is_binary = binary
        self.size = size
        self.left = len(self.lanes)
        self.outcomes: list[tuple[int, Outcome]] = []
        self.snapshot: bytes | None = None


Work = tuple[ServedCall, int]
"""What one lane has to do: `call.request`, on the lane `call.lanes[index]`. Compared by identity."""
Refused = list[tuple[ServedCall, int, Fault]]
"""Work that is not done, and why."""
