"""Tests of the environment, straight on the object: no server, no network.

Run `pytest` in the environment's folder.
"""

from typing import Any

import chess
import pytest
from openenv.testing import check_environment

from chess_env import ChessAction, ChessObservation
from chess_env.server import ChessEnvironment


def play(environment: ChessEnvironment, *moves: str) -> ChessObservation:
    for move in moves:
        observation = environment.step(ChessAction(move=move))
    return observation


def at(fen: str, **options: Any) -> ChessEnvironment:
    environment = ChessEnvironment()
    environment.reset(seed=0, fen=fen, **options)
    return environment


def test_it_keeps_the_rules_of_environments() -> None:
    check_environment(ChessEnvironment, ChessAction, actions=[{"move": move} for move in ("e2e4", "Nf3", "e2e4", "?")])


def test_a_game_begins_as_games_do() -> None:
    observation = ChessEnvironment().reset()
    assert observation.fen == chess.STARTING_FEN
    assert observation.board.splitlines()[0] == "r n b q k b n r"
    assert len(observation.legal_moves) == 20
    assert (observation.colour, observation.reply, observation.result, observation.reason) == ("white", None, "*", None)


@pytest.mark.parametrize("move", ["e2e4", "e4", " e4 "])
def test_a_move_is_played_and_answered(move: str) -> None:
    environment = ChessEnvironment()
    environment.reset(seed=1)
    observation = play(environment, move)
    assert observation.illegal is None
    assert observation.reply is not None
    assert chess.Board(observation.fen).fullmove_number == 2
    assert observation.reward == 0.0


def test_as_black_the_opponent_begins() -> None:
    observation = ChessEnvironment().reset(seed=1, colour="black")
    assert observation.colour == "black"
    assert observation.reply is not None
    assert chess.Board(observation.fen).turn == chess.BLACK


@pytest.mark.parametrize("move", ["e2e5", "Ke2", "e9e4", "", "0000", "--", "hello", "e7e5", "🧍", "O-O", "a7a8q"])
def test_an_illegal_move_costs_the_penalty_and_changes_nothing(move: str) -> None:
    environment = ChessEnvironment()
    before = environment.reset(seed=0, illegal_penalty=-0.25)
    after = play(environment, move)
    assert after.illegal
    assert (after.reward, after.done, after.fen, after.reply) == (-0.25, False, before.fen, None)
    assert after.legal_moves == before.legal_moves


# A position, the move that ends the game, the result, why, and the reward for the side that moved.
ENDS = [
    ("6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1", "Ra8", "1-0", "checkmate", 1.0),
    ("r5k1/8/8/8/8/8/5PPP/6K1 b - - 0 1", "a8a1", "0-1", "checkmate", 1.0),
    ("7k/8/6K1/8/8/8/8/5Q2 w - - 0 1", "Qf7", "1/2-1/2", "stalemate", 0.0),
    ("4k3/8/8/8/8/8/3p4/4K3 w - - 0 1", "Kxd2", "1/2-1/2", "insufficient material", 0.0),
    ("4k3/8/8/8/8/8/8/R3K3 w - - 99 80", "Ra2", "1/2-1/2", "fifty moves", 0.0),
    ("8/P6k/8/8/8/8/8/K7 w - - 0 1", "a7a8q", "*", None, 0.0),
]


@pytest.mark.parametrize(("fen", "move", "result", "reason", "reward"), ENDS)
def test_ends(fen: str, move: str, result: str, reason: str | None, reward: float) -> None:
    environment = at(fen, colour=chess.COLOR_NAMES[chess.Board(fen).turn])
    observation = play(environment, move)
    assert (observation.result, observation.reason, observation.reward) == (result, reason, reward)
    assert observation.done is (reason is not None)
    if observation.done:
        assert observation.legal_moves == []
        assert environment.web_actions(observation) == []
        assert play(environment, "e4").fen == observation.fen  # nothing is played after the end


def test_the_opponent_wins_too() -> None:
    environment = at("r5k1/8/8/8/1P6/8/6PP/7K w - - 0 1", opponent="greedy")
    observation = play(environment, "b5")
    assert (observation.reply, observation.result, observation.reward) == ("Ra1#", "0-1", -1.0)
    assert observation.done


def test_the_third_repetition_is_a_draw() -> None:
    environment = ChessEnvironment()
    environment.reset()
    for move in ("Nf3", "Nf6", "Ng1", "Ng8", "Nf3", "Nf6"):
        environment._board.push_san(move)
    environment._board.push_san("Ng1")
    environment._colour = chess.BLACK
    observation = play(environment, "Ng8")
    assert (observation.result, observation.reason) == ("1/2-1/2", "threefold repetition")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"fen": "rubbish"}, "the position 'rubbish' cannot be read"),
        ({"fen": "8/8/8/8/8/8/8/K7 w - - 0 1"}, "cannot come about: NO_BLACK_KING"),
        ({"fen": "R5k1/5ppp/8/8/8/8/8/4K3 b - - 0 1"}, "has ended already, by checkmate"),
        ({"opponent": "magnus"}, "opponent is 'magnus'; it is one of random, greedy, minimax"),
        ({"colour": "red"}, "colour is 'red'; it is one of white, black"),
        ({"depth": 9}, "depth is 9; it is from 1 to 3"),
        ({"illegal_penalty": 5.0}, "illegal_penalty is 5.0; it is from -1 to 0"),
        ({"illegal_penalty": float("nan")}, "illegal_penalty is nan"),
    ],
)
def test_options_that_make_no_sense_are_refused_and_the_game_goes_on(options: dict[str, Any], complaint: str) -> None:
    environment = ChessEnvironment()
    environment.reset(seed=0)
    before = play(environment, "e4")
    with pytest.raises(ValueError, match=complaint):
        environment.reset(**options)
    assert play(environment, "?").fen == before.fen


@pytest.mark.parametrize("opponent", ["random", "greedy", "minimax"])
def test_a_saved_game_goes_on_as_it_would_have(opponent: Any) -> None:
    one, other = ChessEnvironment(), ChessEnvironment()
    one.reset(seed=3, opponent=opponent)
    play(one, "e4")
    other.restore(one.snapshot())
    for _ in range(3):
        move = play(one, "?").legal_moves[0]
        play(other, "?")
        assert play(one, move) == play(other, move)
    assert one._board.move_stack == other._board.move_stack


def test_the_board_is_drawn_from_the_agents_side() -> None:
    environment = ChessEnvironment()
    html = environment.render_web(environment.reset(seed=0))
    assert html.index("title='a8'") < html.index("title='h1'")
    assert "it is your move" in html
    html = environment.render_web(environment.reset(seed=0, colour="black"))
    assert html.index("title='h1'") < html.index("title='a8'")
    assert html.count("class='moved'") == 2
    environment = at("6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1")
    html = environment.render_web(play(environment, "Ra8"))
    assert "1-0 by checkmate" in html
    assert html.count("class='check'") == 1


def test_every_legal_move_is_offered_by_its_name() -> None:
    environment = ChessEnvironment()
    offered = environment.web_actions(environment.reset())
    assert ("Nf3", ChessAction(move="g1f3")) in offered
    assert len(offered) == 20
