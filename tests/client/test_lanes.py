"""Lanes are used once each, and the link has an end when the last of them is left."""

from openenv.client.lanes import LANE, Lanes


def test_no_lane_is_used_twice() -> None:
    lanes = Lanes("link")
    first = lanes.take(3)
    assert not lanes.leave(*first)
    assert len({LANE, *first, *lanes.take(2)}) == 6


def test_the_last_to_leave_is_told() -> None:
    lanes = Lanes("link")
    one, two = lanes.take(2)
    assert not lanes.leave(LANE)
    assert not lanes.leave(one)
    assert lanes.leave(two)
    assert lanes.link == "link"
