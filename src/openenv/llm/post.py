"""One HTTP POST and its answer, on the loop of the caller, so that giving up takes the connection with it.

It follows no redirect, keeps no connection and uses no proxy. Time is the caller's business.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from openenv.errors import ConfigurationError

__all__ = ["Answer", "PostFailed", "Target", "post", "target_of"]

MAX_ANSWER_BYTES = 8 * 1024 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CHUNK = 65536


class PostFailed(Exception):
    """There was no whole answer: the network failed, or what came is no HTTP. Who posts makes it an error of his."""


class Target(NamedTuple):
    """Where to post.

    Attributes:
        query: With its question mark, or empty. It may hold a secret.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str

    def below(self, path: str) -> "Target":
        """Give the target at `path` below this one."""
        return self._replace(path=f"{self.path.rstrip('/')}/{path}")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    body: bytes
    retry_after: str | None


def target_of(endpoint: str, port: int | None) -> Target:
    """Take an address apart.

    Args:
        endpoint: Such as `https://models.example` or `http://localhost:8000/v1`; its path is `/v1` unless it has one.
        port: Where the address names none; None for that of its scheme.

    Raises:
        ConfigurationError: It is no address of HTTP, or has a user name or password in it.
    """
    try:
        parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
        named = parts.port
    except ValueError:  # its text is not repeated: it may quote a password
        raise ConfigurationError("the endpoint is no address; write one like https://models.example") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("the endpoint has a user name or password in it; pass the secret as api_key")
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConfigurationError(f"the endpoint is of scheme {parts.scheme!r}; write one like https://models.example")
    if not (endpoint.isascii() and endpoint.isprintable()) or " " in endpoint:
        raise ConfigurationError("the endpoint has characters that no address has; write them percent-encoded")
    number = named or port or _DEFAULT_PORTS[parts.scheme]
    if not 0 < number < 65536:
        raise ConfigurationError(f"the endpoint's port is {number}; it must be between 1 and 65535")
    path = parts.path.rstrip("/") or "/v1"
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme, parts.hostname, number, path, query)


async def post(target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
    """Send `body` and give the answer, whatever its status.

    Raises:
        PostFailed: There was no whole answer.
    """
    context = ssl.create_default_context() if target.scheme == "https" else None
    try:
        reader, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    except (OSError, UnicodeError) as error:  # an ssl.SSLError is an OSError; a host may be too long to be encoded
        raise PostFailed(f"no connection: {error}") from error
    try:
        writer.write(_head(target, headers, len(body)) + body)
        await writer.drain()
        return await _answer(reader)
    except OSError as error:
        raise PostFailed(f"the connection was lost: {error}") from error
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):  # which says how it was lost
            await writer.wait_closed()


def _head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    fixed = {
        "Host": target.authority,
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Accept": "application/json",
        "Connection": "close",
    }
    lines = [f"POST {target.path}{target.query} HTTP/1.1", *(f"{k}: {v}" for k, v in {**fixed, **headers}.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


async def _answer(reader: asyncio.StreamReader) -> Answer:
    building = _Building()
    received = 0
    while data := await reader.read(_CHUNK):
        received += len(data)
        if received > MAX_ANSWER_BYTES:
            raise PostFailed(f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        try:
            building.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not building.is_complete:  # what follows an answer is nobody's business
                raise PostFailed(f"the answer is no HTTP: {error}") from error
        if building.is_complete:
            return building.answer()
    if building.ends_with_connection:
        return building.answer()
    raise PostFailed("the connection ended before the answer did")


class _Building:
    """Takes what the parser finds, up to the end of the first answer that does not announce another."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.is_complete = False
        self.ends_with_connection = False
        self._status = 0
        self._body = bytearray()
        self._retry_after: str | None = None
        self._has_length = False

    def answer(self) -> Answer:
        return Answer(self._status, bytes(self._body), self._retry_after)

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"retry-after":
                self._retry_after = value.decode("latin-1").strip()
            case b"content-length" | b"transfer-encoding":
                self._has_length = True

    def on_headers_complete(self) -> None:
        self._status = self.parser.get_status_code()
        self.ends_with_connection = self._is_final and not self._has_length

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self.is_complete = self._is_final

    @property
    def _is_final(self) -> bool:
        return self._status >= 200
