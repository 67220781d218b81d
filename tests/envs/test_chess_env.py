"""chess_env over a live server: games to their end, and a search over forks."""

import random

import pytest
from chess_env import ChessAction, ChessEnv

ENVIRONMENT = "chess_env"


def test_a_game_is_played_to_its_end(url: str) -> None:
    chance = random.Random(3)
    with ChessEnv(url) as env:
        result = env.reset(seed=3, opponent="greedy", fen="4k3/pppppppp/8/8/8/8/PPPPPPPP/4K3 w - - 0 1")
        total = 0.0
        while not result.done:
            result = env.step(ChessAction(move=chance.choice(result.observation.legal_moves)))
            total += result.reward or 0.0
        assert result.observation.result in ("1-0", "0-1", "1/2-1/2")
        assert result.observation.reason
        assert total == {"1-0": 1.0, "0-1": -1.0, "1/2-1/2": 0.0}[result.observation.result]


@pytest.mark.parametrize("move", ["e2e5", "--", "hello"])
def test_an_illegal_move_ends_nothing(move: str, url: str) -> None:
    with ChessEnv(url) as env:
        env.reset(illegal_penalty=-0.5)
        result = env.step(ChessAction(move=move))
        assert (result.reward, result.done, bool(result.observation.illegal)) == (-0.5, False, True)
        assert env.step(ChessAction(move="e2e4")).observation.illegal is None


def is_mate_forced(env: ChessEnv, first: str) -> bool:
    """Whether a move leads to a mate by the next one, whatever that is: found on forks of forks."""
    (branch,) = env.fork(1)
    moves = branch.step(ChessAction(move=first)).observation.legal_moves
    leaves = branch.fork(len(moves))
    rewards = [leaf.step(ChessAction(move=move)).reward for move, leaf in zip(moves, leaves, strict=True)]
    branch.close()
    return 1.0 in rewards


def test_a_search_over_forks_finds_the_mate_in_two(url: str) -> None:
    with ChessEnv(url) as env:
        before = env.reset(fen="7k/8/8/8/8/8/R7/1R2K3 w - - 0 1", opponent="minimax").observation
        assert is_mate_forced(env, "b1b7")
        assert not is_mate_forced(env, "b1a1")
        assert env.step(ChessAction(move="?")).observation.fen == before.fen
