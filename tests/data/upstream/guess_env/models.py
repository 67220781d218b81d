"""What a guess is, and what is said of it."""

from typing import Literal, Optional

from pydantic import Field

# Inside the repository of OpenEnv, and wherever it is installed.
try:
    from openenv.core.env_server.types import Action, Observation, State
except ImportError:
    try:
        from openenv_core.env_server.types import Action, Observation, State
    except ImportError:
        from core.env_server.types import Action, Observation, State


class GuessAction(Action):
    number: int = Field(..., description="What it might be")


class GuessObservation(Observation):
    hint: Literal["start", "higher", "lower", "found"] = "start"
    low: int = 1
    high: int = 100
    tries_left: int = Field(default=0, ge=0)


class GuessState(State):
    last: Optional[int] = None
