"""The handshake of a link: which dialect, which link, and from where both sides go on.

The link's name is a secret: whoever has it has the sessions. It is kept out of every error text.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import orjson

from openenv.errors import PeerError
from openenv.protocol.dialect1 import is_duration
from openenv.protocol.frames import unpack
from openenv.protocol.link_fields import is_count
from openenv.protocol.link_messages import LinkLimits, Welcome
from openenv.protocol.messages import Json

__all__ = ["RESUME_HEADER", "SUBPROTOCOL", "decode_welcome", "encode_welcome", "read_resume", "resume_header"]

SUBPROTOCOL = "openenv.v2"
"""What a client offers, and a server picks, for this dialect. Dialect 1 is spoken when it is not picked."""
RESUME_HEADER = "x-openenv-resume"
"""Handshake header by which a client asks for the link it had."""

_RESUME = re.compile(r"([!-:<-~]{1,200});(\d{1,15})", re.ASCII)
_LIMITS = tuple(limit.name for limit in fields(LinkLimits))


def resume_header(link: str, received: int) -> str:
    """Make the value of `RESUME_HEADER`: which link, and how many of its frames have arrived."""
    return f"{link};{received}"


def read_resume(header: str) -> tuple[str, int] | None:
    """Read the value of `RESUME_HEADER`; None when it makes no sense, and a new link is due."""
    found = _RESUME.fullmatch(header.strip())
    return (found[1], int(found[2])) if found else None


def encode_welcome(welcome: Welcome) -> bytes:
    """Make the first frame of a socket; it is text."""
    data = {
        "link": welcome.link,
        "resumed": welcome.resumed,
        "received": welcome.received,
        "grace_s": welcome.grace_s,
        **{f"max_{name}": getattr(welcome.limits, name) for name in _LIMITS},
        "extensions": welcome.extensions,
    }
    return orjson.dumps({"type": "welcome", "data": data})


def decode_welcome(frame: str | bytes) -> Welcome:
    """Read the first frame of a socket. Raises PeerError when it is another."""
    try:
        message = unpack(frame, arrays=False)
    except ValueError as error:
        raise PeerError(f"the server sent something else than a welcome: {error}") from error
    match message:
        case {"type": "welcome", "data": {"link": str(link), "resumed": bool(resumed), "received": received, **rest}}:
            welcome = _read_welcome(link, resumed, received, rest)
        case _:
            welcome = None
    if welcome is None:
        raise PeerError("the server sent another frame in place of its welcome, or a welcome that makes no sense")
    return welcome


def _read_welcome(link: str, resumed: bool, received: Json, rest: Mapping[Any, Json]) -> Welcome | None:
    limits = {name: rest[f"max_{name}"] for name in _LIMITS if f"max_{name}" in rest}
    grace_s, extensions = rest.get("grace_s", 0), rest.get("extensions", [])
    makes_sense = (
        read_resume(resume_header(link, 0)) is not None
        and all(map(is_count, [received, *limits.values()]))
        and (grace_s == 0 or is_duration(grace_s))
        and isinstance(extensions, list)
    )
    if not makes_sense:
        return None
    known = tuple(name for name in extensions if isinstance(name, str))
    return Welcome(link, resumed, received, float(grace_s), LinkLimits(**limits), known)
