"""What a vector returns: a list of results, in which a failure stands for itself and spoils no other."""

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from openenv.errors import OpenEnvError, UsageError
from openenv.types import StepResult

__all__ = ["FailedResult", "StepResults"]

ObsT = TypeVar("ObsT")

_FIELDS = frozenset({"observation", "reward", "done", "metadata", "truncated", "terminated"})
_OF_RESULTS = frozenset({"reward", "done", "truncated", "terminated"})


class FailedResult(StepResult[Any]):
    """In place of a result: `error` says why there is none, and a look at anything else raises it.

    So nobody learns from an observation that never was. With autoreset in the same step, `final` is the result of an
    episode that ended before the next one failed to begin.
    """

    error: OpenEnvError

    def __init__(self, error: OpenEnvError) -> None:
        self.error = error

    def __getattribute__(self, name: str) -> Any:
        if name in _FIELDS:
            raise super().__getattribute__("error")
        return super().__getattribute__(name)

    def __repr__(self) -> str:
        return f"FailedResult({self.error!r})"

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class StepResults(list[StepResult[ObsT]], Generic[ObsT]):
    """The results of a vector's `reset` or `step`, in the order in which their environments were asked for.

    Attributes:
        indices: The environments that they are of.
    """

    def __init__(self, results: Iterable[StepResult[ObsT]], indices: Iterable[int]) -> None:
        super().__init__(results)
        self.indices = tuple(indices)

    @property
    def errors(self) -> dict[int, OpenEnvError]:
        """What failed, by the index of its environment; `reset(indices=results.errors)` begins anew there."""
        pairs = zip(self.indices, self, strict=True)
        return {index: result.error for index, result in pairs if isinstance(result, FailedResult)}

    def stacked(self, name: str) -> Any:
        """Make one NumPy array of a field of all observations, or of `reward`, `done`, `truncated` or `terminated`.

        Raises:
            OpenEnvError: What the first failure among them raises.
            UsageError: Observations have no such field, or it has not the same shape everywhere.
        """
        import numpy as np  # only here: an optional part, and slow to import

        values = [getattr(result, name) if name in _OF_RESULTS else _field(result.observation, name) for result in self]
        try:
            return np.stack(values) if values else np.empty(0)
        except ValueError as error:
            raise UsageError(f"{name!r} cannot be stacked: {error}") from error


def _field(observation: Any, name: str) -> Any:
    try:
        return observation[name] if isinstance(observation, dict) else getattr(observation, name)
    except (KeyError, AttributeError) as error:
        raise UsageError(f"a {type(observation).__name__} has no field {name!r}") from error
