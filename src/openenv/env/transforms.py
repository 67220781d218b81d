"""Transforms: they take an observation and give one back. An environment applies its own with `_apply_transform`.

Any callable will do where one is taken; the classes are for those who want one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

__all__ = ["CompositeTransform", "NullTransform", "Transform"]

ObsT = TypeVar("ObsT")


class Transform(ABC, Generic[ObsT]):
    """Reshapes observations, or scores them; subclass it and say how in `__call__`."""

    @abstractmethod
    def __call__(self, observation: ObsT) -> ObsT:
        """Give the observation to go on with: another one, or the same."""


class CompositeTransform(Transform[Any]):
    """A transform that applies others, first to last."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = tuple(transforms)

    def __call__(self, observation: Any) -> Any:
        """Apply each in turn."""
        for transform in self.transforms:
            observation = transform(observation)
        return observation


class NullTransform(Transform[Any]):
    """A transform that changes nothing."""

    def __call__(self, observation: Any) -> Any:
        """Give the same observation."""
        return observation
