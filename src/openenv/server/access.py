"""Who may call: the Host and Origin rules, bearer tokens, and the content type of bodies. One ASGI middleware.

A page on another site must not drive an environment on this machine. So a connection that arrives on a loopback address
must name a loopback Host, or an allowed one (DNS rebinding); an Origin, when there is one, must be the Host's or an
allowed one; and a body must say that it is JSON, which a plain form cannot. Behind a proxy, where connections arrive on
other addresses, only the Origin rule holds. `/health` is exempt from all of it, and the page at `/web` from the token:
a browser asks for it before anybody could say one.

A page cannot give its WebSocket a header. It says the token in a subprotocol, `openenv.bearer.` and the token in
base64url, beside the subprotocol that it means, which is the one that the server selects.
"""

import asyncio
import base64
import binascii
import enum
import hmac
import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from openenv.errors import BadRequest, Refused, RemoteFault
from openenv.protocol import SUBPROTOCOL, rule_of
from openenv.server.config import ServerConfig

__all__ = [
    "GRADIO_PATH",
    "AccessControl",
    "Scope",
    "check",
    "gradio_pass",
    "handshake_subprotocol",
    "host_name",
    "scope_of",
]

GRADIO_PATH = "/web/gradio"
"""Where an environment's own UI is. A browser that shows it in a frame can say no token, but a cookie."""

_SCOPE_KEY = "openenv.scope"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_LINGER_S = 1.0
_SUBPROTOCOLS = (SUBPROTOCOL, "openenv.v1")
_BEARER_SUBPROTOCOL = "openenv.bearer."
_COOKIE = "openenv_gradio"
_OPEN = frozenset({"/", "/web", "/web/", "/web/frame"})
_OPEN_FILES = "/web/static/"


class Scope(enum.Enum):
    """What a caller may do."""

    ORCHESTRATOR = "orchestrator"
    """Everything."""
    AGENT = "agent"
    """Step, and nothing else."""


class AccessControl:
    """ASGI middleware that lets through what the rules allow and answers the rest itself."""

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self._app = app
        self._config = config

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Check one request or handshake."""
        if scope["type"] in ("http", "websocket") and _path(scope) != "/health":
            headers = Headers(scope=scope)
            try:
                scope[_SCOPE_KEY] = check(scope, headers, self._config)
            except RemoteFault as error:
                await _refuse(scope["type"], error, receive, send)
                return
        await self._app(scope, receive, send)


def scope_of(scope: AsgiScope) -> Scope:
    """What the caller of a request that was let through may do."""
    found: Scope = scope.get(_SCOPE_KEY, Scope.ORCHESTRATOR)
    return found


def check(scope: AsgiScope, headers: Headers, config: ServerConfig) -> Scope:
    """Apply the rules to one request.

    Raises:
        Refused: Its Host, Origin or token is wrong.
        BadRequest: Its body is not declared as JSON.
    """
    host = headers.get("host", "")
    server = scope.get("server") or ("", None)
    if _is_loopback(server[0]) and not _is_loopback(host_name(host)) and not _allowed(host, config.allowed_hosts):
        raise _refusal(f"Host {host!r} is not this machine; allow it with OPENENV_ALLOWED_HOSTS or --allow-host.")
    origin = headers.get("origin")
    path = _path(scope)
    is_file = path.startswith(_OPEN_FILES)  # the sandboxed frame at /web/frame asks for its script as origin "null"
    if origin is not None and not is_file and not _is_own(origin, host) and not _allowed_origin(origin, config):
        raise _refusal(f"Origin {origin!r} may not call this server; allow it with OPENENV_ALLOWED_ORIGINS.")
    is_gradio = path.startswith(f"{GRADIO_PATH}/") and scope["type"] == "http"
    is_upload = is_gradio and origin is not None  # a file, from a page that may call
    if scope["type"] == "http" and scope["method"] in _WITH_BODY and _has_body(headers) and not is_upload:
        _check_json(headers, is_rpc=path == "/mcp" and origin is None)
    if scope["type"] == "http" and (path in _OPEN or is_file):
        return Scope.AGENT
    if is_gradio and config.token is not None and _has_pass(headers, config.token):
        return Scope.ORCHESTRATOR
    return _authorise(_bearer(scope, headers), config)


def gradio_pass(scope: AsgiScope, token: str | None) -> str | None:
    """Make the cookie that opens `/web/gradio` to a caller who has said the token; None when none is needed or due."""
    return f"{_COOKIE}={_pass_of(token)}" if token is not None and scope_of(scope) is Scope.ORCHESTRATOR else None


def handshake_subprotocol(offered: Sequence[str]) -> str | None:
    """Select one of the subprotocols that a client offers; None when it offers none that we speak."""
    return next((known for known in _SUBPROTOCOLS if known in offered), None)


def host_name(host: str) -> str:
    """Take the port off a Host header: `localhost:8000` is `localhost`, `[::1]:8000` is `::1`."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # unbalanced brackets
        return ""


def _path(scope: AsgiScope) -> str:
    """The path as our routes see it, without the prefix under which a proxy or another app shows us."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _bearer(scope: AsgiScope, headers: Headers) -> bytes:
    """Find the token that was sent, as bytes; empty when there is none."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip().encode("latin-1")  # the bytes that were sent
    if scope["type"] == "websocket":
        for offered in ",".join(headers.getlist("sec-websocket-protocol")).split(","):
            if (name := offered.strip()).startswith(_BEARER_SUBPROTOCOL):
                return _from_base64url(name.removeprefix(_BEARER_SUBPROTOCOL))
    return b""


def _has_pass(headers: Headers, token: str) -> bool:
    given = cookie_parser(headers.get("cookie", "")).get(_COOKIE, "")
    return hmac.compare_digest(given.encode("latin-1"), _pass_of(token).encode())


def _pass_of(token: str) -> str:
    """Derive from the token what is not the token, so that no cookie holds it."""
    return hmac.digest(token.encode(), b"openenv gradio", "sha256").hex()


def _from_base64url(text: str) -> bytes:
    raw = text.encode("latin-1")
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return raw  # some token, and not ours


def _authorise(secret: bytes, config: ServerConfig) -> Scope:
    if config.token is None and config.agent_token is None:
        return Scope.ORCHESTRATOR
    for token, scope in ((config.token, Scope.ORCHESTRATOR), (config.agent_token, Scope.AGENT)):
        if token is not None and hmac.compare_digest(secret, token.encode()):
            return scope
    said = "is wrong" if secret else "is missing"
    raise Refused("UNAUTHORIZED", f"The bearer token {said}; send it as 'Authorization: Bearer TOKEN'.")


def _is_loopback(address: str) -> bool:
    if address == "localhost" or address.endswith(".localhost"):
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None  # how a server on `::` sees IPv4
    return (mapped or ip).is_loopback


def _is_own(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # unbalanced brackets
        return False


def _allowed(host: str, allowed: frozenset[str]) -> bool:
    return host.lower() in allowed or host_name(host) in allowed


def _allowed_origin(origin: str, config: ServerConfig) -> bool:
    return origin.lower() in config.allowed_origins or "*" in config.allowed_origins


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _check_json(headers: Headers, *, is_rpc: bool) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json") and not is_rpc:
        raise BadRequest(
            "UNSUPPORTED_MEDIA_TYPE", f"Content-Type is {kind!r}; send JSON with 'Content-Type: application/json'."
        )


def _refusal(sentence: str) -> Refused:
    return Refused("FORBIDDEN", sentence)


async def _refuse(kind: str, error: RemoteFault, receive: Receive, send: Send) -> None:
    """Answer in place of the app; a handshake gets a plain HTTP answer, with the reason in its body."""
    prefix = "websocket.http.response" if kind == "websocket" else "http.response"
    status = rule_of(error.code).http_status
    body = orjson.dumps({"detail": error.message, "code": error.code})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if kind == "websocket":
        await receive()  # the handshake's own event comes first
    await send({"type": f"{prefix}.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})
    if kind == "websocket":
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    """Wait until a refused handshake's connection is gone; uvicorn logs an error if we return before that."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            for _ in ("answered", "closed"):
                await receive()
