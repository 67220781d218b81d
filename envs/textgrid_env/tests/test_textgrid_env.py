"""Tests of the environment, straight on the object: no server, no network.

Run `pytest` in the environment's folder.
"""

from typing import Literal

import pytest
from openenv.testing import check_environment

from textgrid_env import TextgridAction, TextgridObservation
from textgrid_env.server import TextgridEnvironment
from textgrid_env.server.world import LEVELS, neighbour, solve


def act(environment: TextgridEnvironment, command: str) -> TextgridObservation:
    return environment.step(TextgridAction(command=command))


def test_it_keeps_the_rules_of_environments() -> None:
    actions = [{"command": command} for command in ("look", "go north", "e", "take", "dance")]
    check_environment(TextgridEnvironment, TextgridAction, actions=actions)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(20))
def test_the_solution_wins_and_earns_what_the_readme_says(level: Literal["easy", "medium", "hard"], seed: int) -> None:
    environment = TextgridEnvironment()
    environment.reset(seed=seed, level=level)
    way = solve(environment._world)

    observations = [act(environment, command) for command in way]

    assert [observation.done for observation in observations] == [False] * (len(way) - 1) + [True]
    assert not observations[-1].truncated
    assert "trophy" in observations[-1].text
    expected = 1.0 + 0.2 * LEVELS[level].doors - 0.01 * len(way)
    assert sum(float(observation.reward or 0) for observation in observations) == pytest.approx(expected)


def test_lava_ends_the_episode_and_was_announced() -> None:
    environment = TextgridEnvironment()
    for seed in range(50):
        first = environment.reset(seed=seed, level="medium")
        world = environment._world
        for room in world.lava:
            ((back, entrance),) = world.exits(room).items()
            environment._room = entrance
            seen = act(environment, "look")
            (way,) = [name for name in seen.heat if neighbour(entrance, name) == room]
            assert f"Heat comes from the {seen.heat[0]}" in seen.text
            fallen = act(environment, way)
            assert (fallen.reward, fallen.done, fallen.truncated) == (-1.01, True, False)
            assert act(environment, back).text.startswith("The episode is over.")
            assert environment.web_actions(fallen) == []
            return
    pytest.fail(f"no lava in 50 worlds, the last of which begins with {first}")


def test_steps_run_out() -> None:
    environment = TextgridEnvironment()
    left = environment.reset(seed=1).steps_left
    for _ in range(left):
        observation = act(environment, "look")
    assert (observation.steps_left, observation.done, observation.truncated) == (0, True, True)


@pytest.mark.parametrize("command", ["", "   ", "dance", "go", "take take", "🧍", "go up", "north" * 40])
def test_what_makes_no_sense_costs_a_step_and_no_more(command: str) -> None:
    environment = TextgridEnvironment()
    before = environment.reset(seed=0)
    after = act(environment, command)
    assert (after.x, after.y, after.done) == (before.x, before.y, False)
    assert (after.reward, after.steps_left) == (-0.01, before.steps_left - 1)


def test_a_door_needs_its_key() -> None:
    environment = TextgridEnvironment()
    environment.reset(seed=0)
    ((passage, colour),) = environment._world.doors.items()
    environment._room = next(room for room in passage)
    way = next(way for way, door in act(environment, "look").exits.items() if door == colour)
    assert f"you have no {colour} key" in act(environment, way).text
    environment._keys.add(colour)
    assert f"You open the {colour} door" in act(environment, way).text


@pytest.mark.parametrize("command", ["go {}", "{}", "walk to the {}", "GO {}"])
def test_ways_to_say_a_direction(command: str) -> None:
    environment = TextgridEnvironment()
    first = environment.reset(seed=3)
    way = next(way for way, door in first.exits.items() if door == "open")
    moved = act(environment, command.format(way))
    assert (moved.x, moved.y) == neighbour((first.x, first.y), way)


def test_a_saved_game_goes_on_as_it_would_have() -> None:
    one, other = TextgridEnvironment(), TextgridEnvironment()
    one.reset(seed=4, level="hard")
    way = solve(one._world)
    for command in way[:5]:
        act(one, command)
    other.restore(one.snapshot())
    assert [act(one, command) for command in way[5:]] == [act(other, command) for command in way[5:]]


def test_the_map_shows_only_what_was_seen() -> None:
    environment = TextgridEnvironment()
    observation = environment.reset(seed=0)
    html = environment.render_web(observation)
    assert html.count("<rect") == 1
    assert "<title>you</title>" in html
    assert "<title>trophy</title>" not in html
    for command in solve(environment._world):
        observation = act(environment, command)
    assert "<title>trophy</title>" in environment.render_web(observation)


def test_a_level_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no level 'mean'; there are easy, medium, hard"):
        TextgridEnvironment().reset(level="mean")  # type: ignore[arg-type]
