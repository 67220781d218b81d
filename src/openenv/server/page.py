"""The page at `/web`, and `/`, which leads there. Behind a proxy's path prefix both keep to it."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

__all__ = ["page_routes"]


def page_routes() -> APIRouter:
    """Build the router of the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/web")
    async def web() -> HTMLResponse:
        return HTMLResponse(_page(), headers={"Cache-Control": "no-cache"})

    @router.get("/web/")
    @router.get("/")
    async def lead(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/web", 307)

    return router


@cache
def _page() -> str:
    return files("openenv").joinpath("web", "index.html").read_text(encoding="utf-8")
