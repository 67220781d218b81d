"""What an environment author subclasses: `Environment`."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from openenv.env.rubrics.base import Rubric
from openenv.env.rubrics.drive import settle
from openenv.env.rubrics.scorecard import Scorecard, show
from openenv.env.snapshots import pickle_state, unpickle_state
from openenv.env.transforms import Transform
from openenv.errors import SnapshotRefused
from openenv.types import Action, Observation, State

__all__ = ["Environment", "EnvironmentMetadata", "Transform"]

ActT = TypeVar("ActT", bound=Action)
ObsT = TypeVar("ObsT", bound=Observation)
StateT = TypeVar("StateT", bound=State)

_AWAIT = "the rubric is async, and an event loop runs here: make the method async and await self._{}_async(...) in it"


@dataclass(frozen=True, kw_only=True)
class EnvironmentMetadata:
    """What `/metadata` says about an environment."""

    name: str
    description: str = ""
    readme_content: str | None = None
    version: str | None = None
    author: str | None = None
    documentation_url: str | None = None


class Environment(ABC, Generic[ActT, ObsT, StateT]):
    """A stateful object with `reset`, `step` and `state`; one instance is one session.

    Every method may be `async def`. Each is called with those of the arguments below that its signature takes, so
    `def reset(self)` is fine; a signature with `**options` gets all of them. `__init__` need not call `super()`.

    Attributes:
        SUPPORTS_CONCURRENT_SESSIONS: A promise that instances share nothing, so that a server may hold several.
        REQUIRES_SINGLE_THREAD_EXECUTOR: Run the calls of all instances on one and the same thread.
        BLOCKING: Whether a call may take longer than some microseconds. False is a promise: calls then run inline on
            the server's event loop, and while one runs no other session is served. True gives each session with sync
            methods a thread of its own, the same one for all its calls.
        SNAPSHOT_BY_PICKLE: A promise that an instance's attributes, pickled, are its whole state, so that sessions can
            be saved, restored and forked.
    """

    SUPPORTS_CONCURRENT_SESSIONS: bool = False
    REQUIRES_SINGLE_THREAD_EXECUTOR: bool = False
    BLOCKING: bool = True
    SNAPSHOT_BY_PICKLE: bool = False

    transform: Transform[Any] | Callable[[Any], Any] | None = None
    rubric: Rubric | None = None

    def __init__(
        self, transform: Transform[Any] | Callable[[Any], Any] | None = None, rubric: Rubric | None = None
    ) -> None:
        self.transform = transform
        self.rubric = rubric

    @abstractmethod
    def reset(self, *args: Any, **kwargs: Any) -> ObsT | Awaitable[ObsT]:
        """Begin an episode.

        Args:
            seed: int or None; the same seed gives the same episode.
            episode_id: str or None; names the episode, a fresh one is made up when it is None.
            options: Whatever else the caller passed to `reset`.
        """

    @abstractmethod
    def step(self, *args: Any, **kwargs: Any) -> ObsT | Awaitable[ObsT]:
        """Carry out one action.

        Args:
            action: The validated action, positional.
            timeout_s: float or None; the caller's time limit, which the server enforces besides.
            options: Whatever else the caller passed to `step`.
        """

    @property
    @abstractmethod
    def state(self) -> StateT:
        """What the environment remembers; read after a step it must describe that step."""

    def close(self) -> Any:
        """Release what the environment holds. Called once, when its session ends; may be `async def`."""

    def snapshot(self) -> Any:
        """Give the whole state as bytes, random numbers included; may be `async def`.

        By default the attributes are pickled, or what `__getstate__` gives. Override this and `restore` for a format
        of your own.

        Raises:
            SnapshotRefused: It cannot be done.
        """
        self._refuse_unless_pickled("snapshot")
        return pickle_state(self)

    def restore(self, data: bytes) -> Any:
        """Take over a state that `snapshot` of the same class gave, also before the first `reset`; may be `async def`.

        Whatever it raises loses the session, but for `SnapshotRefused`: that says that nothing has changed.
        """
        self._refuse_unless_pickled("restore")
        unpickle_state(self, data)

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment; override it to say more than the class name and docstring do."""
        return describe(type(self))

    def render_web(self, observation: Any) -> Any:
        """Give HTML that shows an observation to a person, or None; may be `async def`. The page shows it in a sandbox.

        Args:
            observation: The latest of the session, as `reset` or `step` returned it.
        """
        return None

    def web_actions(self, observation: Any) -> Any:
        """List the actions that the page offers as buttons, as pairs of a label and an action; may be `async def`.

        Args:
            observation: The latest of the session, as `reset` or `step` returned it.
        """
        return []

    async def reset_async(self, *args: Any, **kwargs: Any) -> ObsT:
        """Override this instead of `reset` when both a sync and an async form are wanted; the server prefers it."""
        observation: ObsT = await _awaited(self.reset(*args, **kwargs))
        return observation

    async def step_async(self, *args: Any, **kwargs: Any) -> ObsT:
        """Override this instead of `step` when both a sync and an async form are wanted; the server prefers it."""
        observation: ObsT = await _awaited(self.step(*args, **kwargs))
        return observation

    def _refuse_unless_pickled(self, method: str) -> None:
        if not self.SNAPSHOT_BY_PICKLE:
            name = type(self).__name__
            raise SnapshotRefused(f"{name}.{method} is not implemented, and {name} does not set SNAPSHOT_BY_PICKLE")

    def _apply_transform(self, observation: ObsT) -> ObsT:
        """Pass an observation through the environment's transform, if it has one."""
        return observation if self.transform is None else self.transform(observation)

    def _apply_rubric(self, action: Any, observation: Any) -> Any:  # the rubric's score, which is for you to assign
        """Score a step by the environment's rubric; 0.0 if it has none.

        What each part of the rubric scored goes into the observation's metadata, as `reward_components`.

        Raises:
            RubricFailed: A part of it gave no score; the error names the part.
            UsageError: The rubric is async, and an event loop runs in this thread.
        """
        if self.rubric is None:
            return 0.0
        card = Scorecard(self.rubric)
        with card.filling():
            score = settle(self.rubric(action, observation), otherwise=_AWAIT.format("apply_rubric"))
        show(card.components(), observation)
        return score

    async def _apply_rubric_async(self, action: Any, observation: Any) -> Any:
        """Score a step as `_apply_rubric` does, in an async `step`."""
        if self.rubric is None:
            return 0.0
        card = Scorecard(self.rubric)
        with card.filling():
            score = await _awaited(self.rubric(action, observation))
        show(card.components(), observation)
        return score

    def _reset_rubric(self) -> None:
        """Have the rubric forget the episode; call it in `reset`. Raises as `_apply_rubric` does."""
        if self.rubric is not None:
            settle(self.rubric.reset(), otherwise=_AWAIT.format("reset_rubric"))

    async def _reset_rubric_async(self) -> None:
        """Have the rubric forget the episode, in an async `reset`; by its `reset_async`, if it has one."""
        if self.rubric is not None:
            await _awaited(getattr(self.rubric, "reset_async", self.rubric.reset)())


def describe(environment_class: type) -> EnvironmentMetadata:
    """Describe a class by its name and the first paragraph of its own docstring."""
    paragraph = (environment_class.__doc__ or "").strip().split("\n\n")[0]
    text = " ".join(paragraph.split())
    return EnvironmentMetadata(name=environment_class.__name__, description=text, version="1.0.0")


async def _awaited(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value
