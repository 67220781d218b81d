"""Members of spaces travel exactly, and misfits say where they are."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence

from openenv.gym.values import Misfit, decode, encode, is_inside, plain
from tests.gym.worlds import ALL_SPACES

BOX = spaces.Box(-1, 1, (2,), np.float32)
BOOL: Any = np.bool_  # which the stubs of Box do not know
GRAPH = spaces.Graph(spaces.Discrete(3), spaces.Box(0, 1, (1,)))


def as_ints(value: Any) -> Any:
    """Numpy's integers as Python's: what a Discrete space samples, and what environments return."""
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, dict):
        return {key: as_ints(item) for key, item in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(as_ints(item) for item in value)
    return value


@pytest.mark.parametrize("space", ALL_SPACES, ids=repr)
def test_member_that_travelled_is_the_same_to_the_bit(space: gymnasium.Space[Any]) -> None:
    space.seed(3)
    for _ in range(20):
        member = space.sample()
        for arrived in (
            decode(space, json.loads(json.dumps(plain(encode(space, member))))),
            decode(space, encode(space, member)),  # with arrays as they are
            decode(space, member),
        ):
            assert space.contains(arrived)
            assert repr(arrived) == repr(as_ints(member))
            if not isinstance(space, spaces.Graph):
                assert data_equivalence(arrived, as_ints(member), exact=True)


def test_arrays_stay_arrays_until_they_are_written() -> None:
    space = spaces.Dict(image=spaces.Box(0, 255, (2, 2), np.uint8), n=spaces.Discrete(3))
    image = np.arange(4, dtype=np.uint8).reshape(2, 2)
    encoded = encode(space, {"image": image, "n": np.int64(2)})
    assert encoded["image"] is image
    assert plain(encoded) == {"image": [[0, 1], [2, 3]], "n": 2}


def test_values_outside_the_bounds_travel() -> None:
    assert encode(BOX, np.array([5.0, -7.0], np.float32)).tolist() == [5.0, -7.0]
    assert decode(spaces.Discrete(2), 9) == 9


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(np.float32, [1, 2]), (np.float32, np.array([0.5, 0.25])), (np.uint8, [1, 255]), (np.int64, [2.0, -3.0]),
     (np.uint64, [2**64 - 1, 0]), (np.int64, [2**63 - 1, 0]), (np.bool_, [True, 0])],
)  # fmt: skip
def test_numbers_that_a_type_can_hold_are_taken(dtype: Any, value: Any) -> None:
    arrived = decode(spaces.Box(0, 1, (2,), dtype), value)
    assert arrived.dtype == dtype
    assert [int(x) for x in arrived] == [int(x) for x in value]


@pytest.mark.parametrize(
    ("space", "value", "complaint"),
    [
        (BOX, [1, 2, 3], r"the shape is \(3,\) and should be \(2,\)"),
        (BOX, 1, r"the shape is \(\) and"),
        (BOX, [[1], [2, 3]], "is no array of float32"),
        (BOX, ["1", "2"], "is not made of numbers"),
        (BOX, None, "is not made of numbers"),
        (BOX, {"a": 1}, "is not made of numbers"),
        (BOX, [1e300, 0], "too large for float32"),
        (spaces.Box(0, 255, (1,), np.uint8), [256], "too large for uint8"),
        (spaces.Box(0, 255, (1,), np.uint8), np.array([-1]), "uint8"),
        (spaces.Box(0, 255, (1,), np.uint8), [1.5], "is no uint8"),
        (spaces.Box(0, 255, (1,), np.uint8), [float("nan")], "uint8"),
        (spaces.Box(0, 1, (1,), BOOL), [2], "is no bool"),
        (spaces.Discrete(2), 1.0, "1.0 is no whole number"),
        (spaces.Discrete(2), True, "True is no whole number"),
        (spaces.Discrete(2), np.array([1]), "is no whole number"),
        (spaces.Text(3), 5, "5 is no text"),
        (spaces.Tuple([BOX]), [], "is no sequence of 1"),
        (spaces.Tuple([BOX]), 3, "is no sequence of 1"),
        (spaces.Tuple([spaces.Discrete(2), BOX]), [0, [1]], "at 1: the shape is"),
        (spaces.Dict(a=BOX), [1], "is no mapping"),
        (spaces.Dict(a=BOX), {"b": 1}, r"the keys are \['b'\] and should be \['a'\]"),
        (spaces.Dict(a=spaces.Dict(b=BOX)), {"a": {"b": ["x" * 200]}}, r"at a\.b: \[.{70,76}\.\.\. is not made"),
        (spaces.Sequence(BOX), 3, "3 is no sequence"),
        (spaces.Sequence(BOX), [[1, 2], 3], "at 1: the shape"),
        (spaces.OneOf([BOX]), [1, [0, 0]], "the index 1 is none of 0 to 0"),
        (spaces.OneOf([BOX]), [0], "is no pair"),
        (GRAPH, {"edges": []}, "is no graph"),
        (GRAPH, {"nodes": [0], "edges": [[0.5]], "edge_links": [[0]]}, "the shape is"),
        (GRAPH, {"nodes": ["x"]}, "at nodes: 'x' is no whole number"),
        (GRAPH, 3, "is no graph"),
    ],
)
def test_misfit_says_what_is_wrong_and_where(space: gymnasium.Space[Any], value: Any, complaint: str) -> None:
    with pytest.raises(Misfit, match=complaint):
        decode(space, value)


@pytest.mark.parametrize(
    ("space", "value"),
    [
        (GRAPH, None),
        (GRAPH, spaces.GraphInstance(np.array([0]), np.zeros((1, 1), np.float32), None)),
        (spaces.Sequence(BOX), None),
        (spaces.Sequence(spaces.Dict(a=BOX), stack=True), 5),
    ],
)
def test_what_an_environment_returns_wrongly_is_a_misfit(space: gymnasium.Space[Any], value: Any) -> None:
    with pytest.raises(Misfit):
        encode(space, value)


def test_empty_sequences_travel() -> None:
    stacked = spaces.Sequence(spaces.Box(0, 1, (2,)), stack=True)
    assert decode(stacked, plain(encode(stacked, np.zeros((0, 2), np.float32)))).shape == (0, 2)
    assert decode(spaces.Sequence(BOX), []) == ()


@pytest.mark.parametrize("start", [0, -3, 2**63 - 5])
def test_number_is_inside_where_the_space_says_so(start: int) -> None:
    space = spaces.Discrete(4, start=start)
    for number in (start - 1, start, start + 3, start + 4, -(2**70), 2**70):
        assert is_inside(space, number) is space.contains(number)
