"""Lanes are driven together, close with their owner, and never go on in an environment that is not theirs."""

import gc

import pytest

from openenv.errors import ConnectFailed, SessionLost
from openenv.gym import create_app_from_gym
from openenv.gym.lanes import LaneSet
from tests.gym.conftest import Serve
from tests.support.serving import serving


def test_each_lane_gets_its_own(serve: Serve) -> None:
    url = serve("FrozenLake-v1", {"is_slippery": False})
    lanes = LaneSet(url, 3)
    lanes.reset([0, 1, 2], [{"seed": 1}, {"seed": 2}, {"seed": 3}], fresh=True)
    results = lanes.step([2, 0], [{"action": 2}, {"action": 1}])
    assert [result.observation["observation"] for result in results] == [1, 4]
    assert lanes.step([1], [{"action": 0}])[0].observation["observation"] == 0
    lanes.close()
    lanes.close()


def test_lanes_that_are_forgotten_are_closed(serve: Serve) -> None:
    url = serve("CartPole-v1", max_concurrent_envs=2)
    for _ in range(2):  # the second would find no room
        lanes = LaneSet(url, 2)
        del lanes
        gc.collect()


def test_server_that_is_not_there_leaves_nothing_behind() -> None:
    with pytest.raises(ConnectFailed):
        LaneSet("http://127.0.0.1:1", 2)


def test_lost_lane_is_not_begun_anew_unless_that_was_asked_for() -> None:
    with serving(create_app_from_gym("CartPole-v1")) as url:
        lanes = LaneSet(url, 1)
        lanes.reset([0], [{"seed": 1}], fresh=True)
    for _ in range(2):
        with pytest.raises(SessionLost):
            lanes.reset([0], [{}], fresh=False)
    with pytest.raises(ConnectFailed):  # it does try
        lanes.reset([0], [{}], fresh=True)
    lanes.close()
