"""What tests in a browser share: one browser a module, a visitor for each test, and a bare page for script modules."""

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from pydantic import create_model
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import openenv
from openenv import Action
from tests.support.browser import Visitor, running_browser, visiting
from tests.support.serving import serving
from tests.web.forms import Form, Open

_STATIC = Path(openenv.__file__).parent / "web" / "static"
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    with visiting(browser) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def module_site() -> Iterator[str]:
    """Serve our browser modules at /static, and a page without any script, under the policy of the real one."""
    with serving(Starlette(routes=[Route("/", _bare), Route("/static/{path:path}", _static)])) as url:
        yield url


@pytest.fixture
def bare(visitor: Visitor, module_site: str) -> Page:
    """Give a page on which a test imports modules: `import("/static/form.js")`."""
    return visitor.open(module_site)


@pytest.fixture
def opened(bare: Page) -> Open:
    """Open a form for a model, or for a schema, or for one field called `it`."""

    def opened(of: Any) -> Form:
        if isinstance(of, dict):
            return Form(bare, of)
        if isinstance(of, type) and issubclass(of, Action):
            return Form(bare, of.model_json_schema())
        return Form(bare, create_model("Model", it=(of, ...)).model_json_schema())

    return opened


async def _bare(request: Request) -> Response:
    sheets = "".join(f'<link rel="stylesheet" href="/static/{path.name}">' for path in sorted(_STATIC.glob("*.css")))
    head = f'<title>Bare</title><link rel="icon" href="data:,">{sheets}'
    text = f'<!doctype html><html lang="en"><head>{head}</head><body><main><h1>Bare</h1></main></body></html>'
    return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})


async def _static(request: Request) -> Response:
    path = _STATIC / request.path_params["path"]
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Response(path.read_bytes(), media_type=kind) if path.is_file() else Response(status_code=404)
