"""What a rubric is: something that scores an action and what came of it, and that may be made of other rubrics.

A call is written once, as a generator, and runs sync or async: a class whose `forward` is `async def` is called as a
coroutine from the start, and anything else becomes one at the first thing that must be awaited.
"""

import functools
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from typing import Any, Self

from openenv.env.rubrics.drive import drive, drive_async
from openenv.env.rubrics.failures import BadScore
from openenv.env.rubrics.scorecard import name_of, record

__all__ = ["Rubric", "is_async"]

Hook = Callable[["Rubric", Any, Any, Any], Any]
PreHook = Callable[["Rubric", Any, Any], Any]


class Rubric(ABC):
    """Scores steps. Subclass it and write `forward`; assign other rubrics to attributes to make a tree.

    Attributes:
        last_score: What the latest call gave; None before the first.
    """

    last_score: float | None = None
    _forward_hooks: list[Hook]
    _forward_pre_hooks: list[PreHook]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Prepare a rubric here, so that a subclass need not call the constructor."""
        rubric = super().__new__(cls)
        rubric._forward_hooks = []
        rubric._forward_pre_hooks = []
        return rubric

    @abstractmethod
    def forward(self, action: Any, observation: Any) -> float | Awaitable[float]:
        """Score a step; may be `async def`.

        Args:
            action: What the agent did.
            observation: What came of it.
        """

    def __call__(self, action: Any, observation: Any) -> Any:  # a float, or an awaitable of one
        """Score a step, with hooks: a float, or an awaitable of one where something in the tree is async.

        Raises:
            BadScore: `forward` gave no finite number.
        """
        steps = self._steps(action, observation)
        return drive_async(steps) if is_async(self) else drive(steps)

    def register_forward_hook(self, hook: Hook) -> None:
        """Have `hook(rubric, action, observation, score)` called after each call; it may be async."""
        self._forward_hooks.append(hook)

    def register_forward_pre_hook(self, hook: PreHook) -> None:
        """Have `hook(rubric, action, observation)` called before each call, children included; it may be async."""
        self._forward_pre_hooks.append(hook)

    def named_children(self) -> Iterator[tuple[str, "Rubric"]]:
        """Give the rubrics that are attributes of this one, by name; whatever is there now, and nothing that was."""
        yield from [(name, value) for name, value in vars(self).items() if isinstance(value, Rubric)]

    def children(self) -> Iterator["Rubric"]:
        """Give the rubrics that are attributes of this one."""
        yield from (child for _, child in self.named_children())

    def named_rubrics(self, prefix: str = "") -> Iterator[tuple[str, "Rubric"]]:
        """Give every rubric below this one by its path, such as `style.length`, parents before their children."""
        for name, child in self.named_children():
            path = f"{prefix}.{name}" if prefix else name
            yield path, child
            yield from child.named_rubrics(path)

    def rubrics(self) -> Iterator["Rubric"]:
        """Give every rubric below this one, parents before their children."""
        yield from (rubric for _, rubric in self.named_rubrics())

    def get_rubric(self, path: str) -> "Rubric":
        """Find a rubric below this one by its path.

        Raises:
            KeyError: There is none; it says which there are.
        """
        found = dict(self.named_rubrics())
        if path not in found:
            raise KeyError(f"{type(self).__name__} has no rubric {path!r}; it has {', '.join(found) or 'none'}")
        return found[path]

    def reset(self) -> Any:
        """Forget the episode. Resets the children; override it to forget more. Awaitable if one of theirs is async."""
        return drive(child.reset() for _, child in self.named_children())

    def state_dict(self) -> dict[str, Any]:
        """Give the settings of the tree by dotted names; override it, and `load_state_dict`, to add your own."""
        named = ((f"{name}.", child.state_dict()) for name, child in self.named_children())
        return {prefix + key: value for prefix, below in named for key, value in below.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings that `state_dict` gave; what is missing stays as it is."""
        for name, child in self.named_children():
            prefix = f"{name}."
            below = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
            if below:
                child.load_state_dict(below)

    @property
    def _is_async(self) -> bool:
        """Whether a call is a coroutine from the start."""
        return _has_async_forward(type(self))

    def _steps(self, action: Any, observation: Any) -> Generator[Any, Any, Any]:
        """Write a call out; what may have to be awaited is yielded."""
        for pre_hook in tuple(self._forward_pre_hooks):
            yield pre_hook(self, action, observation)
        score = _number(self, (yield self.forward(action, observation)))
        self.last_score = score
        record(self, float(score))
        for hook in tuple(self._forward_hooks):
            yield hook(self, action, observation, score)
        return score


def is_async(rubric: object) -> bool:
    """Tell whether a rubric says so; anything else that can be called shows it by what it returns."""
    return bool(getattr(rubric, "_is_async", False))


@functools.cache
def _has_async_forward(rubric_class: type[Rubric]) -> bool:
    return inspect.iscoroutinefunction(rubric_class.forward)


def _number(rubric: Rubric, score: Any) -> float:
    """Give a score as a number that JSON can carry: bool, int and float as they are, others made a float."""
    if not hasattr(score, "__float__"):  # which text does not have, though float() reads it
        raise BadScore(name_of(rubric), f"gave {type(score).__name__} instead of a number; return a finite float")
    try:
        number = float(score)
    except (OverflowError, TypeError, ValueError) as error:  # too large an int, or an array of many
        raise BadScore(name_of(rubric), f"gave a {type(score).__name__} that is no float: {error}") from error
    if not math.isfinite(number):
        raise BadScore(name_of(rubric), f"gave {number}; a score must be finite")
    return score if isinstance(score, int | float) else number
