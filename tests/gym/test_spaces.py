"""Spaces travel without loss, and what is no space is refused."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from openenv.errors import ConfigurationError, PeerError
from openenv.gym import space_from_json, space_to_json
from tests.gym.worlds import ALL_SPACES


def travelled(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    return space_from_json(json.loads(json.dumps(space_to_json(space), allow_nan=False)))


@pytest.mark.parametrize("space", ALL_SPACES, ids=repr)
def test_space_that_travelled_is_the_same_and_draws_the_same_samples(space: gymnasium.Space[Any]) -> None:
    arrived = travelled(space)
    assert arrived == space
    assert (type(arrived), arrived.dtype, arrived.shape) == (type(space), space.dtype, space.shape)
    assert space_to_json(arrived) == space_to_json(space)
    space.seed(7)
    arrived.seed(7)
    assert repr([space.sample() for _ in range(5)]) == repr([arrived.sample() for _ in range(5)])


@pytest.mark.parametrize("space", [s for s in ALL_SPACES if isinstance(s, spaces.Box)], ids=repr)
def test_which_bounds_count_travels_with_a_box(space: spaces.Box) -> None:
    arrived = travelled(space)
    assert isinstance(arrived, spaces.Box)
    for name in ("low", "high", "bounded_below", "bounded_above"):
        ours, theirs = getattr(space, name), getattr(arrived, name)
        assert ours.tobytes() == theirs.tobytes(), name
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name


def test_bounds_that_are_the_same_are_written_once() -> None:
    assert space_to_json(spaces.Box(0, 255, (84, 84, 3), np.uint8)) == {
        "space": "Box", "dtype": "uint8", "shape": [84, 84, 3], "low": 0, "high": 255
    }  # fmt: skip


def test_infinite_bounds_are_words() -> None:
    described = space_to_json(spaces.Box(np.array([-np.inf, 0.5]), np.array([np.inf, np.inf]), dtype=np.float64))
    assert (described["low"], described["high"]) == (["-inf", 0.5], "inf")


class _Own(spaces.Discrete):
    pass


@pytest.mark.parametrize(
    ("space", "complaint"),
    [
        (_Own(2), "a space of class _Own cannot be sent"),
        (spaces.Tuple([_Own(2)]), "a space of class _Own cannot be sent"),
        (spaces.Box(0, 1, (2,), np.dtype(">f4")), "the data type >f4 of"),
        (spaces.Box(0, 1, (2,), np.longdouble), "the data type"),
    ],
)
def test_space_that_cannot_be_sent_is_named(space: gymnasium.Space[Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        space_to_json(space)


def test_keys_of_a_dict_must_be_text() -> None:
    with pytest.raises(ConfigurationError, match="the key 3 of"):
        space_to_json(spaces.Dict({3: spaces.Discrete(2)}))  # type: ignore[dict-item]


BOX = {"space": "Box", "dtype": "float32", "shape": [2], "low": 0, "high": 1}
DISCRETE = {"space": "Discrete", "dtype": "int64", "n": 2, "start": 0}


def nested(depth: int) -> dict[str, Any]:
    return DISCRETE if depth == 0 else {"space": "Tuple", "spaces": [nested(depth - 1)]}


def deep_list(depth: int) -> Any:
    made: Any = 0
    for _ in range(depth):
        made = [made]
    return made


@pytest.mark.parametrize(
    ("described", "complaint"),
    [
        (None, "the space is described by a NoneType in place of an object"),
        ([], "described by a list"),
        ({}, "of the unknown kind 'None'"),
        ({"space": ["Box"]}, "of the unknown kind"),
        ({"space": "__import__"}, "of the unknown kind '__import__'"),
        ({"space": "Box"}, "the space is no Box: it has no 'dtype'|it has no 'shape'"),
        (BOX | {"dtype": "object"}, "'object' is no data type"),
        (BOX | {"dtype": ["f4"]}, "is no data type"),
        (BOX | {"shape": [10**6, 10**6]}, "more than 67108864 elements"),
        (BOX | {"shape": [-1]}, "is no shape"),
        (BOX | {"shape": [0] * 40}, "is no shape"),
        (BOX | {"shape": ["2"]}, "is no whole number"),
        (BOX | {"shape": 3}, "no Box"),
        (BOX | {"low": [0, 0, 0]}, "no Box"),
        (BOX | {"low": [[0], [1, 2]]}, "no Box"),
        (BOX | {"low": "nan"}, "'nan' is no bound"),
        (BOX | {"low": None}, "'None' is no bound"),
        (BOX | {"low": 2}, "no Box"),
        (BOX | {"low": deep_list(5000)}, "no Box"),
        (BOX | {"dtype": "uint8", "high": 300}, "no Box"),
        (BOX | {"dtype": "uint8", "high": 1.5}, "is no whole number"),
        (DISCRETE | {"n": 0}, "the space is no Discrete"),
        (DISCRETE | {"n": 1.5}, "'1.5' is no whole number"),
        (DISCRETE | {"n": True}, "'True' is no whole number"),
        (DISCRETE | {"n": 2**80}, "no Discrete"),
        ({"space": "MultiBinary", "n": [2**20, 2**20]}, "more than 67108864 elements"),
        ({"space": "MultiBinary", "n": 2**40}, "more than 67108864 elements"),
        ({"space": "MultiBinary", "n": 0}, "no MultiBinary"),
        ({"space": "MultiDiscrete", "dtype": "int64", "nvec": [1, 2.5], "start": [0, 0]}, "is no whole number"),
        ({"space": "MultiDiscrete", "dtype": "int64", "nvec": [1, 2], "start": [0]}, "no MultiDiscrete"),
        ({"space": "Text", "min_length": 3, "max_length": 1, "characters": "a"}, "no Text"),
        ({"space": "Tuple", "spaces": 3}, "no Tuple"),
        ({"space": "Tuple", "spaces": [BOX, {"space": "Blob"}]}, "part 1 is of the unknown kind 'Blob'"),
        ({"space": "Dict", "spaces": {"a": BOX}, "sort_keys": True}, "no Dict"),
        ({"space": "Dict", "spaces": [["a", 3]], "sort_keys": True}, "the space 'a' is described by a int"),
        ({"space": "OneOf", "spaces": []}, "no OneOf"),
        ({"space": "Sequence", "stack": False}, "it has no 'feature_space'"),
        (nested(40), "lies more than 32 spaces deep"),
    ],
)  # fmt: skip
def test_what_is_no_space_is_an_error_of_the_peer(described: object, complaint: str) -> None:
    with pytest.raises(PeerError, match=complaint):
        space_from_json(described)


def test_elements_are_counted_over_all_parts() -> None:
    part = BOX | {"shape": [2**25]}
    with pytest.raises(PeerError, match="more than 67108864 elements"):
        space_from_json({"space": "Tuple", "spaces": [{"space": "MultiBinary", "n": 2**25}] * 3})
    assert part["shape"] == [2**25]
