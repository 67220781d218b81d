"""The page at `/web`, its files, and `/`, which leads there. A path prefix that a proxy puts before them is kept.

The page and its files hold no secrets, so they need no token; what they show, they ask the other routes for.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from openenv.server.sessions import SessionTable

__all__ = ["frame_ancestors", "page_routes"]

_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
_PAGE, _FRAME = "index.html", "frame.html"
_HOST = re.compile(r"[\w.:\[\]-]+", re.ASCII)


@dataclass(frozen=True)
class _Asset:
    """One file of the page."""

    content: bytes
    media_type: str
    etag: str


def page_routes(table: SessionTable) -> APIRouter:
    """Build the router of the page."""
    router = APIRouter(include_in_schema=False)
    ancestors = frame_ancestors(table.config.frame_ancestors)
    frame_policy = (
        "sandbox allow-scripts; default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri 'none'; form-action 'none'; {ancestors}"
    )

    @router.get("/web")
    async def web(request: Request) -> Response:
        return _answer(request, _PAGE, f"{_page_policy(request)}; {ancestors}")

    @router.get("/web/frame")
    async def frame(request: Request) -> Response:
        return _answer(request, _FRAME, frame_policy)

    @router.get("/web/static/{path:path}")
    async def static(request: Request, path: str) -> Response:
        if path in (_PAGE, _FRAME):  # they make sense at their own addresses only
            raise HTTPException(404)
        return _answer(request, path, "default-src 'none'; sandbox")

    @router.get("/web/sessions")
    async def sessions() -> Response:
        counts = {"active": table.active, "max": table.limit, "waiting": table.waiting}
        return JSONResponse(counts, headers={"Cache-Control": "no-store"})

    @router.get("/web/")
    async def lead_up(request: Request) -> Response:
        return _lead(request, "../web")

    @router.get("/")
    async def lead_down(request: Request) -> Response:
        return _lead(request, "web")

    return router


def frame_ancestors(allowed: Sequence[str]) -> str:
    """Write the directive that says whose pages may show ours in a frame."""
    return " ".join(["frame-ancestors", "'self'", *allowed])


def _page_policy(request: Request) -> str:
    """Allow the page what it needs. Browsers that do not count WebSockets as 'self' get their addresses by name."""
    host = request.headers.get("host", "")
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        f"connect-src 'self'{sockets}; frame-src 'self'; base-uri 'none'; form-action 'none'"
    )


def _lead(request: Request, relative: str) -> Response:
    """Redirect to the page: relative, as a proxy that takes off a prefix does not always say which."""
    root: str = request.scope.get("root_path", "")
    return RedirectResponse(f"{root}/web" if root else relative, 307)


def _answer(request: Request, path: str, policy: str) -> Response:
    asset = _assets().get(path)
    if asset is None:
        raise HTTPException(404)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "ETag": asset.etag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {asset.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@cache
def _assets() -> dict[str, _Asset]:
    """Read every file of the page, by its path: what is not among them is not served, whatever a request says."""
    return {path: _asset(path, content) for path, content in _walk(files("openenv").joinpath("web", "static"), "")}


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif not entry.name.startswith("."):
            yield prefix + entry.name, entry.read_bytes()


def _asset(path: str, content: bytes) -> _Asset:
    media_type = _TYPES.get(path.rpartition(".")[2], "text/plain")
    return _Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:20]}"')
