"""`openenv.protocol.placing`: where the numbers of arrays go in a frame."""

import json

import pytest

from openenv.protocol.placing import check_places, place, spell_out


def text(*arrays: tuple[str, list[int], int]) -> bytes:
    return json.dumps({"seen": [{"$array": each} for each in arrays]}, separators=(",", ":")).encode()


def offsets(placed: bytes) -> list[int]:
    return [each["$array"][2] for each in json.loads(placed)["seen"]]


def test_arrays_of_a_batch_lie_side_by_side_field_by_field() -> None:
    lane = text(("|u1", [2], 0), ("<f4", [1], 1))
    texts, buffers = place([lane, lane, lane], [[b"aa", b"ffff"], [b"bb", b"gggg"], [b"cc", b"hhhh"]])
    assert b"".join(buffers) == b"aabbccffffgggghhhh"
    assert [offsets(each) for each in texts] == [[0, 6], [2, 10], [4, 14]]


def test_texts_without_arrays_and_with_fewer_are_placed_too() -> None:
    texts, buffers = place(
        [b'{"a":1}', text(("|u1", [1], 0)), text(("|u1", [1], 0), ("|u1", [3], 1))], [[], [b"a"], [b"b", b"ccc"]]
    )
    assert (texts[0], b"".join(buffers)) == (b'{"a":1}', b"abccc")
    assert [offsets(each) for each in texts[1:]] == [[0], [1, 2]]


def test_text_may_name_its_arrays_in_any_order() -> None:
    (placed,), buffers = place([text(("|u1", [2], 1), ("|u1", [1], 0))], [[b"a", b"bb"]])
    assert offsets(placed) == [1, 0]
    assert buffers == [b"a", b"bb"]


def test_spelling_out_gives_lists() -> None:
    told = json.loads(spell_out(text(("<i2", [2, 1], 0), ("|b1", [1], 1)), [b"\1\0\2\0", b"\1"]))
    assert told == {"seen": [[[1], [2]], [True]]}


def test_text_must_describe_each_buffer_once_and_truly() -> None:
    check_places(b'{"a":1}', [])
    check_places(text(("|u1", [2], 1), ("<f4", [0, 3], 0)), [b"", b"aa"])
    for lie, buffers in [
        (text(), [b"a"]),
        (text(("|u1", [1], 0)), []),
        (text(("|u1", [2], 0)), [b"a"]),
        (text(("|u1", [1], 1)), [b"a"]),
        (text(("|u1", [1], 0), ("|u1", [1], 0)), [b"a"]),
        (text(("<c8", [1], 0)), [b"aaaaaaaa"]),
        (b'{"a":{"$array":["|u1",[1],0,0]}}', [b"a"]),
    ]:
        with pytest.raises(ValueError, match="array"):
            check_places(lie, buffers)
