"""What the screenshots show: each scene serves an environment and plays the page to a moment worth looking at."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from playwright.sync_api import expect

from tests.server.peers import ask, ws
from tests.support.browser import Visitor
from tests.support.echo import EchoAction, EchoEnvironment
from tests.web.gallery import Gallery, GalleryObservation
from tests.web.hostile import Hostile, HostileObservation
from tests.web.painter import Paint, Painter, Painting
from tests.web.play import Play, hosting
from tests.web.stage import Climber, Failing, Tools, Walker

__all__ = ["SCENES", "Scene"]

Scene = Callable[[Visitor], AbstractContextManager[Play]]


@contextmanager
def _climb(visitor: Visitor, *moves: str) -> Iterator[Play]:
    with hosting(Climber) as url:
        play = Play.open(visitor, url)
        if moves:
            play.begin()
        for move in moves:
            play.say(move)
        yield play


def _before(visitor: Visitor) -> AbstractContextManager[Play]:
    return _climb(visitor)


@contextmanager
def _tab(visitor: Visitor, name: str) -> Iterator[Play]:
    with _climb(visitor, "up", "up", "down", "sideways", "up") as play:
        play.inspect(name)
        yield play


def _done(visitor: Visitor) -> AbstractContextManager[Play]:
    return _climb(visitor, "up", "down", "up", "up", "summit")


@contextmanager
def _shortcuts(visitor: Visitor) -> Iterator[Play]:
    with _climb(visitor, "up") as play:
        play.button("Keyboard shortcuts").click()
        yield play


@contextmanager
def _errors(visitor: Visitor) -> Iterator[Play]:
    with hosting(Painter, Paint, Painting) as url:
        play = Play.begun(visitor, url)
        play.field("strokes").fill("99")
        play.button("Step").click()
        expect(play.page.locator("#action-form [aria-invalid=true]").first).to_be_visible()
        yield play


@contextmanager
def _pictures(visitor: Visitor) -> Iterator[Play]:
    with hosting(Gallery, EchoAction, GalleryObservation) as url:
        play = Play.begun(visitor, url)
        play.say("again")
        yield play


@contextmanager
def _failure(visitor: Visitor) -> Iterator[Play]:
    with hosting(Failing) as url:
        play = Play.begun(visitor, url)
        play.say("fine")
        play.say("raise")
        yield play


@contextmanager
def _view(visitor: Visitor) -> Iterator[Play]:
    visitor.tolerate("Content Security Policy|security policy|sandbox")
    with hosting(Walker) as url:
        play = Play.begun(visitor, url)
        play.say("north")
        yield play


@contextmanager
def _tools(visitor: Visitor) -> Iterator[Play]:
    with hosting(Tools) as url:
        play = Play.begun(visitor, url)
        play.page.locator("#tools summary").first.click()
        yield play


@contextmanager
def _hostile(visitor: Visitor) -> Iterator[Play]:
    with hosting(Hostile, EchoAction, HostileObservation) as url:
        play = Play.begun(visitor, url)
        play.say("bidi")
        play.say("keys")
        yield play


@contextmanager
def _full(visitor: Visitor) -> Iterator[Play]:
    with hosting(EchoEnvironment, max_sessions=1) as url, ws(url) as other:
        ask(other, {"type": "reset", "data": {}})
        play = Play.open(visitor, url)
        play.button("Reset to begin").click()
        expect(play.page.get_by_text("1 of 1").first).to_be_visible()
        yield play
        play.button("Cancel").click()


@contextmanager
def _lost(visitor: Visitor) -> Iterator[Play]:
    visitor.tolerate("WebSocket|Failed to load resource|ERR_")
    with _climb(visitor, "up", "up") as play:
        pass
    expect(play.page.get_by_role("alert").filter(has_text=re.compile("lost", re.IGNORECASE))).to_be_visible()
    yield play


@contextmanager
def _token(visitor: Visitor) -> Iterator[Play]:
    visitor.tolerate("401")
    with hosting(EchoEnvironment, token="secret") as url:
        play = Play(visitor.open(f"{url}/web"))
        expect(play.page.get_by_role("dialog")).to_be_visible()
        yield play


SCENES: dict[str, Scene] = {
    "before": _before,
    "state": lambda visitor: _tab(visitor, "State"),
    "charts": lambda visitor: _tab(visitor, "Charts"),
    "schema": lambda visitor: _tab(visitor, "Schema"),
    "connect": lambda visitor: _tab(visitor, "Connect"),
    "done": _done,
    "shortcuts": _shortcuts,
    "errors": _errors,
    "pictures": _pictures,
    "failure": _failure,
    "view": _view,
    "tools": _tools,
    "hostile": _hostile,
    "full": _full,
    "lost": _lost,
    "token": _token,
}
