"""When to look for a server again whose connection has ended, and until when. Pure: it is told what time it is."""

from openenv.errors import ConnectionLost

__all__ = ["Recovery"]

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class Recovery:
    """The attempts to go on with a link after its connection ended.

    They go on over several connections until something arrives, so that a connection that always breaks at once is not
    made for ever.

    Args:
        cause: How the connection ended.
        grace_s: How long the server keeps the link without one.
        now: The time, in seconds.

    Attributes:
        cause: How the connection ended.
        due: When the next attempt is to be made.
        deadline: When the server has given the link up.
    """

    def __init__(self, cause: ConnectionLost, grace_s: float, now: float) -> None:
        self.cause = cause
        self.due = now
        self.deadline = now + grace_s
        self._grace_s = grace_s
        self._pause_s = _FIRST_PAUSE_S

    def is_over(self, now: float) -> bool:
        """Tell whether there is nothing left to go on with."""
        return now >= self.deadline

    def tried(self, now: float) -> None:
        """Take note of an attempt, so that the next one comes later."""
        self.due = min(now + self._pause_s, self.deadline)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def failure(self) -> ConnectionLost:
        """Say why there will be no further attempt."""
        return ConnectionLost(
            f"{self.cause}, and no other was made within the {self._grace_s:g} s that the server keeps a session",
            code=self.cause.code,
        )
