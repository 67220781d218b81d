"""What an agent sends to the environment, and what it gets back."""

from openenv import Action, Observation
from pydantic import Field


class TextgridAction(Action):
    """What the agent does, in a few words."""

    command: str = Field(max_length=200, description='"go north", "take", or "look"; "n" is enough for the first.')


class TextgridObservation(Observation):
    """What the agent sees. `reward`, `done` and `metadata` come with every observation."""

    text: str = Field(default="", description="All of it in words: for agents that read.")
    x: int = Field(default=0, description="Column of the room, from the west.")
    y: int = Field(default=0, description="Row of the room, from the north.")
    exits: dict[str, str] = Field(default={}, description='By direction: "open", or the colour of a locked door.')
    heat: list[str] = Field(default=[], description="Directions in which lava is next.")
    key: str | None = Field(default=None, description="Colour of the key that lies here.")
    inventory: list[str] = Field(default=[], description="Colours of the keys that you carry.")
    steps_left: int = Field(default=0, description="Steps until the episode is cut short.")
