"""What an agent sends to the environment, and what it gets back: of `reset` here, of tools in the shapes of MCP."""

from typing import Literal

from openenv import Observation, State
from openenv.env.mcp import CallToolAction, CallToolObservation
from pydantic import BaseModel, Field

__all__ = ["CallToolAction", "CallToolObservation", "Level", "McpNotesState", "McpNotesTask", "Note", "NoteSummary"]

Level = Literal["easy", "medium", "hard"]
"""How much is asked, and among how many notes."""


class NoteSummary(BaseModel):
    """A note as a search finds it."""

    id: int = Field(description="Its number.")
    created: str = Field(description="The day it was written: YYYY-MM-DD.")
    title: str = Field(description="Its title.")
    excerpt: str = Field(description="The beginning of its text.")
    tags: list[str] = Field(description="In alphabetical order.")


class Note(BaseModel):
    """A whole note."""

    id: int = Field(description="Its number.")
    created: str = Field(description="The day it was written: YYYY-MM-DD.")
    version: int = Field(description="Goes up with each edit; edit_note wants to be told it.")
    title: str = Field(description="Its title.")
    body: str = Field(description="Its text.")
    tags: list[str] = Field(description="In alphabetical order.")


class McpNotesTask(Observation):
    """What `reset` observes: the user's request."""

    prompt: str = Field(description="What the user asks for.")
    step_limit: int = Field(description="How many tools may be called.")


class McpNotesState(State):
    """How the episode stands. It is for whoever runs the episode: the agent has no way to read it."""

    level: Level | None = Field(default=None, description="The level; None before the first reset.")
    seed: int | None = Field(default=None, description="What the notes and the request were made from.")
    prompt: str = Field(default="", description="What the user asks for.")
    step_limit: int | None = Field(default=None, description="How many tools may be called; None for any number.")
    notes: int = Field(default=0, description="How many notes there are.")
    answer: str | None = Field(default=None, description="What was submitted; None before.")
    score: float | None = Field(default=None, description="What the episode earned; None while it goes on.")
    is_rewarded: bool = Field(default=False, description="Whether a step has given the score as its reward.")
