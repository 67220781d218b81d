"""`openenv.server.page`: the page at `/web`, as HTTP gives it and as a person uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest

from openenv import Action
from openenv.server import ServerConfig, create_app
from tests.server.browser import Tab, tab
from tests.server.peers import http
from tests.server.stage import app_of
from tests.support.echo import EchoEnvironment, EchoObservation
from tests.support.serving import serving


class PaintAction(Action):
    """A field of every kind that the page knows."""

    message: str = "red"
    strokes: int = 3
    width: float = 0.5
    wet: bool = True
    brush: Literal["flat", "round"] = "flat"
    points: tuple[tuple[int, int], ...] = ()


class Painter(EchoEnvironment):
    """Gives back what it was told."""

    def step(self, action: Any, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        observation = self._echo(action.message)
        observation.metadata = action.model_dump(exclude={"metadata"})
        observation.done = action.message == "enough"
        observation.reward = None if action.message == "free" else observation.reward
        return observation


@pytest.fixture(scope="module")
def painter() -> Iterator[str]:
    app = create_app(Painter, PaintAction, EchoObservation, config=ServerConfig(web=True))
    with serving(app, timeout_keep_alive=0) as url:  # a browser would hold its connections long after a test
        yield url


# ---- as HTTP gives it


def test_page_is_served_whole_and_asked_for_anew_each_time(painter: str) -> None:
    with http(painter) as client:
        answer = client.get("/web")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.text.startswith("<!doctype html>")
    assert answer.text.endswith("</html>\n")


@pytest.mark.parametrize("path", ["/", "/web/"])
def test_other_ways_lead_to_the_page(path: str, painter: str) -> None:
    with http(painter) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (307, "/web")


def test_way_to_the_page_keeps_to_the_proxys_prefix() -> None:
    with serving(app_of(EchoEnvironment, web=True), root_path="/spaces/mine") as url, http(url) as client:
        assert client.get("/").headers["Location"] == "/spaces/mine/web"


def test_without_it_there_is_none_and_it_is_no_part_of_the_api(painter: str) -> None:
    with serving(app_of(EchoEnvironment)) as url, http(url) as client:
        assert [client.get(path).status_code for path in ("/web", "/web/", "/")] == [404] * 3
    with http(painter) as client:
        assert not {"/web", "/web/", "/"} & set(client.get("/openapi.json").json()["paths"])


# ---- as a person uses it


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with tab(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@contextmanager
def _visit(browser: Tab, url: str, shown: str) -> Iterator[Tab]:
    """Open the page, and wait until this is in it; leave it in the end."""
    browser.open(f"{url}/web")
    browser.wait(shown)
    yield browser
    browser.open("about:blank")


@pytest.fixture
def page(browser: Tab, painter: str) -> Iterator[Tab]:
    """The page, just opened."""
    with _visit(browser, painter, "document.querySelector('[name=points]')") as page:
        yield page


def _press(page: Tab, button: str) -> str:
    """Press a button, and give the text of the card that it adds."""
    before = page.run("document.querySelectorAll('article').length")
    page.click(f"#{button}")
    page.wait(f"document.querySelectorAll('article').length > {before}")
    return str(page.run("document.querySelector('article').innerText"))


@pytest.mark.slow
def test_person_resets_steps_and_sees_the_reward(page: Tab) -> None:
    assert page.run("[document.title, document.querySelector('#about').textContent]") == [
        "Painter",
        "Gives back what it was told.",
    ]
    assert _press(page, "reset").startswith("reset, reward 0\n")
    page.write("[name=message]", "Hello, World!")
    card = _press(page, "step")
    assert card.startswith("step, reward 1.3\n")
    assert '"echoed_message": "Hello, World!"' in card
    assert '"step_count": 1' in _press(page, "state")
    assert page.run("document.querySelector('#status').textContent") == "Ready."
    assert page.run("document.querySelector('.fault')") is None


@pytest.mark.slow
def test_fields_of_every_kind_arrive_as_they_are_filled_in(page: Tab) -> None:
    defaults = '"message":"red","strokes":3,"width":0.5,"wet":true,"brush":"flat","points":[]'
    assert defaults in "".join(_press(page, "step").split())
    for name, text in (("message", "blue"), ("strokes", "7"), ("width", "1.25"), ("points", "[[1, 2], [3, 4]]")):
        page.write(f"[name={name}]", text)
    page.click("[name=wet]")
    page.run("document.querySelector('[name=brush]').selectedIndex = 1")
    filled = '"message":"blue","strokes":7,"width":1.25,"wet":false,"brush":"round","points":[[1,2],[3,4]]'
    assert filled in "".join(_press(page, "step").split())


@pytest.mark.slow
def test_fault_is_shown_and_the_session_goes_on(page: Tab) -> None:
    _press(page, "reset")
    page.write("[name=points]", '["here"]')
    card = _press(page, "step")
    assert card.startswith("step: VALIDATION_ERROR\n")
    assert '"points"' in card
    assert page.run("document.querySelector('article').className") == "fault"
    page.write("[name=points]", "[")
    page.click("#step")
    assert page.wait("document.querySelector('#status').textContent.startsWith('That is not JSON')")
    page.write("[name=points]", "")
    assert _press(page, "step").startswith("step, reward 0.3\n")
    assert '"step_count": 1' in _press(page, "state")


@pytest.mark.slow
def test_end_of_an_episode_and_a_missing_reward_are_shown(page: Tab) -> None:
    page.write("[name=message]", "enough")
    assert _press(page, "step").startswith("step, reward 0.6, done\n")
    page.write("[name=message]", "free")
    assert _press(page, "step").startswith("step\n")


@pytest.mark.slow
def test_page_that_is_only_looked_at_takes_no_place(browser: Tab) -> None:
    app = app_of(EchoEnvironment, web=True, max_sessions=1, queue_s=0.0)
    with (
        serving(app, timeout_keep_alive=0) as url,
        http(url) as client,
        _visit(browser, url, "document.querySelector('[name=message]')") as page,
    ):
        assert app.state.openenv.active == 0
        client.post("/reset", json={}, headers={"X-Session-Id": "new"})
        assert "CAPACITY_REACHED" in _press(page, "reset")
        page.wait("document.querySelector('#status').textContent.startsWith('The session has ended')")


@pytest.mark.slow
def test_page_says_why_it_cannot_show_the_environment(browser: Tab) -> None:
    app = create_app(_no_environment, PaintAction, EchoObservation, config=ServerConfig(web=True))
    with (
        serving(app, timeout_keep_alive=0) as url,
        _visit(browser, url, "!document.querySelector('#status').textContent.startsWith('Loading')") as page,
    ):
        status = page.run("document.querySelector('#status').textContent")
    assert status.startswith("The environment cannot be shown: ")
    assert "_no_environment" in status


def _no_environment() -> Any:
    raise OSError("no model")
