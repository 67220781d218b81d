"""Rubrics made of rubrics: in a row, behind a threshold, by weight; and the two that only hold others."""

from abc import abstractmethod
from collections.abc import Awaitable, Generator, ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any

from openenv.env.rubrics.base import Rubric, is_async
from openenv.env.rubrics.drive import drive, together
from openenv.errors import ConfigurationError

__all__ = ["Gate", "RubricDict", "RubricList", "Sequential", "WeightedSum"]

_TOLERANCE = 1e-6


class _Numbered(Rubric):
    """Has its children as attributes `rubric_0`, `rubric_1`, ...; a subclass may have others besides."""

    _count = 0

    def _add(self, rubrics: Iterable[Rubric]) -> None:
        for rubric in rubrics:
            setattr(self, f"rubric_{self._count}", rubric)
            self._count += 1

    @property
    def _rubric_list(self) -> list[Rubric]:
        return [getattr(self, f"rubric_{index}") for index in range(self._count)]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Rubric:
        return self._rubric_list[index]


class _Combination(Rubric):
    """Combines what others score; async as soon as one of them is."""

    @property
    @abstractmethod
    def _operands(self) -> Sequence[Rubric]: ...

    @abstractmethod
    def _combine(self, action: Any, observation: Any) -> Generator[Any, Any, float]: ...

    @property
    def _is_async(self) -> bool:
        return super()._is_async or any(is_async(rubric) for rubric in self._operands)

    def forward(self, action: Any, observation: Any) -> Any:  # a float, or an awaitable of one
        """Combine the scores."""
        return drive(self._combine(action, observation))


class Sequential(_Numbered, _Combination):
    """Scores as the last of its rubrics does, and 0 as soon as one scores 0; those after it are not called."""

    def __init__(self, *rubrics: Rubric) -> None:
        super().__init__()
        self._add(rubrics)

    @property
    def _operands(self) -> list[Rubric]:
        return self._rubric_list

    def _combine(self, action: Any, observation: Any) -> Generator[Any, Any, float]:
        score = 1.0
        for rubric in self._rubric_list:
            score = yield rubric(action, observation)
            if score == 0:
                return 0.0
        return score


class Gate(_Combination):
    """Scores as its rubric does where that is at least `threshold`, and 0 below."""

    def __init__(self, rubric: Rubric, threshold: float = 1.0) -> None:
        super().__init__()
        self.rubric = rubric
        self.threshold = threshold

    @property
    def _operands(self) -> tuple[Rubric]:
        return (self.rubric,)

    def _combine(self, action: Any, observation: Any) -> Generator[Any, Any, float]:
        score: float = yield self.rubric(action, observation)
        return score if score >= self.threshold else 0.0

    def state_dict(self) -> dict[str, Any]:
        """Give the settings of the tree and `threshold`."""
        return {**super().state_dict(), "threshold": self.threshold}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings that `state_dict` gave."""
        super().load_state_dict(state)
        self.threshold = state.get("threshold", self.threshold)


class WeightedSum(_Numbered, _Combination):
    """Adds up what its rubrics score, each times its weight. Async ones are awaited at the same time.

    Raises:
        ConfigurationError: There is not one weight for each rubric, or the weights do not sum to 1.
    """

    def __init__(self, rubrics: Sequence[Rubric], weights: Sequence[float]) -> None:
        super().__init__()
        self._add(rubrics)
        self._weights = self._checked(weights)

    @property
    def weights(self) -> list[float]:
        """The weights, as a list of the caller's own."""
        return list(self._weights)

    @property
    def _operands(self) -> list[Rubric]:
        return self._rubric_list

    def _combine(self, action: Any, observation: Any) -> Generator[Any, Any, float]:
        scores: list[float] = []
        if self._is_async:
            scores = yield together(_awaited(rubric, action, observation) for rubric in self._rubric_list)
        else:
            for rubric in self._rubric_list:
                scores.append((yield rubric(action, observation)))
        return sum(score * weight for score, weight in zip(scores, self._weights, strict=True))

    def _checked(self, weights: Sequence[float]) -> list[float]:
        if len(weights) != self._count:
            raise ConfigurationError(
                f"WeightedSum has {self._count} rubrics and {len(weights)} weights; give one for each"
            )
        if not abs(sum(weights) - 1.0) <= _TOLERANCE:  # said so that NaN fails it
            raise ConfigurationError(f"the weights {list(weights)} sum to {sum(weights)}; they must sum to 1")
        return list(weights)

    def state_dict(self) -> dict[str, Any]:
        """Give the settings of the tree and `weights`."""
        return {**super().state_dict(), "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings that `state_dict` gave."""
        super().load_state_dict(state)
        self._weights = self._checked(state.get("weights", self._weights))


class RubricList(_Numbered):
    """Holds rubrics by number, for a parent that chooses among them; it has no score of its own."""

    def __init__(self, rubrics: Iterable[Rubric] | None = None) -> None:
        super().__init__()
        self._add(rubrics or ())

    def forward(self, action: Any, observation: Any) -> float:
        """Refuse: call one of the rubrics instead."""
        raise NotImplementedError("a RubricList has no score of its own; its parent calls the rubrics in it")

    def append(self, rubric: Rubric) -> None:
        """Add a rubric."""
        self._add([rubric])

    def extend(self, rubrics: Iterable[Rubric]) -> None:
        """Add several rubrics."""
        self._add(rubrics)

    def __iter__(self) -> Iterator[Rubric]:
        return iter(self._rubric_list)


class RubricDict(Rubric):
    """Holds rubrics by name, for a parent that chooses among them; it has no score of its own.

    A name may be any text, even that of a method; where it is none, the rubric is an attribute as well.
    """

    def __init__(self, rubrics: Mapping[str, Rubric] | None = None) -> None:
        super().__init__()
        self._rubric_dict: dict[str, Rubric] = dict(rubrics or {})

    def forward(self, action: Any, observation: Any) -> float:
        """Refuse: call one of the rubrics instead."""
        raise NotImplementedError("a RubricDict has no score of its own; its parent calls the rubrics in it")

    def named_children(self) -> Iterator[tuple[str, Rubric]]:
        """Give the rubrics in it, and those that are its attributes."""
        yield from super().named_children()
        yield from list(self._rubric_dict.items())

    def keys(self) -> KeysView[str]:
        """Give the names."""
        return self._rubric_dict.keys()

    def values(self) -> ValuesView[Rubric]:
        """Give the rubrics."""
        return self._rubric_dict.values()

    def items(self) -> ItemsView[str, Rubric]:
        """Give names and rubrics."""
        return self._rubric_dict.items()

    def update(self, rubrics: Mapping[str, Rubric]) -> None:
        """Add several rubrics, or replace those of the same name."""
        self._rubric_dict.update(rubrics)

    def __getattr__(self, name: str) -> Rubric:
        try:
            return vars(self)["_rubric_dict"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute or rubric {name!r}") from None

    def __setitem__(self, name: str, rubric: Rubric) -> None:
        self._rubric_dict[name] = rubric

    def __getitem__(self, name: str) -> Rubric:
        return self._rubric_dict[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rubric_dict

    def __len__(self) -> int:
        return len(self._rubric_dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rubric_dict)


async def _awaited(rubric: Rubric, action: Any, observation: Any) -> Any:
    score = rubric(action, observation)
    return await score if isinstance(score, Awaitable) else score
