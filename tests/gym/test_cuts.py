"""A network that fails a hundred times in the middle of training changes nothing but the time it takes."""

import random

import numpy as np
import pytest

from openenv.gym import make_vec
from tests.client.relay import Relay, relayed
from tests.gym.conftest import Serve

_LANES = 8
_STEPS = 300
_CUTS = 100


def rollout(url: str, relay: Relay | None = None) -> list[object]:
    """Step CartPole by a fixed policy, and give all that was seen."""
    envs = make_vec(url, _LANES)
    where = random.Random(3)
    observations, _ = envs.reset(seed=11)
    seen: list[object] = [observations.tolist()]
    for step in range(_STEPS):
        if relay is not None and step % (_STEPS // _CUTS) == 0:
            relay.cut_after(where.randrange(1, 2000))
        actions = (observations[:, 2] > 0).astype(np.int64)
        observations, rewards, terminations, truncations, _ = envs.step(actions)
        seen.append((observations.tolist(), rewards.tolist(), terminations.tolist(), truncations.tolist()))
    envs.close()
    return seen


@pytest.mark.slow
def test_hundred_cuts_change_no_step_and_no_reward(serve: Serve) -> None:
    url = serve("CartPole-v1")
    with relayed(url) as relay:
        assert rollout(relay.url, relay) == rollout(url)
        assert relay.connections >= _CUTS
