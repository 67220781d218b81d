"""What an agent sends to the environment, and what it gets back."""

from openenv import Action, Observation
from pydantic import Field


class EchoAction(Action):
    """What the agent does: it says something."""

    message: str = Field(description="The message to echo back.")


class EchoObservation(Observation):
    """What the agent sees. `reward`, `done` and `metadata` come with every observation."""

    echoed_message: str = Field(default="", description="The message, echoed back.")
    message_length: int = Field(default=0, description="How many characters it has.")
