"""What an agent sends to the environment, and what it gets back. What the right answer is, is nowhere in it."""

from openenv import Action, Observation
from pydantic import Field


class ReasoningAction(Action):
    """What the agent does: it answers."""

    answer: str = Field(
        max_length=10_000,
        description="The answer alone, in the form that the question asks for.",
        json_schema_extra={"format": "textarea"},
    )


class ReasoningObservation(Observation):
    """The question, and what the answers were worth. `reward`, `done` and `metadata` come with every observation."""

    question: str = Field(description="What is asked.")
    score: float | None = Field(default=None, description="What the last answer is worth, 0 to 1; None before any.")
    best_score: float = Field(default=0.0, description="What the best answer so far is worth.")
    attempts_left: int = Field(description="How many answers may still be given.")
