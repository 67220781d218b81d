"""What an agent sends to the environment, and what it gets back."""

from openenv import Action, Observation
from pydantic import Field


class ChessAction(Action):
    """What the agent does: it moves."""

    move: str = Field(max_length=20, description='In UCI ("e2e4", "e7e8q") or in algebraic notation ("e4", "Nf3").')


class ChessObservation(Observation):
    """What the agent sees, once the opponent has replied. `reward`, `done` and `metadata` come with every observation."""

    fen: str = Field(default="", description="The position.")
    board: str = Field(default="", description="The position as text: eight lines, White's pieces in capitals.")
    colour: str = Field(default="white", description="Whose pieces the agent has.")
    legal_moves: list[str] = Field(default=[], description="What may be played, in UCI; empty at the end.")
    reply: str | None = Field(default=None, description="The opponent's move, in algebraic notation.")
    is_check: bool = Field(default=False, description="Whether the side to move is in check.")
    illegal: str | None = Field(default=None, description="Why the move was not played; the position is as before.")
    result: str = Field(default="*", description='"1-0", "0-1", "1/2-1/2", or "*" while the game goes on.')
    reason: str | None = Field(default=None, description='Why it ended: "checkmate", "stalemate", "fifty moves"...')
