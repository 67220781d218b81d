"""A call knows its lanes, whether it names them or is asked of one."""

from openenv.protocol import Fork, GetState, Open, ServedCall


def test_a_call_of_one_lane_and_one_that_names_its_lanes_look_alike() -> None:
    single = ServedCall(1, 7, GetState(), binary=False, size=10)
    several = ServedCall(2, None, Open((3, 4)), binary=True, size=20)
    assert (single.lanes, single.left) == ((7,), 1)
    assert (several.lanes, several.left) == ((3, 4), 2)
    fork = ServedCall(3, 7, Fork((8, 9)), binary=False, size=10)
    assert (fork.lanes, fork.left, fork.snapshot) == ((7, 8, 9), 3, None)
