"""Pictures of the page, to be looked at: each scene in light, dark and on a phone, and the one that the README shows.

They are put into `build/screenshots`; `make screenshots` makes them anew and takes the README's over into `docs`.
"""

import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import visiting
from tests.support.command import ROOT, openenv_serve
from tests.support.folders import environment_folder
from tests.web.play import Play
from tests.web.scenes import SCENES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_FOLDER = ROOT / "build" / "screenshots"
_README_BYTES = 300_000
_PHONE = {"width": 390, "height": 844}
_LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": _PHONE, "device_scale_factor": 2, "has_touch": True, "is_mobile": True},
    "zoomed": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
}


def _shoot(play: Play, name: str) -> Path:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    path = _FOLDER / f"{name}.png"
    play.page.evaluate("document.fonts.ready")
    play.page.screenshot(path=path, animations="disabled", caret="hide")
    return path


@pytest.mark.parametrize("look", _LOOKS)
@pytest.mark.parametrize("scene", SCENES)
def test_scene_can_be_seen(browser: Browser, scene: str, look: str) -> None:
    with visiting(browser, **_LOOKS[look]) as visitor, SCENES[scene](visitor) as play:
        path = _shoot(play, f"{scene}-{look}")
    assert path.stat().st_size > 5000


def test_picture_of_the_readme_shows_the_scaffold_being_played(browser: Browser, tmp_path: Path) -> None:
    looks = {"viewport": {"width": 1280, "height": 800}, "device_scale_factor": 1.5, "color_scheme": "light"}
    with openenv_serve(environment_folder(tmp_path)) as server, visiting(browser, **looks) as visitor:
        play = Play.begun(visitor, server.url)
        for text in ("Hello, World!", "Is anybody there?", "Echo", "The longer, the better", "Hi"):
            play.say(text)
        play.rows.nth(4).click()
        play.inspect("Charts")
        picture = _shoot(play, "readme").read_bytes()
    assert len(picture) < _README_BYTES
    assert struct.unpack(">II", picture[16:24]) == (1920, 1200)
