"""What an agent sends to the environment, and what it gets back.

Which spaces they are members of is the server's: `/schema` has them, and what does not fit is refused there. Gymnasium's
`info` is the metadata.
"""

from typing import Any

from openenv import Action, Observation
from pydantic import Field


class GymAction(Action):
    """What the agent does."""

    # Any: a number, lists of them or a dict, as the space has it.
    action: Any = Field(description="A member of the action space; arrays as lists.")


class GymObservation(Observation):
    """What the agent sees. `reward`, `done` and `metadata` come with every observation."""

    observation: Any = Field(description="A member of the observation space; arrays as lists.")
