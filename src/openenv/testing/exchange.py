"""What the rules see of an environment: sessions that are asked and answer, wherever the environment is.

A server's session (`wire`) and one in this process (`local`) look the same here: an answer is what the wire would
carry, before anybody has smoothed it. `play` is the one way in which an episode is tried.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from openenv.errors import OpenEnvError
from openenv.hub.report import CannotTell
from openenv.protocol import GetState, Reset, Step
from openenv.testing.actions import actions_for
from openenv.testing.schema import Schema, SchemaNotUnderstood

__all__ = ["EPISODE", "SEED", "Answer", "Moment", "RuleBroken", "Session", "Subject", "Trace", "name_of", "play"]

SEED = 7
EPISODE = "openenv-validate"
_ACTIONS = 6


class RuleBroken(OpenEnvError):
    """What was seen breaks a rule.

    Attributes:
        hint: What to do about it, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Answer:
    """A reply: `observation`, `state` or `error`, and the object that came with it."""

    kind: str
    data: Mapping[str, Any]

    @property
    def code(self) -> str | None:
        """The error code of a fault; None of anything else."""
        return str(self.data.get("code", "")) if self.kind == "error" else None

    def __str__(self) -> str:
        if self.kind != "error":
            return f"{self.kind} {dict(self.data)!r}"
        return f"{self.code}: {self.data.get('message', 'it does not say why')}"


class Session(ABC):
    """One session. Asking raises an `OpenEnvError` where no proper answer comes.

    Attributes:
        close_problem: What went wrong when it was closed; None as far as is known.
    """

    close_problem: str | None = None

    @abstractmethod
    def ask(self, request: Reset | Step | GetState) -> Answer:
        """Ask, and give the answer: a fault, or of the kind that fits the request."""

    @abstractmethod
    def close(self) -> None:
        """End it; does nothing a second time."""

    def must(self, request: Reset | Step | GetState) -> Mapping[str, Any]:
        """Ask where the answer must not be a fault. Raises RuleBroken when it is."""
        answer = self.ask(request)
        if answer.kind == "error":
            raise RuleBroken(f"{name_of(request)} was answered with {answer}")
        return answer.data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Moment:
    """What one reset or step was answered with."""

    name: str
    answer: Answer

    @property
    def is_observed(self) -> bool:
        """Whether it was an observation."""
        return self.answer.kind == "observation"

    @property
    def essence(self) -> dict[str, Any]:
        """What must come out the same again: neither metadata, which may hold times, nor the words of a fault."""
        if not self.is_observed:
            return {"code": self.answer.code}
        data = dict(self.answer.data)
        data.pop("metadata", None)
        observation = data.get("observation")
        if isinstance(observation, Mapping):
            data["observation"] = {key: value for key, value in observation.items() if key != "metadata"}
        return data


@dataclass(frozen=True)
class Trace:
    """An episode as it went.

    Attributes:
        moments: The reset and the steps, up to the end of the episode.
        states: What the state was after the reset and at the end; None where it was not to be had.
        broke: What ended it before its time; None when nothing did.
    """

    moments: tuple[Moment, ...]
    states: tuple[Any, Any] = (None, None)
    broke: OpenEnvError | None = None

    @property
    def observed(self) -> tuple[Moment, ...]:
        """The moments that were observations."""
        return tuple(moment for moment in self.moments if moment.is_observed)

    @property
    def steps(self) -> int:
        """How many steps were carried out."""
        return sum(moment.is_observed for moment in self.moments[1:])

    @property
    def essence(self) -> list[dict[str, Any]]:
        """What must come out the same again."""
        return [moment.essence for moment in self.moments]


class Subject(ABC):
    """What is being checked."""

    given_actions: Sequence[Mapping[str, Any]] | None = None

    @property
    @abstractmethod
    def schemas(self) -> Mapping[str, Schema]:
        """The schemas of `action`, `observation`, `state`, and of `reset_observation` if that has one of its own."""

    @abstractmethod
    def open(self) -> Session:
        """Open a session."""

    @abstractmethod
    def room(self, wanted: int) -> int:
        """Say how many sessions it promises to hold at once, up to `wanted`."""

    @property
    @abstractmethod
    def many(self) -> int:
        """How often sessions are opened and closed to see whether they are released."""

    @cached_property
    def actions(self) -> list[Mapping[str, Any]]:
        """The actions to try. Raises CannotTell when none can be made up."""
        if self.given_actions is not None:
            return list(self.given_actions)
        try:
            return list(actions_for(self.schemas["action"], seed=SEED, count=_ACTIONS))
        except SchemaNotUnderstood as error:
            raise CannotTell(str(error), hint="give some actions that your environment takes") from error

    @cached_property
    def trace(self) -> Trace:
        """One episode, played once and looked at by many rules."""
        with self.open() as session:
            return play(session, self.actions)


def name_of(request: Reset | Step | GetState) -> str:
    """Name a request as the wire does."""
    return "state" if isinstance(request, GetState) else type(request).__name__.lower()


def play(session: Session, actions: Sequence[Mapping[str, Any]], *, episode_id: str = EPISODE) -> Trace:
    """Reset and take the actions until the episode is over. What goes wrong on the way is in the trace."""
    moments: list[Moment] = []
    states: list[Any] = [None, None]
    try:
        first = session.ask(Reset({"seed": SEED, "episode_id": episode_id}))
        moments.append(Moment("reset", first))
        if first.kind != "observation":
            return Trace(tuple(moments))
        states[0] = _state(session)
        for number, action in enumerate([] if first.data.get("done") else actions, start=1):
            answer = session.ask(Step(action))
            moments.append(Moment(f"step {number}", answer))
            if answer.data.get("done"):
                break
        states[1] = _state(session)
    except OpenEnvError as error:
        return Trace(tuple(moments), (states[0], states[1]), error)
    return Trace(tuple(moments), (states[0], states[1]))


def _state(session: Session) -> Any:
    answer = session.ask(GetState())
    return dict(answer.data) if answer.kind == "state" else None
