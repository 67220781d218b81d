"""The environment itself: what happens on a reset and on a step. The rules are python-chess's."""

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

import chess
from openenv import Environment, State
from pydantic import Field

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, chess_env.server
    from ..models import ChessAction, ChessObservation
    from .drawing import draw
    from .opponents import MAX_DEPTH, OPPONENTS
else:  # as part of `server`, by `uvicorn server.app:app`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import ChessAction, ChessObservation
    from server.drawing import draw
    from server.opponents import MAX_DEPTH, OPPONENTS

_COLOURS = {"white": chess.WHITE, "black": chess.BLACK}


class ChessEnvironment(Environment[ChessAction, ChessObservation, State]):
    """A game of chess against an opponent that answers every move."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    # What is below in __init__ is all there is, so that sessions can be saved and forked.
    SNAPSHOT_BY_PICKLE = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._random = Random()
        self._board = chess.Board()
        self._colour = chess.WHITE
        self._opponent = "random"
        self._depth = 1
        self._penalty = 0.0

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        opponent: Literal["random", "greedy", "minimax"] = "random",
        depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] = 2,
        colour: Literal["white", "black"] = "white",
        illegal_penalty: Annotated[float, Field(ge=-1, le=0)] = -0.05,
        fen: str = "",
        **options: Any,
    ) -> ChessObservation:
        """Begin a new game.

        Args:
            seed: Of the opponent's choices.
            episode_id: Names the episode.
            opponent: Plays anything, what wins most at once, or what is best after some replies.
            depth: Half-moves that minimax looks ahead.
            colour: The agent's.
            illegal_penalty: Reward of a move that is not legal.
            fen: The position to begin with; empty for the usual one.
        """
        board = _board(fen)
        for name, given, known in (("opponent", opponent, OPPONENTS), ("colour", colour, _COLOURS)):
            if given not in known:
                raise ValueError(f"{name} is {given!r}; it is one of {', '.join(known)}")
        if not 1 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth is {depth}; it is from 1 to {MAX_DEPTH}")
        if not -1 <= illegal_penalty <= 0:
            raise ValueError(f"illegal_penalty is {illegal_penalty}; it is from -1 to 0")
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        self._random = Random(seed)
        self._board = board
        self._colour = _COLOURS[colour]
        self._opponent, self._depth, self._penalty = opponent, depth, illegal_penalty
        return self._observe(reply=None if board.turn == self._colour else self._reply())

    def step(self, action: ChessAction, timeout_s: float | None = None, **options: Any) -> ChessObservation:
        """Play the move and the opponent's reply; a move that is not legal is answered, and changes nothing."""
        if _outcome(self._board) is not None:
            return self._observe()
        self._state.step_count += 1
        try:
            move = _parse(self._board, action.move)
        except ValueError as error:
            return self._observe(illegal=str(error))
        self._board.push(move)
        return self._observe(reply=None if _outcome(self._board) else self._reply())

    @property
    def state(self) -> State:
        """Which episode this is, and how many moves were tried."""
        return self._state

    def render_web(self, observation: ChessObservation) -> str:
        """Draw the board, from the agent's side."""
        reply = f"The opponent played {observation.reply}. " if observation.reply else ""
        end = f"{observation.result} by {observation.reason}." if observation.reason else ""
        turn = "" if end else f"You are {observation.colour}, and it is your move."
        return draw(self._board, self._colour, f"{reply}{end}{turn}")

    def web_actions(self, observation: ChessObservation) -> list[tuple[str, ChessAction]]:
        """Offer every legal move."""
        moves = [chess.Move.from_uci(move) for move in observation.legal_moves]
        named = sorted((self._board.san(move), move.uci()) for move in moves)
        return [(san, ChessAction(move=uci)) for san, uci in named]

    def _reply(self) -> str:
        move = OPPONENTS[self._opponent](self._board, self._random, self._depth)
        said = self._board.san(move)
        self._board.push(move)
        return said

    def _observe(self, *, reply: str | None = None, illegal: str | None = None) -> ChessObservation:
        outcome = _outcome(self._board)
        earned = 0.0 if outcome is None or outcome.winner is None else 1.0 if outcome.winner == self._colour else -1.0
        return ChessObservation(
            fen=self._board.fen(),
            board=str(self._board),
            colour=chess.COLOR_NAMES[self._colour],
            legal_moves=[] if outcome else [move.uci() for move in self._board.legal_moves],
            reply=reply,
            is_check=self._board.is_check(),
            illegal=illegal,
            result=outcome.result() if outcome else "*",
            reason=outcome.termination.name.lower().replace("_", " ") if outcome else None,
            reward=earned if illegal is None else self._penalty,
            done=outcome is not None,
        )


def _board(fen: str) -> chess.Board:
    """Set up a position in which something can be played."""
    try:
        board = chess.Board(fen) if fen else chess.Board()
    except ValueError as error:
        raise ValueError(f"the position {fen!r} cannot be read: {error}") from error
    if not board.is_valid():
        raise ValueError(f"the position {fen!r} cannot come about: {board.status().name}")
    if outcome := _outcome(board):
        raise ValueError(f"in the position {fen!r} the game has ended already, by {outcome.termination.name.lower()}")
    return board


def _parse(board: chess.Board, said: str) -> chess.Move:
    """Read a move in either notation. Raises ValueError, which says what is wrong."""
    text = said.strip()
    try:
        move = board.parse_uci(text)
    except chess.InvalidMoveError:
        move = board.parse_san(text)
    if not move:  # python-chess takes a null move from either
        raise ValueError(f"{text!r} is no move")
    return move


def _outcome(board: chess.Board) -> chess.Outcome | None:
    """Say how the game has ended; a draw that could be claimed is one."""
    if ended := board.outcome():
        return ended
    if board.is_repetition(3):
        return chess.Outcome(chess.Termination.THREEFOLD_REPETITION, None)
    return chess.Outcome(chess.Termination.FIFTY_MOVES, None) if board.is_fifty_moves() else None
