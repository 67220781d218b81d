"""Worlds: every one can be won, by the way that the solver finds, and the same seed makes the same one."""

from random import Random

import pytest

from textgrid_env.server.world import LEVELS, Level, generate, solve


@pytest.mark.parametrize("level", LEVELS)
def test_every_world_can_be_won_and_needs_every_key(level: str) -> None:
    lengths = []
    for seed in range(200):
        world = generate(LEVELS[level], Random(seed))
        way = solve(world)
        lengths.append(len(way))
        assert way.count("take") == len(world.doors) == LEVELS[level].doors
        assert sorted(world.doors.values()) == sorted(world.keys.values())
        assert not world.lava & {world.start, world.goal, *world.keys}
        assert len(world.lava) <= LEVELS[level].lava
    assert len(set(lengths)) > 3  # they differ


def test_harder_worlds_take_longer() -> None:
    means = [sum(len(solve(generate(level, Random(seed)))) for seed in range(50)) for level in LEVELS.values()]
    assert means == sorted(means)
    assert means[0] * 2 < means[-1]


@pytest.mark.parametrize("level", LEVELS.values())
def test_the_same_seed_makes_the_same_world(level: Level) -> None:
    assert generate(level, Random(5)) == generate(level, Random(5)) != generate(level, Random(6))
