"""The four shapes everybody shares: what goes into an environment, what comes out, and what it remembers."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Action", "Observation", "State", "StepResult"]

ObsT = TypeVar("ObsT")


class _Done:
    """Mix-in: a value that is there already, so `await value` gives the value itself."""

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self


class Action(BaseModel):
    """What an agent does. Subclass it with your own fields; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, arbitrary_types_allowed=True)

    metadata: dict[str, Any] = Field(default_factory=dict, description="Free-form extras, not seen by the reward.")


class Observation(BaseModel):
    """What an environment answers. Subclass it with your own fields; unknown fields are refused.

    `reward`, `done` and `truncated` travel beside the observation, `metadata` both inside and beside it.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, arbitrary_types_allowed=True)

    done: bool = Field(default=False, description="Whether the episode has ended.")
    reward: bool | int | float | None = Field(default=None, description="Reward of this step; None where none is due.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="Free-form extras, such as a step count.")
    truncated: bool = Field(default=False, description="Whether the episode was cut short, by a step limit say.")


class State(BaseModel, _Done):
    """What an environment remembers between steps. Extra fields are kept, so a subclass is optional."""

    __hash__ = object.__hash__  # `asyncio.gather` keeps what it awaits in a dict

    model_config = ConfigDict(extra="allow", validate_assignment=True, arbitrary_types_allowed=True)

    episode_id: str | None = Field(default=None, description="Names the episode; set by reset.")
    step_count: int = Field(default=0, ge=0, description="Steps since reset.")


@dataclass
class StepResult(Generic[ObsT], _Done):
    """What `reset` and `step` of a client return. Awaiting it gives itself.

    Attributes:
        observation: The typed observation.
        reward: Reward of this step; None where none is due.
        done: Whether the episode has ended, for either reason.
        metadata: The environment's extras, or None when it sent none.
        truncated: Whether it was cut short rather than finished.
        error: Of a vector: why there is no result, and then everything else raises this. None otherwise.
        final: Of a vector that resets in the same step: the result that ended the episode before. None otherwise.
    """

    observation: ObsT
    reward: float | None = None
    done: bool = False
    metadata: dict[str, Any] | None = None
    truncated: bool = False
    error: Exception | None = field(default=None, init=False, repr=False, compare=False)
    final: "StepResult[ObsT] | None" = field(default=None, init=False, repr=False, compare=False)

    __hash__ = object.__hash__  # as above

    @property
    def terminated(self) -> bool:
        """Whether the episode ended by itself, as Gymnasium uses the word."""
        return self.done and not self.truncated
