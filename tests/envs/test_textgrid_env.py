"""textgrid_env over a live server: solved by its own solver, and forked."""

from random import Random

import pytest
from textgrid_env import TextgridAction, TextgridEnv
from textgrid_env.server.world import LEVELS, generate, solve

ENVIRONMENT = "textgrid_env"


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_seed_is_the_same_world_on_the_server(level: str, url: str) -> None:
    with TextgridEnv(url) as env:
        for seed in range(3):
            env.reset(seed=seed, level=level)
            *way, last = solve(generate(LEVELS[level], Random(seed)))
            assert not any(env.step(TextgridAction(command=command)).done for command in way)
            result = env.step(TextgridAction(command=last))
            assert (result.done, result.truncated) == (True, False)
            assert result.reward is not None
            assert result.reward >= 0.99


def test_forks_go_their_own_ways(url: str) -> None:
    way = solve(generate(LEVELS["hard"], Random(5)))
    with TextgridEnv(url) as env:
        env.reset(seed=5, level="hard")
        for command in way[:4]:
            before = env.step(TextgridAction(command=command)).observation
        won, lost = env.fork(2)
        for command in way[4:]:
            result = won.step(TextgridAction(command=command))
        assert result.terminated
        while not (result := lost.step(TextgridAction(command="look"))).done:
            pass
        assert result.truncated
        here = env.step(TextgridAction(command="look")).observation
        assert (here.x, here.y, here.steps_left) == (before.x, before.y, before.steps_left - 1)
