"""Where a server is and how patiently it is talked to: the values a client is made with, checked once."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

from websockets.exceptions import InvalidURI
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from openenv.errors import ConfigurationError
from openenv.protocol import RESUME_HEADER, SUBPROTOCOL

__all__ = ["SUBPROTOCOLS", "Endpoint", "listed", "login", "shown", "socket_url"]

SUBPROTOCOLS = [Subprotocol(SUBPROTOCOL), Subprotocol("openenv.v1")]
"""The dialects that a client offers; a server that selects none speaks dialect 1."""

_LOGIN = re.compile(r"(?<=://)[^/@]*@")
_PASSWORD = re.compile(r"(?<=:)[^/@]+(?=@)")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[^\0-\x08\n-\x1f\x7f]*")
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server's socket and the limits of talking to it. Times are seconds; None means no limit.

    Raises:
        ConfigurationError: A header is none. Its value is not said, since it may be a token.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    connect_timeout_s: float | None = 10.0
    message_timeout_s: float | None = 60.0
    max_message_bytes: int | None = None
    ping_interval_s: float | None = 20.0
    ping_timeout_s: float | None = 20.0
    arrays: bool = False
    """Whether NumPy's arrays travel as they are, to servers that can."""
    died: Callable[[], str | None] | None = None
    """For a server that the client owns: asks how it came to its end; None while it lives."""
    start: Callable[[], str] | None = None
    """For a server that the client owns and that need not be up yet: starts it unless it runs, and says where it is."""

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ConfigurationError(f"{name!r} is no name of a header")
            if not _HEADER_VALUE.fullmatch(value):
                raise ConfigurationError(f"the header {name} has characters that none can have, a line break perhaps")

    @property
    def shown(self) -> str:
        """The URL as errors say it."""
        return shown(self.url)

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, so that no proxy is asked."""
        host = urlsplit(self.url).hostname or ""
        return host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.") or host.endswith(".localhost")

    def located(self) -> Self:
        """Give the values with the server's address, starting it if need be.

        Raises:
            ConfigurationError: Nobody has said where the server is.
        """
        if self.start is not None:
            return replace(self, url=socket_url(self.start()))
        if not self.url:
            raise ConfigurationError("this client has no base_url, and no provider: its __init__ was not called")
        return self

    def resuming(self, resume: str, limit_s: float) -> Self:
        """Give the values for another connection of a link, which is to be made within `limit_s`."""
        limit = limit_s if self.connect_timeout_s is None else min(limit_s, self.connect_timeout_s)
        return replace(self, headers={**self.headers, RESUME_HEADER: resume}, connect_timeout_s=limit)


def listed(header: str) -> frozenset[str]:
    """Read the names in a header that is a list."""
    return frozenset(name.strip() for name in header.split(",") if name.strip())


def login(url: str) -> dict[str, str]:
    """Make the header that says the name and the password in a URL; none where there are none."""
    user = urlsplit(url).netloc.rpartition("@")[0]
    return {"Authorization": f"Basic {b64encode(unquote(user).encode()).decode()}"} if user else {}


def shown(url: str) -> str:
    """Leave out of an address what may be secret: the name, the password and the query."""
    return _LOGIN.sub("", url).partition("?")[0]


def socket_url(base_url: str) -> str:
    """Make the address of `/ws` from what people write: `http://host:8000`, `host:8000`, with or without a path.

    Raises:
        ConfigurationError: It is no address of a web server.
    """
    text = base_url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"ws://{text}")
        path = parts.path.rstrip("/")
        path = path if path.endswith("/ws") else f"{path}/ws"
        url = urlunsplit((_SCHEMES.get(parts.scheme, ""), parts.netloc, path, parts.query, ""))
        parse_uri(url)
        usable = parts.port != 0
    except (InvalidURI, ValueError):  # brackets, port or user name; or no scheme or host
        usable = False
    if not usable:
        raise ConfigurationError(
            f"base_url={_PASSWORD.sub('...', base_url)!r} is no address of a server; write it like http://localhost:8000"
        )
    return url
