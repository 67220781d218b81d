"""Environments of a vector go on from the state of another, in both flavours, or say what keeps them from it."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from openenv.errors import (
    BadRequest,
    BadSnapshot,
    EnvironmentFailed,
    NotSupported,
    OpenEnvError,
    SessionClosed,
    SessionLost,
    UnsupportedByServer,
    UsageError,
)
from openenv.server import ServerConfig, create_app
from tests.client.vectors import Vector, both_flavours, staged
from tests.support.dice import Dice, DiceEnv, OtherDice, Roll, Rolled, ThreadedDice
from tests.support.serving import serving

KEY = "a key that only tests would use"


class Games:
    """Serves dice, and makes vectors of them; all end with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def serve(self, environment: Any = Dice, *, key: str = KEY, room: int = 8) -> str:
        config = ServerConfig(max_sessions=room, queue_s=0, snapshot_key=key)
        return self._stack.enter_context(serving(create_app(environment, Roll, Rolled, config=config)))

    def vector(self, flavour: Any, urls: Any, num_envs: int, **options: Any) -> Vector:
        made: Vector = self._stack.enter_context(flavour(DiceEnv.vector(urls, num_envs, **options)))
        return made


@pytest.fixture
def games() -> Iterator[Games]:
    with ExitStack() as stack:
        yield Games(stack)


def thrown(vector: Vector, indices: list[int]) -> list[tuple[int, int]]:
    results = vector.step([Roll()] * len(indices), indices)
    return [(result.observation.value, result.observation.total) for result in results]


@both_flavours
@pytest.mark.parametrize("environment", [Dice, ThreadedDice])
def test_forks_have_the_future_of_what_they_were_forked_from(flavour: Any, environment: Any, games: Games) -> None:
    dice = games.vector(flavour, games.serve(environment, room=4), 4)  # no room for any session besides
    dice.reset(seeds=[1, 2, 3, 4])
    for _ in range(2):
        thrown(dice, [1])
    assert dice.fork(1, [0, 3]) is None
    one, two = thrown(dice, [0, 1, 3, 2]), thrown(dice, [0, 1, 3, 2])
    assert one[0] == one[1] == one[2] != one[3]
    assert two[0] == two[1] == two[2] != one[0]
    assert [state.step_count for state in dice.state()] == [4, 4, 2, 4]


@both_flavours
def test_fork_goes_to_another_server_with_the_same_key_and_to_no_other(flavour: Any, games: Games) -> None:
    dice = games.vector(flavour, [games.serve(), games.serve(), games.serve(key="another key")], 3)
    dice.reset(seeds=[1, 2, 3])
    dice.fork(0, [0, 1])
    with pytest.raises(BadSnapshot, match="of another server") as raised:
        dice.fork(0, [1, 2])
    assert raised.value.__notes__ == ["this was environment 2 of 3"]
    here, there, elsewhere = thrown(dice, [0, 1, 2])
    assert here == there != elsewhere  # which goes on as it was


@both_flavours
@pytest.mark.parametrize(
    ("mood", "error"), [("locked", NotSupported), ("raise", EnvironmentFailed), ("large", BadRequest)]
)
def test_what_cannot_be_saved_leaves_all_as_they_were(
    flavour: Any, mood: str, error: type[Exception], games: Games
) -> None:
    dice = games.vector(flavour, games.serve(), 2)
    dice.reset(seeds=[1, 2])
    dice.step([Roll(mood=mood)], [0])
    with pytest.raises(error):
        dice.fork(0, [1])
    assert [state.step_count for state in dice.state()] == [1, 0]
    dice.fork(1, [0])
    assert dice.state([0])[0].step_count == 0


@both_flavours
def test_what_cannot_be_restored_is_lost_and_may_be_forked_into_again(flavour: Any, games: Games) -> None:
    dice = games.vector(flavour, games.serve(), 3)
    dice.reset(seeds=5)
    dice.step([Roll(mood="break")], [0])
    with pytest.raises(EnvironmentFailed, match="half way"):
        dice.fork(0, [1])
    results = dice.step([Roll()] * 3)
    assert [type(error) for error in results.errors.values()] == [SessionLost]
    dice.fork(2, [1])  # in a new session
    (one, two) = thrown(dice, [1, 2])
    assert one == two


@both_flavours
def test_environment_whose_class_is_another_refuses_the_state(flavour: Any, games: Games) -> None:
    dice = games.vector(flavour, [games.serve(), games.serve(OtherDice)], 2)
    dice.reset()
    with pytest.raises(BadSnapshot):
        dice.fork(0, [1])
    assert not dice.step([Roll()] * 2).errors


@both_flavours
def test_fork_that_makes_no_sense_is_refused(flavour: Any, games: Games) -> None:
    dice = games.vector(flavour, games.serve(), 2)
    with pytest.raises(UsageError):
        dice.fork(0, [1])
    dice.reset()
    for source, indices in [(2, [1]), (0, [2]), (0, [1, 1]), (-1, [0])]:
        with pytest.raises(UsageError):
            dice.fork(source, indices)
    dice.send([Roll()], [1])
    with pytest.raises(UsageError, match="environment 1 has a call under way"):
        dice.fork(0, [1])
    with pytest.raises(UsageError, match="environment 1 has a call under way"):
        dice.fork(1, [0])
    assert [index for index, _ in dice.recv()] == [1]
    dice.fork(0, [])
    dice.close()
    with pytest.raises(SessionClosed):
        dice.fork(0, [1])


@both_flavours
@pytest.mark.parametrize("dialect", [1, 2])
def test_where_there_are_no_snapshots_it_is_said_and_nothing_lost(flavour: Any, dialect: int) -> None:
    expected: type[OpenEnvError] = UnsupportedByServer if dialect == 1 else NotSupported
    with staged() as stage:
        vector = stage.vector(flavour, stage.serve(dialect), 2)
        vector.reset(seeds=1)
        with pytest.raises(expected):
            vector.fork(0, [1])
        assert [state.step_count for state in vector.state()] == [0, 0]


@both_flavours
def test_step_after_an_end_begins_the_next_episode_in_a_fork_too(flavour: Any, games: Games) -> None:
    dice = games.vector(flavour, games.serve(Ending), 2)
    dice.reset(seeds=1)
    assert dice.step([Roll()], [0])[0].done
    dice.fork(0, [1])
    assert [result.observation.total for result in dice.step([Roll()] * 2)] == [0, 0]


class Ending(Dice):
    """Ends with every throw."""

    def step(self, action: Roll) -> Rolled:
        rolled = super().step(action)
        rolled.done = True
        return rolled
