"""`openenv.env.arrays`: NumPy's arrays into an environment and out of it."""

from typing import Annotated, Any

import numpy
import pytest
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, RootModel

from openenv import Action, Observation
from openenv.env.adapter import parse_action
from openenv.env.arrays import AS_SENT, RawArrays, array_fields
from openenv.env.encoding import encode_observation
from openenv.errors import BadAction, BadObservation


class Seen(Observation):
    pixels: Any = None
    more: Any = None


class Moved(Action):
    torque: NDArray[numpy.float32]
    loose: numpy.ndarray[Any, Any] | None = None
    any: NDArray[Any] | None = None
    real: NDArray[numpy.floating[Any]] | None = None
    names: list[str] = Field(default_factory=list)
    count: Any = None


class Turned(Action):
    angles: list[float]


class Taking:
    takes_arrays = True


class Spaced(Action):
    action: Annotated[Any, Taking()]


class MaybeSpaced(Action):
    action: Annotated[Any, Taking()] | None = None
    other: int = 0


# ---- out


def test_array_lies_beside_the_text_in_c_order_and_little_endian() -> None:
    pixels = numpy.arange(6, dtype=">i2").reshape(2, 3).T
    encoded = encode_observation(Seen(pixels=pixels, more=[numpy.ones(2, "f4")]), source="x", raw=True)
    assert encoded.observation == (
        b'{"metadata":{},"pixels":{"$array":["<i2",[3,2],0]},"more":[{"$array":["<f4",[2],1]}]}'
    )
    assert [bytes(each) for each in encoded.arrays] == [
        pixels.astype("<i2").tobytes(),
        b"\0\0\x80?" * 2,
    ]


def test_array_that_the_environment_changes_afterwards_is_sent_as_it_was() -> None:
    pixels = numpy.zeros(3, "u1")
    encoded = encode_observation(Seen(pixels=pixels), source="x", raw=True)
    pixels += 1
    assert bytes(encoded.arrays[0]) == b"\0\0\0"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (numpy.float32(1.5), b"1.5"),
        (numpy.array(7), b"7"),
        (numpy.array(["a", "b"]), b'["a","b"]'),
        ([1, 2], b"[1,2]"),
    ],
)
def test_what_is_no_array_of_numbers_is_written_as_ever(value: Any, written: bytes) -> None:
    encoded = encode_observation(Seen(pixels=value), source="x", raw=True)
    assert b'"pixels":' + written in encoded.observation
    assert not encoded.arrays


@pytest.mark.parametrize("number", [numpy.nan, numpy.inf, -numpy.inf])
def test_number_that_is_none_inside_an_array_is_a_fault_that_names_its_field(number: float) -> None:
    pixels = numpy.array([[0.0, 1.0], [2.0, number]])
    with pytest.raises(BadObservation) as raised:
        encode_observation(Seen(more={"deep": pixels}), source="x", raw=True)
    assert raised.value.field == "more.deep.1.1"


def test_data_that_has_the_mark_itself_is_sent_as_lists() -> None:
    seen = Seen(pixels=numpy.ones(2, "u1"), more={"$array": 1})
    encoded = encode_observation(seen, source="x", raw=True)
    assert encoded.arrays == ()
    assert b'"pixels":[1,1],"more":{"$array":1}' in encoded.observation


def test_array_without_a_form_in_json_is_a_fault() -> None:
    with pytest.raises(BadObservation, match="pixels"):
        encode_observation(Seen(pixels=numpy.array([object()])), source="x", raw=True)


def test_describing_what_nobody_can_write_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        RawArrays().describe(object())


# ---- in


def test_fields_that_hold_arrays_are_known_by_their_annotation() -> None:
    assert array_fields(Moved) == {"torque": numpy.float32, "loose": None, "any": None, "real": None}
    assert array_fields(Turned) == {}
    assert array_fields(Spaced) == array_fields(MaybeSpaced) == {"action": AS_SENT}


def test_field_that_asks_for_an_array_gets_one_however_it_came() -> None:
    for given in ([1, 2.5], numpy.array([1, 2.5])):
        action: Any = parse_action(Moved, {"torque": given, "loose": [[1], [2]]})
        assert (action.torque.dtype, action.torque.tolist()) == (numpy.float32, [1.0, 2.5])
        assert action.loose.shape == (2, 1)


def test_field_whose_metadata_asks_for_arrays_is_given_what_was_sent() -> None:
    sent = [1, [2, 3], numpy.arange(2)]
    action: Any = parse_action(Spaced, {"action": sent})
    assert action.action is sent


def test_field_that_does_not_gets_lists() -> None:
    action: Any = parse_action(Moved, {"torque": [1], "count": {"deep": [numpy.arange(2), numpy.int8(3)]}})
    assert action.count == {"deep": [[0, 1], 3]}


@pytest.mark.parametrize("torque", [[[1], [1, 2]], ["a"], [{}], "much", None])
def test_what_makes_no_array_is_a_bad_action(torque: Any) -> None:
    with pytest.raises(BadAction):
        parse_action(Moved, {"torque": torque})


def test_row_of_a_batch_is_the_only_field_there_is() -> None:
    action: Any = parse_action(Turned, numpy.array([1.5, 2.0]))
    assert action.angles == [1.5, 2.0]
    assert parse_action(Turned, [1, 2]).angles == [1.0, 2.0]  # type: ignore[attr-defined]
    assert isinstance(parse_action(Spaced, numpy.arange(3)).action, numpy.ndarray)  # type: ignore[attr-defined]


def test_row_for_an_action_of_several_fields_is_refused() -> None:
    with pytest.raises(BadAction):
        parse_action(Moved, numpy.arange(3))


def test_row_for_a_root_model_is_its_value() -> None:
    class Numbers(RootModel[list[int]]):
        model_config = ConfigDict(strict=True)

    assert parse_action(Numbers, numpy.arange(2)).root == [0, 1]  # type: ignore[attr-defined]
