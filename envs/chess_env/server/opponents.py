"""Who plays against the agent. Each takes a position, a random generator and a depth, and gives a move."""

from collections.abc import Callable, Mapping
from random import Random

import chess

__all__ = ["MAX_DEPTH", "OPPONENTS", "Opponent"]

Opponent = Callable[[chess.Board, Random, int], chess.Move]

MAX_DEPTH = 3
"""Half-moves that minimax may look ahead; at 3 a move takes some seconds at worst."""

_VALUES = {chess.PAWN: 1, chess.KNIGHT: 3, chess.BISHOP: 3, chess.ROOK: 5, chess.QUEEN: 9, chess.KING: 0}
_MATE = 1_000


def _random(board: chess.Board, random: Random, depth: int) -> chess.Move:
    """Play anything."""
    return random.choice(list(board.legal_moves))


def _greedy(board: chess.Board, random: Random, depth: int) -> chess.Move:
    """Take what is worth most, and mate when that is possible."""
    return _minimax(board, random, 1)


def _minimax(board: chess.Board, random: Random, depth: int) -> chess.Move:
    """Look ahead, and expect the best replies; among moves that are worth the same, take any."""
    moves = list(board.legal_moves)
    random.shuffle(moves)
    best, best_score = moves[0], -float("inf")
    for move in moves:
        board.push(move)
        score = -_search(board, depth - 1, -float("inf"), -best_score)
        board.pop()
        if score > best_score:
            best, best_score = move, score
    return best


def _search(board: chess.Board, depth: int, alpha: float, beta: float) -> float:
    """Say what a position is worth to the side to move: alpha-beta search, captures first."""
    moves = sorted(board.legal_moves, key=board.is_capture, reverse=True)
    if not moves:
        return -_MATE - depth if board.is_check() else 0.0  # the sooner, the worse
    if depth == 0:
        return _material(board)
    for move in moves:
        board.push(move)
        alpha = max(alpha, -_search(board, depth - 1, -beta, -alpha))
        board.pop()
        if alpha >= beta:
            break
    return alpha


def _material(board: chess.Board) -> float:
    """Count what the side to move has more than the other."""
    return sum(
        value * (len(board.pieces(piece, board.turn)) - len(board.pieces(piece, not board.turn)))
        for piece, value in _VALUES.items()
    )


OPPONENTS: Mapping[str, Opponent] = {"random": _random, "greedy": _greedy, "minimax": _minimax}
"""By name, as `reset(opponent=...)` has it."""
