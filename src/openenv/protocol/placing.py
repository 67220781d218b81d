"""Arrays of observations that are JSON text already: where their numbers go in the frame that carries them.

The text has `{"$array":[dtype,shape,which]}` where an array was; beside it are the buffers, by their place in a list.
In a frame the third is an offset. The first arrays of all observations come first, then the second ones, and so on, so
that those of a batch lie side by side: who reads it may see each as one array, whose first axis is the lane.
"""

import re
from collections.abc import Sequence
from itertools import zip_longest

import orjson

from openenv.protocol.arrays import ARRAY_KEY, read_buffer, size_of

__all__ = ["check_places", "place", "spell_out"]

_MARK = f'"{ARRAY_KEY}"'.encode()
_PLACE = re.compile(rb'\{"%s":\[("[^"]+"),(\[[\d,]*\]),(\d+)\]\}' % re.escape(ARRAY_KEY).encode())


def check_places(text: bytes, arrays: Sequence[bytes]) -> None:
    """Raise ValueError unless a text, which may come from anybody, describes each of these buffers once and truly."""
    sizes = {
        int(which): size_of(orjson.loads(kind), orjson.loads(shape)) for kind, shape, which in _PLACE.findall(text)
    }
    if text.count(_MARK) != len(arrays) or sizes != dict(enumerate(map(len, arrays))):
        raise ValueError("the arrays are not those that the text describes")


def place(texts: Sequence[bytes], arrays: Sequence[Sequence[bytes]]) -> tuple[list[bytes], list[bytes]]:
    """Give the texts with the offsets of their arrays, and the buffers in the order of these."""
    buffers: list[bytes] = []
    offsets: list[list[int]] = [[] for _ in texts]
    end = 0
    for each in zip_longest(*arrays):
        for known, buffer in zip(offsets, each, strict=True):
            if buffer is not None:
                known.append(end)
                buffers.append(buffer)
                end += len(buffer)
    return [_placed(text, known) if known else text for text, known in zip(texts, offsets, strict=True)], buffers


def spell_out(text: bytes, arrays: Sequence[bytes]) -> bytes:
    """Put lists where the arrays were."""
    return _PLACE.sub(
        lambda found: orjson.dumps(read_buffer(arrays[int(found[3])], orjson.loads(found[1]), orjson.loads(found[2]))),
        text,
    )


def _placed(text: bytes, offsets: Sequence[int]) -> bytes:
    def shifted(found: re.Match[bytes]) -> bytes:
        return b'{"%b":[%b,%b,%d]}' % (ARRAY_KEY.encode(), found[1], found[2], offsets[int(found[3])])

    return _PLACE.sub(shifted, text)
