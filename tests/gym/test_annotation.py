"""A field that is declared to lie in a space holds a member of it, from JSON and back."""

from typing import Annotated, Any

import numpy as np
import pytest
from gymnasium import spaces
from pydantic import ValidationError

from openenv.env import encode_observation, parse_action
from openenv.errors import BadAction, BadObservation
from openenv.gym import InSpace
from openenv.types import Action, Observation

ARM = spaces.Dict(joint=spaces.Discrete(2), push=spaces.Box(-1, 1, (2,)))


class Move(Action):
    arm: Annotated[Any, InSpace(ARM)]


class Seen(Observation):
    where: Annotated[Any, InSpace(spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Discrete(3)]))]


def test_action_holds_a_member_of_the_space() -> None:
    move = parse_action(Move, {"arm": {"push": [1, 0], "joint": 1}})
    assert isinstance(move, Move)
    assert ARM.contains(move.arm)
    assert move.arm["push"].dtype == np.float32


@pytest.mark.parametrize(
    ("arm", "reason"),
    [
        ({"push": [1, 0], "joint": 2}, "the value lies outside"),
        ({"push": [float("nan"), 0], "joint": 1}, "the value lies outside"),
        ({"push": [1], "joint": 1}, r"at push: the shape is \(1,\) and should be \(2,\)"),
        (None, "None is no mapping"),
    ],
)
def test_action_outside_the_space_is_a_bad_action_that_names_it(arm: Any, reason: str) -> None:
    with pytest.raises(BadAction, match=rf"arm: Input should be in Dict\('joint': Discrete\(2\), .*{reason}") as caught:
        parse_action(Move, {"arm": arm})
    assert caught.value.errors[0]["loc"] == ["arm"]


def test_long_space_is_named_by_its_beginning() -> None:
    class Wide(Action):
        it: Annotated[Any, InSpace(spaces.Tuple([spaces.Box(-1, 1, (2,))] * 50))]

    with pytest.raises(BadAction) as caught:
        parse_action(Wide, {"it": 3})
    assert len(str(caught.value)) < 400


def test_space_asks_for_arrays_if_its_members_hold_some() -> None:
    assert InSpace(ARM).takes_arrays
    assert not InSpace(spaces.Discrete(2)).takes_arrays
    move: Any = parse_action(Move, {"arm": {"push": np.array([1, 0], np.float32), "joint": np.int64(1)}})
    assert move.arm["push"].tolist() == [1, 0]


def test_arrays_are_lists_in_json_and_stay_arrays_elsewhere() -> None:
    move = Move.model_construct(arm={"push": np.array([0.5, 1], np.float32), "joint": 1})
    assert move.model_dump_json() == '{"metadata":{},"arm":{"joint":1,"push":[0.5,1.0]}}'
    assert isinstance(move.model_dump()["arm"]["push"], np.ndarray)
    seen = Seen(where=(np.array([0.5, 0.25], np.float32), 2))
    encoded = encode_observation(seen, source="s", raw=True)
    assert encoded.observation == b'{"metadata":{},"where":[{"$array":["<f4",[2],0]},2]}'
    assert [bytes(each) for each in encoded.arrays] == [np.array([0.5, 0.25], "<f4").tobytes()]


def test_observation_is_written_by_its_space() -> None:
    seen = Seen(where=(np.array([0.5, 0.25], np.float32), 2))
    assert encode_observation(seen, source="s").observation == b'{"metadata":{},"where":[[0.5,0.25],2]}'
    assert seen.model_dump()["where"][0] is seen.where[0]


def test_observation_that_is_no_member_is_refused() -> None:
    with pytest.raises(ValidationError, match="Input should be in Tuple"):
        Seen(where=3)
    unchecked = Seen.model_construct(where=(np.zeros(3), 1))
    with pytest.raises(BadObservation, match=r"field 'where' .*at 0: the shape is \(3,\) and should be \(2,\)"):
        encode_observation(unchecked, source="s")
