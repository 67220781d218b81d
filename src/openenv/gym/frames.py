"""Rendered frames on their way: a picture to PNG and back, and what a page shows of it.

PNG is written with the standard library alone. Only what is written here is read here: 8 bits a channel, no filter, no
interlacing. That keeps every pixel as it was.
"""

import base64
import binascii
import html
import re
import struct
import zlib
from typing import Any

import numpy as np

from openenv.errors import PeerError

__all__ = ["frame_from_html", "frame_to_html", "frames_from_html", "png_from_array", "png_to_array"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> PNG's grey, RGB, RGBA
_CHANNELS = {kind: channels for channels, kind in _COLOUR_TYPES.items()}
_HEADER = struct.Struct(">IIBBBBB")
_MAX_PIXELS = 2**26
_QUICK = 1
"""zlib's level: a frame is looked at once."""

_IMAGE = re.compile(r'<img alt="[^"]*" src="data:image/png;base64,([A-Za-z0-9+/=]+)">')
_TEXT = re.compile(r"<pre>(.*)</pre>", re.DOTALL)
_FRAMES = re.compile(r'<img alt="[^"]*" src="[^"]*">|<pre>.*?</pre>', re.DOTALL)


def frame_to_html(frame: object, caption: str) -> str | None:
    """Show what `render()` gave: a picture as an image, text as it is; None for what a page cannot show."""
    if isinstance(frame, str):
        return f"<pre>{html.escape(frame)}</pre>"
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or not _is_picture(frame):
        return None
    data = base64.b64encode(png_from_array(frame)).decode()
    return f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'


def frame_from_html(shown: str) -> np.ndarray[Any, Any] | str:
    """Take the frame out of what `frame_to_html` made.

    Raises:
        PeerError: There is none in it.
    """
    if (image := _IMAGE.fullmatch(shown)) is not None:
        try:
            return png_to_array(base64.b64decode(image[1], validate=True))
        except (binascii.Error, struct.error, ValueError, zlib.error) as error:
            raise PeerError(f"the server's frame is no picture of ours: {error}") from error
    if (text := _TEXT.fullmatch(shown)) is not None:
        return html.unescape(text[1])
    raise PeerError("the server shows something else than a frame of a Gymnasium environment")


def frames_from_html(shown: str, count: int) -> tuple[np.ndarray[Any, Any] | str, ...]:
    """Take the frames out of what `frame_to_html` made for each of several environments.

    Raises:
        PeerError: There are not that many, or one is none.
    """
    found = _FRAMES.findall(shown)
    if len(found) != count or "".join(found) != shown:
        raise PeerError(f"the server shows {len(found)} frames, or more than those, of {count} environments")
    return tuple(map(frame_from_html, found))


def png_from_array(pixels: np.ndarray[Any, Any]) -> bytes:
    """Write pixels of shape (height, width) or (height, width, 1, 3 or 4)."""
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), dtype=np.uint8)  # each led by its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, width * channels)
    header = _HEADER.pack(width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    body = zlib.compress(rows.tobytes(), _QUICK)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def png_to_array(png: bytes) -> np.ndarray[Any, Any]:
    """Read pixels, of shape (height, width), or (height, width, channels) where there are colours.

    Raises:
        ValueError: It is no PNG as `png_from_array` writes it.
    """
    if not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR":
        raise ValueError("it does not begin as a PNG does")
    width, height, depth, kind, *methods = _HEADER.unpack_from(png, 16)
    if depth != 8 or kind not in _CHANNELS or any(methods) or width * height > _MAX_PIXELS:
        raise ValueError(f"a PNG of {width}x{height}, depth {depth} and type {kind} is not read")
    (length,) = struct.unpack_from(">I", png, 33)
    channels = _CHANNELS[kind]
    size = height * (1 + width * channels)
    unpacking = zlib.decompressobj()
    raw = unpacking.decompress(png[41 : 41 + length], size)
    if png[37:41] != b"IDAT" or len(raw) != size:
        raise ValueError("its pixels are not complete")
    rows = np.frombuffer(raw, dtype=np.uint8).reshape(height, 1 + width * channels)
    if rows[:, 0].any():
        raise ValueError("its rows are filtered")
    shape = (height, width) if channels == 1 else (height, width, channels)
    return rows[:, 1:].reshape(shape).copy()


def _is_picture(frame: np.ndarray[Any, Any]) -> bool:
    return frame.size > 0 and (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] in _COLOUR_TYPES))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
