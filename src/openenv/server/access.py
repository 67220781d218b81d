"""Who may call: the Host and Origin rules, bearer tokens, and the content type of bodies. One ASGI middleware.

A page on another site must not drive an environment on this machine. So a connection that arrives on a loopback address
must name a loopback Host, or an allowed one (DNS rebinding); an Origin, when there is one, must be the Host's or an
allowed one; and a body must say that it is JSON, which a plain form cannot. Behind a proxy, where connections arrive on
other addresses, only the Origin rule holds. `/health` is exempt from all of it.
"""

import asyncio
import enum
import hmac
import ipaddress
from contextlib import suppress
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from openenv.errors import BadRequest, Refused, RemoteFault
from openenv.protocol import rule_of
from openenv.server.config import ServerConfig

__all__ = ["AccessControl", "Scope", "check", "host_name", "scope_of"]

_SCOPE_KEY = "openenv.scope"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_LINGER_S = 1.0


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
    if origin is not None and not _is_own(origin, host) and not _allowed_origin(origin, config):
        raise _refusal(f"Origin {origin!r} may not call this server; allow it with OPENENV_ALLOWED_ORIGINS.")
    if scope["type"] == "http" and scope["method"] in _WITH_BODY and _has_body(headers):
        _check_json(headers, is_rpc=_path(scope) == "/mcp" and origin is None)
    return _authorise(headers.get("authorization", ""), config)


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


def _authorise(authorization: str, config: ServerConfig) -> Scope:
    if config.token is None and config.agent_token is None:
        return Scope.ORCHESTRATOR
    kind, _, given = authorization.partition(" ")
    secret = given.strip().encode("latin-1") if kind.lower() == "bearer" else b""  # the bytes that were sent
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
