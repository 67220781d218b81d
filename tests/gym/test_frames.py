"""Frames travel to the pixel, text as it is, and what is no frame of ours is refused."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from openenv.errors import PeerError
from openenv.gym.frames import frame_from_html, frame_to_html, frames_from_html, png_from_array, png_to_array


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (5, 7, 3), (3, 2, 4), (400, 600, 3)])
def test_picture_that_travelled_is_the_same(shape: tuple[int, ...]) -> None:
    frame = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    html = frame_to_html(frame, 'a "name" & <more>')
    assert html is not None
    arrived = frame_from_html(html)
    assert isinstance(arrived, np.ndarray)
    assert np.array_equal(arrived, frame)
    assert arrived.flags.writeable


def test_one_channel_is_a_grey_picture() -> None:
    assert png_to_array(png_from_array(np.zeros((2, 3, 1), np.uint8))).shape == (2, 3)


def test_picture_is_a_png_by_the_book() -> None:
    png = png_from_array(np.zeros((2, 3, 3), np.uint8))
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, names = 8, []
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        name, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(name + data),)
        names.append(name)
        at += 12 + length
    assert names == [b"IHDR", b"IDAT", b"IEND"]


def test_text_is_shown_inert_and_arrives_as_it_was() -> None:
    html = frame_to_html("a <b>\n& c</pre>", "x")
    assert html == "<pre>a &lt;b&gt;\n&amp; c&lt;/pre&gt;</pre>"
    assert frame_from_html(html) == "a <b>\n& c</pre>"


@pytest.mark.parametrize("frame", [None, 3, [], np.zeros(3, np.uint8), np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2)),
                                   np.zeros((0, 2, 3), np.uint8)])  # fmt: skip
def test_what_is_no_frame_is_not_shown(frame: Any) -> None:
    assert frame_to_html(frame, "x") is None


def crafted(header: bytes, body: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + b"\0\0\0\0"

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)


@pytest.mark.parametrize(
    "png",
    [
        b"",
        b"GIF89a" + bytes(60),
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
        crafted(struct.pack(">IIBBBBB", 2**31, 2**31, 8, 2, 0, 0, 0), zlib.compress(b"")),
        crafted(struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), zlib.compress(bytes(7))),
        crafted(struct.pack(">IIBBBBB", 1, 1, 8, 3, 0, 0, 0), zlib.compress(bytes(2))),
        crafted(struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(bytes(2))),
        crafted(struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), b"no zlib"),
        crafted(struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(b"\x01abc")),
    ],
)
def test_picture_of_a_hostile_server_is_refused(png: bytes) -> None:
    with pytest.raises(PeerError, match="is no picture of ours"):
        frame_from_html(f'<img alt="x" src="data:image/png;base64,{base64.b64encode(png).decode() or "===="}">')


def test_bomb_is_not_unpacked_further_than_its_header_says() -> None:
    bomb = crafted(struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(bytes(10**7)))
    assert png_to_array(bomb).shape == (1, 1, 3)


def test_other_html_is_no_frame() -> None:
    with pytest.raises(PeerError, match="shows something else"):
        frame_from_html("<p>hello</p>")


def test_frames_of_several_environments_arrive_apart() -> None:
    frames: list[Any] = ["a <b>\n</pre><pre>", np.zeros((2, 3), np.uint8), "", np.ones((1, 1, 3), np.uint8)]
    shown = "".join(str(frame_to_html(frame, f"bird > {index}")) for index, frame in enumerate(frames))
    arrived = frames_from_html(shown, 4)
    assert all(np.array_equal(one, other) for one, other in zip(arrived, frames, strict=True))


@pytest.mark.parametrize("shown", ["", "<pre>a</pre>", "<pre>a</pre>x<pre>b</pre>", "<pre>a</pre>" * 3, "<pre>" * 2])
def test_frames_that_are_not_as_many_as_environments_are_refused(shown: str) -> None:
    with pytest.raises(PeerError, match="of 2 environments"):
        frames_from_html(shown, 2)


def test_one_frame_of_several_that_is_no_picture_is_refused() -> None:
    with pytest.raises(PeerError, match="something else"):
        frames_from_html('<pre>a</pre><img alt="b" src="http://elsewhere/x.png">', 2)
