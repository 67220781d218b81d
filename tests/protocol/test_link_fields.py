"""The checks that both directions share."""

from typing import Any

import numpy
import pytest

from openenv.protocol.link_fields import (
    MAX_COUNT,
    MAX_LANE,
    are_lanes,
    is_column,
    is_count,
    snapshot_from_text,
    snapshot_to_text,
)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (0, True),
        (MAX_COUNT, True),
        (MAX_COUNT + 1, False),
        (-1, False),
        (True, False),
        (1.0, False),
        ("1", False),
        (None, False),
    ],
)
def test_a_count_is_an_integer_that_every_json_library_holds(value: Any, good: bool) -> None:
    assert is_count(value) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ([0], True),
        ([3, 1, MAX_LANE], True),
        ([], False),
        ([1, 1], False),
        ([MAX_LANE + 1], False),
        ([-1], False),
        ([True], False),
        ([[0]], False),
        ((0,), False),
        ("0", False),
        (None, False),
    ],
)
def test_lanes_are_a_list_of_small_numbers_each_once(value: Any, good: bool) -> None:
    assert are_lanes(value) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [([], True), (numpy.ones(2), True), (numpy.array(1.0), False), ({}, False), ("ab", False), (None, False)],
)
def test_a_column_is_a_list_or_an_array_with_an_axis(value: Any, good: bool) -> None:
    assert is_column(value) is good


def test_a_snapshot_is_written_in_base64() -> None:
    assert snapshot_from_text(snapshot_to_text(bytes(range(256)))) == bytes(range(256))


@pytest.mark.parametrize("text", ["AAA", "A A=", "A-_A", "\u00e9", None, 5, ["AAAA"]])
def test_what_is_no_base64_is_no_snapshot(text: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of whichever wording
        snapshot_from_text(text)
