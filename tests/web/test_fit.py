"""The page fits: light and dark, phone to desktop, zoomed, by WCAG AA, light in weight, and with no internet."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Response, expect

from tests.support.browser import Visitor, visiting
from tests.support.echo import EchoAction, EchoEnvironment
from tests.web.gallery import Gallery, GalleryObservation
from tests.web.painter import Paint, Painter, Painting
from tests.web.play import Play, hosting
from tests.web.stage import Climber, Tools, Walker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_MAX_BYTES = 250_000
_PHONE = {"width": 390, "height": 780}
_TABS = ("State", "Charts", "README", "Schema", "Connect")
_SERIOUS = ("serious", "critical")
_KEEP_STILL = "document.getAnimations().forEach((each) => each.finish())"


def _assert_accessible(page: Page, where: str) -> None:
    page.evaluate(_KEEP_STILL)
    found = Axe().run(page).response["violations"]
    serious = [
        f"{where}: {each['id']} ({each['impact']}): {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in _SERIOUS
        for node in each["nodes"]
    ]
    assert not serious, "\n".join(["", *serious])


@pytest.fixture
def climber() -> Iterator[str]:
    with hosting(Climber) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, climber: str, scheme: str) -> None:
    with visiting(browser, color_scheme=scheme) as visitor:
        play = Play.open(visitor, climber)
        _assert_accessible(play.page, "before the first reset")
        play.begin()
        for text in ("up", "down", "summit"):
            play.say(text)
        for name in _TABS:
            play.tab(name)
            _assert_accessible(play.page, name)
        play.detail.click()
        play.page.keyboard.press("?")
        _assert_accessible(play.page, "shortcuts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_forms_and_pictures(browser: Browser, scheme: str) -> None:
    with visiting(browser, color_scheme=scheme) as visitor:
        visitor.tolerate("security policy|Content Security Policy")  # the view of the environment's own is hostile
        with hosting(Painter, Paint, Painting) as url:
            play = Play.begun(visitor, url)
            _assert_accessible(play.page, "a field of every kind")
            play.button("Step").click()
            expect(play.page.locator("#action-form [aria-invalid=true]").first).to_be_visible()
            _assert_accessible(play.page, "errors at fields")
        with hosting(Gallery, EchoAction, GalleryObservation) as url:
            _assert_accessible(Play.begun(visitor, url).page, "pictures")
        with hosting(Tools) as url:
            play = Play.begun(visitor, url)
            play.page.locator("#tools summary").first.click()
            _assert_accessible(play.page, "tools")
        with hosting(Walker) as url:
            _assert_accessible(Play.begun(visitor, url).page, "a view of the environment's own")


def test_axe_finds_nothing_serious_on_a_phone(browser: Browser, climber: str) -> None:
    with visiting(browser, viewport=_PHONE, has_touch=True) as visitor:
        play = Play.open(visitor, climber)
        play.begin()
        for view in ("Timeline", "Inspect", "Play"):
            play.button(view).click()
            _assert_accessible(play.page, view)


@pytest.mark.parametrize(
    ("viewport", "zoom"),
    [
        (_PHONE, 1),
        ({"width": 320, "height": 640}, 1),
        ({"width": 768, "height": 1024}, 1),
        ({"width": 640, "height": 400}, 2),
    ],
    ids=["phone", "small phone", "tablet", "1280 px at 200 %"],
)
def test_narrow_windows_scroll_down_and_never_sideways(
    browser: Browser, climber: str, viewport: dict[str, int], zoom: int
) -> None:
    """Zoomed to 200 %, a window of 1280 pixels lays out as one of 640 whose pixels are twice as large."""
    with visiting(browser, viewport=viewport, device_scale_factor=zoom) as visitor:
        play = Play.open(visitor, climber)
        play.begin()
        play.say("up")
        wide = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
        assert play.page.evaluate(wide) == 0
        expect(play.button("Step")).to_be_visible()
        bottom = play.page.get_by_role("navigation", name="Views")
        if bottom.is_visible():
            for view in ("Timeline", "Inspect", "Play"):
                bottom.get_by_role("button", name=view).click()
                assert play.page.evaluate(wide) == 0, view


@pytest.mark.parametrize(
    "viewport", [{"width": 640, "height": 360}, {"width": 740, "height": 340}], ids=["zoom", "phone"]
)
def test_what_stays_in_sight_leaves_most_of_a_low_window_to_the_rest(
    browser: Browser, climber: str, viewport: dict[str, int]
) -> None:
    """1280 by 720 at 200 %, and a phone on its side."""
    covered = """() => {
        const stays = (node) => /fixed|sticky/.test(getComputedStyle(node).position);
        const isFixed = (node) => node !== null && (stays(node) || isFixed(node.parentElement));
        const rows = Array.from({ length: innerHeight }, (_, y) => document.elementFromPoint(innerWidth / 2, y));
        return rows.filter(isFixed).length / innerHeight;
    }"""
    with visiting(browser, viewport=viewport, device_scale_factor=2) as visitor:
        play = Play.begun(visitor, climber)
        for at in ("0", "document.body.scrollHeight / 3", "document.body.scrollHeight"):
            play.page.evaluate(f"scrollTo(0, {at})")
            assert play.page.evaluate(covered) < 0.15, at


def test_phone_plays_an_episode_by_touch(browser: Browser, climber: str) -> None:
    with visiting(browser, viewport=_PHONE, has_touch=True, is_mobile=True) as visitor:
        page = visitor.open(f"{climber}/web")
        page.get_by_role("button", name="Reset").first.tap()
        play = Play(page)
        play.expect_steps(0)
        play.field("message").fill("up")
        play.button("Step").tap()
        play.expect_steps(1)
        play.button("Timeline").tap()
        expect(play.rows.last).to_be_visible()
        expect(play.detail).to_contain_text("+0.75")
        for name in ("Step", "Timeline"):
            if play.button(name).is_visible():
                box = play.button(name).bounding_box()
                assert box is not None
                assert box["height"] >= 24, f"{name} is too low to be hit"


def test_theme_follows_the_system_and_can_be_switched(browser: Browser, climber: str) -> None:
    shade = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    with visiting(browser, color_scheme="dark") as visitor:
        page = Play.open(visitor, climber).page
        dark = page.evaluate(shade)
        page.emulate_media(color_scheme="light")
        light = page.evaluate(shade)
        assert dark != light
        page.emulate_media(color_scheme="dark")
        page.get_by_role("button", name=re.compile("theme", re.IGNORECASE)).click()
        assert page.evaluate(shade) == light
        page.reload()
        assert page.evaluate(shade) == light


def test_page_weighs_little_with_all_that_it_loads_later(visitor: Visitor, climber: str) -> None:
    answers: list[Response] = []
    visitor.context.on("response", lambda answer: answers.append(answer))
    play = Play.begun(visitor, climber)
    play.say("up")
    for name in _TABS:
        play.tab(name)
    expect(play.tab("README").get_by_text("Loading")).to_have_count(0)
    sizes = {answer.url: len(answer.body()) for answer in answers if "/static/" in answer.url or "/web" in answer.url}
    assert 0 < sum(sizes.values()) < _MAX_BYTES, sizes


def test_all_requests_stay_on_the_server(visitor: Visitor, climber: str) -> None:
    """No name but this machine's resolves in the browser, so this is the page with no internet."""
    play = Play.begun(visitor, climber)
    play.say("up")
    for name in _TABS:
        play.tab(name)
    host = climber.partition("://")[2]
    outside = [url for url in visitor.requested if host not in url and not url.startswith(("data:", "blob:"))]
    assert outside == []


def test_motion_is_left_out_for_who_wants_less(browser: Browser) -> None:
    with hosting(EchoEnvironment) as url, visiting(browser, reduced_motion="reduce") as visitor:
        play = Play.begun(visitor, url)
        play.say("Hello")
        running = play.page.evaluate("document.getAnimations().filter((each) => each.playState === 'running').length")
        assert running == 0
