"""Arrays are described and restored; what `tests/protocol/test_frames.py` says of frames holds by these."""

import subprocess
import sys

import numpy
import pytest

from openenv.protocol.arrays import ArrayReader, ArrayWriter, to_lists


def test_arrays_lie_behind_one_another() -> None:
    writer = ArrayWriter()
    assert writer.describe(numpy.ones((2, 3), dtype="<f4")) == {"$array": ["<f4", (2, 3), 0]}
    assert writer.describe(numpy.ones(5, dtype="u1")) == {"$array": ["|u1", (5,), 24]}
    assert [len(bytes(buffer)) for buffer in writer.buffers] == [24, 5]


def test_text_in_arrays_is_a_list() -> None:
    assert ArrayWriter().describe(numpy.array(["a", "b"])) == ["a", "b"]


def test_what_has_no_form_in_json_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="a object has no form in JSON"):
        to_lists(object())


def test_an_array_is_restored_wherever_it_stands() -> None:
    reader = ArrayReader(memoryview(b"\1\2"), 100, arrays=False)
    described = {"$array": ["|u1", [1], 0]}
    assert reader.restore([described, {"a": [{"$array": ["|u1", [], 1]}]}, 3]) == [[1], {"a": [2]}, 3]


def test_numpy_is_loaded_only_to_make_arrays() -> None:
    program = """
import sys
from openenv.protocol.frames import pack_reply, unpack
frame = len(b'{"a":{"$array":["|u1",[2],0]}}').to_bytes(4, "big") + b'{"a":{"$array":["|u1",[2],0]}}' + bytes(2)
assert unpack(frame, arrays=False) == {"a": [0, 0]}
assert "numpy" not in sys.modules
sys.modules["numpy"] = None
assert unpack(frame, arrays=True) == {"a": [0, 0]}
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("shape", [[2.5], "2", None, [-2], [2, None]])
def test_a_description_after_a_good_one_is_looked_at_as_well(shape: object) -> None:
    reader = ArrayReader(memoryview(b"\1\2\3\4"), 100, arrays=True)
    with pytest.raises(ValueError, match="an array is described by"):
        reader.restore([{"$array": ["|u1", [2], 0]}, {"$array": ["|u1", shape, 2]}])
