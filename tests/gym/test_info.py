"""`info` travels as far as JSON carries it, with its types; what does not travel is named."""

import json
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from openenv.errors import PeerError
from openenv.gym.info import EXTRAS_KEY, ReadInfo, info_to_metadata, metadata_to_info


def objects(*items: Any) -> Any:
    """Make an array of objects, as a vector's infos are."""
    made = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        made[index] = item
    return made


def travelled(info: dict[Any, Any]) -> ReadInfo:
    return metadata_to_info(json.loads(json.dumps(info_to_metadata(info, has_terminated=False), allow_nan=False)))


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"text": "a", "none": None, "yes": True, "n": 3, "x": 0.1},
        {"mask": np.array([1, 0], np.int8), "empty": np.zeros((0, 3), np.float32), "scalar": np.array(2.5)},
        {"f": np.float32(0.1), "i": np.int16(4), "b": np.bool_(True), "u": np.uint64(2**64 - 1)},
        {"deep": {"list": [1, {"a": np.arange(3)}], "pair": (1, (2, np.float64(3)))}},
        {"dotted.key": np.int8(1), "": {"": (1,)}},
        {"nothing": {}, "none": [], "neither": ()},
        {
            "objects": objects(None, np.zeros(2, np.float32), np.zeros(2, np.float32)),
            "_objects": np.array([False, True]),
        },
        {"deep": {"objects": objects({"a": np.int8(1)}, "text", (1, [np.uint8(2)]), objects(None))}, "no": objects()},
    ],
    ids=str,
)
def test_info_travels_with_its_types(info: dict[str, Any]) -> None:
    arrived = travelled(info)
    assert data_equivalence(arrived.info, info, exact=True)
    assert arrived.left_out == ()


def test_plain_info_is_plain_metadata() -> None:
    assert info_to_metadata({"prob": 1.0, "deep": {"n": [1]}}, has_terminated=False) == {
        "prob": 1.0,
        "deep": {"n": [1]},
    }


def test_arrays_are_lists_to_those_who_know_nothing_of_it() -> None:
    assert info_to_metadata({"mask": np.array([1, 0])}, has_terminated=False)["mask"] == [1, 0]


@pytest.mark.parametrize(
    ("info", "left", "kept"),
    [
        ({"a": ..., "b": 1}, ("a",), {"b": 1}),
        ({"a": float("nan"), "b": np.array([1.0, np.inf]), "c": np.float32("nan")}, ("a", "b", "c"), {}),
        ({"a": {"b": {1, 2}, "c": 1}}, ("a.b",), {"a": {"c": 1}}),
        ({3: 4, "x": 1}, ("3",), {"x": 1}),
        ({"a": [1, ...]}, ("a",), {}),
        ({"a": [1, {"b": ...}]}, ("a",), {}),
        ({"a": b"bytes", "t": np.datetime64("2020-01-01")}, ("a", "t"), {}),
        ({EXTRAS_KEY: 1}, (EXTRAS_KEY,), {}),
        ({"long": np.longdouble(1)}, ("long",), {}),
        ({"bad": objects(1, ...), "table": np.full((2, 2), None)}, ("bad", "table"), {}),
    ],
    ids=str,
)
def test_what_cannot_travel_is_left_out_and_named(info: dict[Any, Any], left: tuple[str, ...], kept: Any) -> None:
    arrived = travelled(info)
    assert (arrived.left_out, arrived.info) == (left, kept)


def test_info_that_holds_itself_is_cut() -> None:
    info: dict[str, Any] = {"n": 1}
    info["self"] = info
    assert travelled(info).info["n"] == 1
    assert len(travelled(info).left_out) == 1


@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "bool"])
def test_type_of_a_vectors_rewards_is_said_unless_it_is_the_usual(kind: str) -> None:
    metadata = info_to_metadata({}, reward_type=np.dtype(kind))
    assert metadata == ({} if kind == "float64" else {EXTRAS_KEY: {"rewards": kind}})
    assert metadata_to_info(metadata).reward_type == np.dtype(kind)


def test_both_endings_at_once_survive() -> None:
    assert metadata_to_info(info_to_metadata({}, has_terminated=True)) == ReadInfo({}, True, ())
    assert metadata_to_info(None) == ReadInfo({}, False, ())


@pytest.mark.parametrize(
    "extras",
    [
        3,
        {"kinds": 3},
        {"kinds": [3]},
        {"kinds": [{}]},
        {"kinds": [{"path": [], "kind": "tuple"}]},
        {"kinds": [{"path": ["gone"], "kind": "tuple"}]},
        {"kinds": [{"path": ["x"], "kind": "pickle"}]},
        {"kinds": [{"path": ["x"], "kind": "array", "dtype": "object", "shape": [1]}]},
        {"kinds": [{"path": ["x"], "kind": "array", "dtype": "f4", "shape": [9]}]},
        {"kinds": [{"path": ["x"], "kind": "number", "dtype": "int8"}]},
        {"kinds": [{"path": ["x", 0, 0, 0], "kind": "tuple"}]},
        {"left_out": 3},
    ],
    ids=str,
)
def test_untrue_extras_are_an_error_of_the_peer(extras: Any) -> None:
    with pytest.raises(PeerError, match="does not fit the rest"):
        metadata_to_info({"x": ["word"], EXTRAS_KEY: extras})
