"""An environment that answers with pictures and arrays. The PNG is written by hand, so no picture library is needed."""

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

from pydantic import Field

from openenv import Observation
from tests.support.echo import EchoAction, EchoEnvironment

__all__ = ["Gallery", "GalleryObservation", "png"]


class GalleryObservation(Observation):
    """Holds a picture in every form there is."""

    poster: str = Field(default="", description="A data URL.")
    stamp: str = Field(default="", json_schema_extra={"contentEncoding": "base64", "contentMediaType": "image/png"})
    curve: list[float] = Field(default=[])
    heat: list[list[float]] = Field(default=[])
    frame: list[list[list[int]]] = Field(default=[])


class Gallery(EchoEnvironment):
    """Answers with pictures."""

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Any:
        super().reset(seed, episode_id)
        return self._show(reward=0.0)

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> Any:
        self._state.step_count += 1
        return self._show(reward=0.5)

    def _show(self, reward: float) -> GalleryObservation:
        picture = png(48, 32, lambda x, y: (x * 5, y * 8, 128))
        return GalleryObservation(
            poster=f"data:image/png;base64,{picture}",
            stamp=picture,
            curve=[(x - 20) ** 2 / 100 for x in range(41)],
            heat=[[x * y / 10 for x in range(12)] for y in range(8)],
            frame=[[[x * 16, y * 16, 90] for x in range(16)] for y in range(16)],
            reward=reward,
        )


def png(width: int, height: int, colour: Callable[[int, int], tuple[int, int, int]]) -> str:
    """Paint a picture and give it as base64; `colour` says red, green and blue at a place."""
    rows = b"".join(b"\0" + bytes(part for x in range(width) for part in colour(x, y)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    whole = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    return base64.b64encode(whole).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
