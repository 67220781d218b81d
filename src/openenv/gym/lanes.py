"""Several sessions on one server, driven at once: what a vector environment steps."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openenv.client import EnvVector
from openenv.gym.client import GymClient, view_of
from openenv.protocol import ViewIs
from openenv.types import StepResult

__all__ = ["LaneSet"]


class LaneSet:
    """Sessions numbered from 0. A call goes to all of its lanes, then waits for all.

    Raises:
        ConnectFailed, Refused: There is no server, or it does not let us in.
        AtCapacity: It has no room for so many.
    """

    def __init__(self, url: str, count: int, **client_options: Any) -> None:
        self._vector: EnvVector[Any, dict[str, Any], dict[str, Any]]
        self._vector = GymClient.vector(url, count, autoreset="off", arrays=True, **client_options)
        self._vector.connect()

    def reset(
        self, lanes: Sequence[int], options: Sequence[Mapping[str, Any]], *, fresh: bool
    ) -> list[StepResult[Any]]:
        """Reset some lanes, each with the arguments of its own.

        Args:
            lanes: Their numbers.
            options: The arguments of each one's `reset`.
            fresh: Whether a lane whose session is lost may begin another one. It is another environment then, whose
                random numbers do not go on where those of the first were.

        Raises:
            OpenEnvError: What the first of the lanes that failed raises, with its number in a note.
        """
        if fresh:
            return self._checked(self._vector._reset_each(lanes, options), lanes)
        return self._checked(self._vector._go_on(lanes), lanes)

    def step(self, lanes: Sequence[int], actions: Sequence[Mapping[str, Any]]) -> list[StepResult[Any]]:
        """Step some lanes. Raises as `reset` does."""
        return self._checked(self._vector.step(actions, lanes), lanes)

    def views(self, lanes: Sequence[int]) -> list[str]:
        """Ask some lanes for what they show. Raises as `reset` does."""
        return [view_of(ViewIs(view)) for view in self._vector._views(lanes)]

    def close(self) -> None:
        """End the sessions."""
        self._vector.close()

    def _checked(self, results: list[StepResult[Any]], lanes: Iterable[int]) -> list[StepResult[Any]]:
        for lane, result in zip(lanes, results, strict=True):
            if result.error is not None:
                result.error.add_note(f"this was lane {lane} of {len(self._vector)}")
                raise result.error
        return results
