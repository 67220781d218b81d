"""The opponents: each sees what it should, and the same seed gives the same move."""

from random import Random

import chess
import pytest

from chess_env.server.opponents import OPPONENTS

MATE_IN_ONE = "6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1"
FREE_QUEEN = "4k3/8/8/3q4/4P3/8/8/4K3 w - - 0 1"
POISONED_PAWN = "4k3/8/2p5/3p4/8/8/8/3QK3 w - - 0 1"  # the queen may take, and is taken back
MATE_IN_TWO = "7k/8/8/8/8/8/R7/1R2K3 w - - 0 1"


def play(opponent: str, fen: str, depth: int = 2, seed: int = 0) -> str:
    board = chess.Board(fen)
    move = OPPONENTS[opponent](board, Random(seed), depth)
    assert board.fen() == fen  # it has put everything back
    return board.san(move)


@pytest.mark.parametrize("opponent", ["greedy", "minimax"])
@pytest.mark.parametrize(("fen", "move"), [(MATE_IN_ONE, "Ra8#"), (FREE_QUEEN, "exd5")])
def test_the_obvious_is_played(opponent: str, fen: str, move: str) -> None:
    assert {play(opponent, fen, seed=seed) for seed in range(5)} == {move}


def test_only_who_looks_ahead_leaves_a_guarded_pawn_alone() -> None:
    assert play("greedy", POISONED_PAWN) == "Qxd5"
    assert {play("minimax", POISONED_PAWN, seed=seed) for seed in range(5)}.isdisjoint({"Qxd5"})


def test_three_half_moves_are_enough_for_mate_in_two() -> None:
    board = chess.Board(MATE_IN_TWO)
    for _ in range(2):
        board.push(OPPONENTS["minimax"](board, Random(0), 3))
        if not board.is_game_over():
            board.push(next(iter(board.legal_moves)))
    assert board.is_checkmate()


@pytest.mark.parametrize("opponent", OPPONENTS)
def test_the_same_seed_gives_the_same_move(opponent: str) -> None:
    moves = [play(opponent, chess.STARTING_FEN, seed=seed) for seed in range(8)]
    assert moves == [play(opponent, chess.STARTING_FEN, seed=seed) for seed in range(8)]
    assert len(set(moves)) > 1
