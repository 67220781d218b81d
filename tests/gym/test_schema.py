"""The JSON schema of a space lets its members through, and is what a form can be made of."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from openenv.errors import ConfigurationError
from openenv.gym.schema import SPACE_KEY, schema_of
from openenv.gym.spaces import space_from_json
from openenv.gym.values import encode, plain
from openenv.testing.schema import violations
from tests.gym.worlds import ALL_SPACES

BOOL: Any = np.bool_  # which the stubs of Box do not know


@pytest.mark.parametrize("space", ALL_SPACES, ids=repr)
def test_schema_takes_every_member_and_holds_the_space(space: gymnasium.Space[Any]) -> None:
    schema = schema_of(space)
    space.seed(5)
    for _ in range(10):
        assert violations(plain(encode(space, space.sample())), schema) == []
    assert space_from_json(schema[SPACE_KEY]) == space


@pytest.mark.parametrize(
    ("space", "wrong"),
    [
        (spaces.Discrete(3, start=2), [1, 5, 2.5, "2"]),
        (spaces.Box(-1, 1, (2,)), [[0], [0, 2], 0, ["a", "b"]]),
        (spaces.Box(0, 255, (1, 2), np.uint8), [[[0, 256]], [[0.5, 1]], [0, 1]]),
        (spaces.Box(0, 1, (1,), BOOL), [[1], ["x"]]),
        (spaces.MultiBinary(1), [[2], []]),
        (spaces.MultiDiscrete([2, 4]), [[0, 4], [0]]),
        (spaces.Text(3, min_length=1), ["", "aaaa", 1]),
        (spaces.Dict(a=spaces.Discrete(2)), [{}, {"a": 3}, {"a": 0, "b": 0}]),
        (spaces.Tuple([spaces.Discrete(2)]), [[], [2], [0, 0]]),
        (spaces.OneOf([spaces.Discrete(2)]), [[1, 0], [0, 2], [0]]),
        (spaces.Graph(spaces.Discrete(2), None), [{}, {"nodes": [2]}, {"nodes": [0], "edges": []}]),
        (spaces.Sequence(spaces.Discrete(2)), [[2], 0]),
    ],
)
def test_schema_refuses_what_is_no_member(space: gymnasium.Space[Any], wrong: list[Any]) -> None:
    for value in wrong:
        assert violations(value, schema_of(space)), value


def test_discrete_is_an_integer_with_its_limits() -> None:
    schema = schema_of(spaces.Discrete(3, start=2))
    assert {key: schema[key] for key in schema if key != SPACE_KEY} == {"type": "integer", "minimum": 2, "maximum": 4}


def test_box_without_limits_has_none() -> None:
    schema = schema_of(spaces.Box(-np.inf, np.inf, (2,)))
    assert schema["items"] == {"type": "number"}
    assert (schema["minItems"], schema["maxItems"]) == (2, 2)


def test_space_that_cannot_be_sent_is_told_first() -> None:
    class Own(spaces.Discrete):
        pass

    with pytest.raises(ConfigurationError, match="of class Own cannot be sent"):
        schema_of(Own(2))
