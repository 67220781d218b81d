"""What a person takes away from the page: code that runs as it was copied, and an episode that can be played again."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Visitor, visiting
from tests.support.command import openenv_serve
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.folders import environment_folder
from tests.support.services import require
from tests.web.painter import Paint, Painter, Painting
from tests.web.play import Play, hosting
from tests.web.stage import Climber, Failing, Mission

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

_HOSTILE = "it's \"$HOME\" `id` \\n 'x' \u2028 !! %s {y}\nsecond line"


def _run(command: list[str], **settings: Any) -> str:
    ran: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, timeout=15, check=False, **settings
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def _run_python(code: str, folder: Path) -> str:
    file = folder / "copied.py"
    file.write_text(code)
    return _run([sys.executable, "-W", "error", str(file)], cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)})


def _run_curl(code: str) -> str:
    require(shutil.which("curl"), "needs curl")
    return _run(["bash", "-euo", "pipefail", "-c", code])


class Counting(EchoEnvironment):
    """Remembers every call of every session."""

    heard: list[str] = []  # noqa: RUF012 - of all instances, since the sessions come and go

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> EchoObservation:
        self.heard.append("reset")
        return super().reset(seed, episode_id)

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        self.heard.append(action.message)
        return super().step(action)


@pytest.mark.parametrize("kind", ["Copy Python", "Copy curl"])
def test_copied_episode_runs_as_pasted(visitor: Visitor, tmp_path: Path, kind: str) -> None:
    Counting.heard.clear()
    with hosting(Counting) as url:
        play = Play.begun(visitor, url)
        play.say("Hello")
        play.say(_HOSTILE)
        assert Counting.heard == ["reset", "Hello", _HOSTILE]
        code = play.copy(kind)
        said = _run_python(code, tmp_path) if kind == "Copy Python" else _run_curl(code)
        assert Counting.heard == ["reset", "Hello", _HOSTILE] * 2
        assert "Hello" in said


def test_code_copied_from_the_scaffold_gives_the_same_reward(visitor: Visitor, tmp_path: Path) -> None:
    with openenv_serve(environment_folder(tmp_path)) as server:
        play = Play.begun(visitor, server.url)
        play.say("Hello, World!")
        code = play.copy("Copy Python")
        assert code.startswith("from my_env import MyAction, MyEnv\n")
        assert "1.3" in _run_python(code, tmp_path)
        assert "1.3" in _run_curl(play.copy("Copy curl"))


def test_connect_tab_of_the_scaffold_has_code_for_its_own_client_and_for_the_generic_one(
    visitor: Visitor, tmp_path: Path
) -> None:
    with openenv_serve(environment_folder(tmp_path)) as server:
        panel = Play.open(visitor, server.url).tab("Connect")
        snippets = [code for code in panel.locator("pre").all_text_contents() if "import " in code]
        homes = [[line for line in code.splitlines() if line.startswith("from ")] for code in snippets]
        own = ["from my_env import MyAction, MyEnv"]
        assert homes == [own, own, ["from openenv import GenericEnvClient"]]
        assert [bool(re.search("await ", code)) for code in snippets] == [False, True, False]
        for code in snippets:
            assert "My environment is ready!" in _run_python(code, tmp_path)


@pytest.mark.parametrize("kind", ["Copy Python", "Copy curl"])
def test_copied_code_leaves_out_the_calls_that_failed(visitor: Visitor, tmp_path: Path, kind: str) -> None:
    with hosting(Failing) as url:
        play = Play.begun(visitor, url)
        for text in ("fine", "raise", "finer"):
            play.say(text)
        code = play.copy(kind)
        said = _run_python(code, tmp_path) if kind == "Copy Python" else _run_curl(code)
    assert "finer" in said
    assert "rope" not in said


def test_copied_code_holds_nested_actions_and_reset_options(visitor: Visitor, tmp_path: Path) -> None:
    with hosting(Painter, Paint, Painting) as url:
        play = Play.begun(visitor, url)
        play.field("title").fill("Quote ' here")
        play.button("Step").click()
        expect(play.page.locator("#action-form [aria-invalid=true]")).to_have_count(0)
        play.expect_steps(1)
        assert "Quote" in _run_python(play.copy("Copy Python"), tmp_path)
        assert "Quote" in _run_curl(play.copy("Copy curl"))


def test_copied_code_brings_the_token_along_or_says_where_to_put_it(visitor: Visitor, tmp_path: Path) -> None:
    with hosting(EchoEnvironment, token="s3cret-token") as url:
        visitor.tolerate("401")
        page = visitor.open(f"{url}/web")
        play = Play(page)
        play.tell_token("s3cret-token")
        play.begin()
        play.say("Hello")
        environment = os.environ | {"OPENENV_TOKEN": "s3cret-token"}
        code = play.copy("Copy Python")
        said = _run([sys.executable, "-c", code], env=environment)
        assert "Hello" in said
        require(shutil.which("curl"), "needs curl")
        assert "Hello" in _run(["bash", "-euo", "pipefail", "-c", play.copy("Copy curl")], env=environment)


@pytest.mark.parametrize("kind", ["sync", "async", "curl"])
def test_code_of_the_connect_tab_runs_as_pasted(visitor: Visitor, tmp_path: Path, kind: str) -> None:
    Counting.heard.clear()
    with hosting(Counting) as url:
        play = Play.open(visitor, url)
        panel = play.tab("Connect")
        expect(panel).to_contain_text(url)
        snippets = [text for text in panel.locator("pre").all_text_contents() if text.strip()]
        if (chooser := panel.get_by_role("tab", name=re.compile(kind, re.IGNORECASE))).count():
            chooser.first.click()
            snippets = [text for text in panel.locator("pre").all_text_contents() if text.strip()]
        chosen = {
            "sync": [text for text in snippets if "openenv" in text and "import" in text and "await" not in text],
            "async": [text for text in snippets if "await" in text],
            "curl": [text for text in snippets if "curl" in text],
        }[kind]
        assert chosen, snippets
        _run_curl(chosen[0]) if kind == "curl" else _run_python(chosen[0], tmp_path)
        assert Counting.heard[:1] == ["reset"]


def test_exported_episode_is_one_json_a_line(visitor: Visitor, tmp_path: Path) -> None:
    with hosting(Climber) as url:
        play = Play.begun(visitor, url)
        play.say("up")
        play.say("down")
        lines = play.export(tmp_path / "episode.jsonl").read_text(encoding="utf-8").splitlines()
    head, *records = map(json.loads, lines)
    assert head == {"environment": "Climber", "url": url, "format": "openenv.episode", "version": 1}
    assert [record["kind"] for record in records] == ["reset", "step", "step"]
    assert [record["reward"] for record in records] == [0.0, 0.75, -1.25]
    assert records[1]["request"]["message"] == "up"
    assert records[2]["state"]["step_count"] == 2


def test_exported_episode_is_replayed_by_somebody_else_with_the_same_outcome(
    browser: Browser, visitor: Visitor, tmp_path: Path
) -> None:
    with hosting(Climber) as url:
        with visiting(browser) as author:
            play = Play.begun(author, url)
            for text in ("up", "down", "summit"):
                play.say(text)
            file = play.export(tmp_path / "episode.jsonl")
        other = Play.open(visitor, url)
        other.import_file(file)
        expect(other.rows).to_have_count(4)
        assert other.sent == []
        other.button("Replay it here").click()
        other.expect_steps(3)
        assert [action["message"] for action in other.steps_sent()] == ["up", "down", "summit"]
        expect(other.detail).to_contain_text("Same outcome as in the recording.")
        expect(other.page.get_by_text("differs")).to_have_count(0)


def test_replay_shows_where_the_outcome_differs(visitor: Visitor, tmp_path: Path) -> None:
    with hosting(Mission) as url:
        play = Play.begun(visitor, url)
        play.say("fly")
        file = play.export(tmp_path / "episode.jsonl")
        text = file.read_text()
        assert text.count('"reward":1') == 1
        file.write_text(text.replace('"reward":1', '"reward":5'))
        play.import_file(file)
        play.button("Replay it here").click()
        expect(play.rows.last).to_contain_text("differs")
        expect(play.rows.first).not_to_contain_text("differs")
        row = play.detail.get_by_role("row", name=re.compile("reward"))
        expect(row).to_contain_text(re.compile(r"5\s*1"))


def test_file_that_is_no_episode_is_refused_with_the_line(visitor: Visitor, tmp_path: Path) -> None:
    with hosting(EchoEnvironment) as url:
        play = Play.begun(visitor, url)
        play.say("Hello")
        file = play.export(tmp_path / "episode.jsonl")
        file.write_text(file.read_text() + "<script>window.owned = 1</script>\n")
        bad = len(file.read_text().splitlines())
        play.import_file(file)
        expect(play.page.locator("body")).to_contain_text(re.compile(rf"line {bad}\b", re.IGNORECASE))
        expect(play.rows).to_have_count(2)
        assert play.page.evaluate("window.owned") is None
