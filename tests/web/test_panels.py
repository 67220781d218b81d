"""The tabs beside the episode: state, charts, README, schema, connect, and an environment's own Gradio page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from openenv.env import EnvironmentMetadata
from tests.support.browser import Visitor
from tests.support.command import openenv_serve
from tests.support.echo import EchoEnvironment
from tests.support.folders import environment_folder
from tests.web.painter import Paint, Painter, Painting
from tests.web.play import Play, hosting
from tests.web.stage import Climber

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_README = """---
title: Hidden front matter
---
# The environment

Hello **there**. <script>window.owned = 1</script><img src=x onerror="window.owned = 1">

| a | b |
|---|---|
| 1 | 2 |

```python
print("code")
```

[out](https://example.com/page) [bad](javascript:window.owned=1) ![picture](https://example.com/tracker.png)

<iframe src="https://example.com/"></iframe><form action="https://example.com/"><button>send</button></form>
<style>body { display: none }</style><a href="vbscript:x" id="name" name="step">clobber</a>
"""


class Documented(EchoEnvironment):
    """Has a README that means no good."""

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(
            name="Documented",
            description="Has a README.",
            readme_content=_README,
            documentation_url="https://docs.example/",
        )


def test_state_is_read_after_each_call_and_changes_are_marked(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        panel = play.tab("State")
        expect(panel).to_contain_text(re.compile(r"step_count\W+0"))
        play.say("Hello")
        changed = panel.locator(".changed")
        expect(changed).to_have_count(1)
        expect(changed).to_contain_text("step_count")
        expect(changed).to_contain_text("was 0")
        expect(panel).to_contain_text("1 changed")


def test_reading_the_state_can_be_switched_off(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.open(visitor, url)
        panel = play.tab("State")
        panel.get_by_role("checkbox").uncheck()
        play.begin()
        play.say("Hello")
        assert not any('"state"' in frame for frame in play.sent)
        panel.get_by_role("button", name="Refresh").click()
        expect(panel).to_contain_text(re.compile(r"step_count\W+1"))


def test_charts_grow_with_every_step_and_lead_to_it(visitor: Visitor) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        panel = play.tab("Charts")
        for text in ("up", "up", "down"):
            play.say(text)
        charts = panel.get_by_role("img")
        expect(charts).to_have_count(3)
        expect(charts.nth(0)).to_have_attribute(
            "aria-label", re.compile(r"^Reward per step: 3 steps.*last \u22121\.25")
        )
        expect(charts.nth(1)).to_have_attribute("aria-label", re.compile(r"^Cumulative reward: .*last \+0\.25"))
        expect(charts.nth(2)).to_have_attribute("aria-label", re.compile(r"latency: 3 steps"))
        play.say("up")
        expect(charts.nth(1)).to_have_attribute("aria-label", re.compile(r"4 steps.*last \+1"))
        charts.nth(0).click(position={"x": 3, "y": 20})
        expect(play.detail.get_by_role("heading", level=2)).to_have_text("Step 1")


def test_readme_of_the_scaffold_is_rendered(visitor: Visitor, tmp_path: Path) -> None:
    with openenv_serve(environment_folder(tmp_path)) as server:
        play = Play.open(visitor, server.url)
        panel = play.tab("README")
        expect(panel.get_by_role("heading", name="Quick Start")).to_be_visible()
        expect(panel.get_by_role("table").first).to_be_visible()
        expect(panel.locator("pre code").first).to_contain_text("openenv serve")
        expect(panel).not_to_contain_text("app_port")


def test_readme_is_sanitised_and_asks_for_nothing_elsewhere(visitor: Visitor) -> None:
    visitor.tolerate("security policy|Content Security Policy")  # what it tries is stopped, and said
    with hosting(Documented) as url:
        play = Play.open(visitor, url)
        panel = play.tab("README")
        expect(panel.get_by_text("there", exact=True)).to_be_visible()
        expect(panel.get_by_role("table")).to_be_visible()
        out = panel.get_by_role("link", name="out")
        expect(out).to_have_attribute("target", "_blank")
        expect(out).to_have_attribute("rel", re.compile("noopener"))
        expect(panel.locator("script, iframe, form, style, img, [id=name], [onerror]")).to_have_count(0)
        assert panel.locator("a").evaluate_all("(links) => links.every((link) => /^https?:$/.test(link.protocol))")
        assert play.page.evaluate("window.owned") is None
        assert "tracker" not in " ".join(visitor.requested)
        play.begin()  # nothing in it took the place of the page's own elements


def test_environment_without_a_readme_is_said(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        expect(Play.open(visitor, url).tab("README")).to_contain_text(re.compile("without a README", re.IGNORECASE))


def test_schema_tab_says_what_actions_and_observations_are(visitor: Visitor) -> None:
    with hosting(Painter, Paint, Painting) as url:
        panel = Play.open(visitor, url).tab("Schema")
        for text in ("strokes", "Shown below the picture.", "understood", "step_count"):
            expect(panel.get_by_text(text, exact=True).first).to_be_visible()


def test_connect_tab_leads_to_the_documentation_and_the_health(visitor: Visitor) -> None:
    visitor.tolerate("favicon.ico")  # JSON in a tab has none
    with hosting(Documented) as url:
        panel = Play.open(visitor, url).tab("Connect")
        links = panel.get_by_role("link")
        addresses = links.evaluate_all("(links) => links.map((link) => link.href)")
        assert {f"{url}/docs", f"{url}/redoc", f"{url}/health", "https://docs.example/"} <= set(addresses)
        assert links.evaluate_all(
            "(links) => links.every((link) => link.target === '_blank' && /noopener/.test(link.rel))"
        )
        with visitor.context.expect_page() as opened:
            panel.get_by_role("link", name=re.compile("health", re.IGNORECASE)).click()
        expect(opened.value.locator("body")).to_contain_text("healthy")


@pytest.mark.timeout(90)  # to import gradio takes long
@pytest.mark.parametrize("token", ["", "boss"], ids=["open", "with a token"])
def test_environments_own_gradio_page_is_a_tab_and_works(visitor: Visitor, tmp_path: Path, token: str) -> None:
    pytest.importorskip("gradio")
    visitor.tolerate("")  # what Gradio does is its own affair; ours is that it is there
    (tmp_path / "openenv.yaml").write_text("name: painted\napp: tests.server.gradio_app:app\n")
    with openenv_serve(tmp_path, environ={"OPENENV_TOKEN": token}) as server:
        play = Play(visitor.open(f"{server.url}/web"))
        if token:
            play.tell_token(token)
        expect(play.button("Reset to begin")).to_be_enabled()
        frame = play.tab("Custom").frame_locator("iframe")
        frame.get_by_label("Textbox").fill("Hi from the tab")
        frame.get_by_role("button", name="Play").click()
        expect(frame.get_by_text("Hi from the tab").last).to_be_visible()
        play.begin()  # in a session of the tab's own


def test_page_without_gradio_has_no_such_tab(visitor: Visitor) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.open(visitor, url)
        names = play.page.get_by_role("tab").all_text_contents()
    assert names == ["State", "Charts", "README", "Schema", "Connect"]
