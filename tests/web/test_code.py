"""`code.js` and `quoting.js`: what is copied runs as pasted, and no text in it can become code."""

import ast
import json
import shlex
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from openenv.server import ServerConfig, create_app
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.services import require
from tests.support.serving import serving

pytestmark = pytest.mark.slow

HOSTILE = [
    "'; touch owned; '", '"""', "\\", "\\'", "$(touch owned)", "`touch owned`", "!!", "{x}", "%s", "\n'\n", "\r\n\t",
    "\0", "\x7f\x85\u2028\u2029", "\u202eevil\u202c", "\U0001f600", "\ud800", "\udc00\ud800", "END_OF_BODY",
    "@/etc/hostname", "-x", "", "é", "e\u0301", "\U000e0041", "#", "~", "*",
]  # fmt: skip

_WRITE = (
    "async ([name, texts]) => { const module = await import('/static/quoting.js'); return texts.map(module[name]); }"
)


def written(page: Page, function: str, values: list[Any]) -> list[str]:
    """Call a function of quoting.js for each value; by JSON, which carries halves of pairs."""
    call = f"async (values) => ({_WRITE})(['{function}', JSON.parse(values)])"
    found: list[str] = page.evaluate(call, json.dumps(values))
    return found


def _hidden(text: str) -> set[str]:
    """Give the characters of a text that nobody sees."""
    return {each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _examples(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Draw values from a strategy, the same ones every time."""
    drawn: list[Any] = []

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    return drawn


def test_python_literals_read_back_as_the_value(bare: Page) -> None:
    values = [*HOSTILE, *_examples(_JSON, 200), True, None, 1.5, [], {}, {"a": [None, {"'": '"'}]}]
    for value, code in zip(values, written(bare, "pythonValue", values), strict=True):
        assert ast.literal_eval(code) == value, code
        assert not _hidden(code), ascii(code)


def test_json_reads_back_as_the_value_and_hides_nothing(bare: Page) -> None:
    values = [*HOSTILE, *_examples(_JSON, 200)]
    for value, code in zip(values, written(bare, "jsonText", values), strict=True):
        assert json.loads(code) == value, code
        assert not _hidden(code), ascii(code)


def test_shell_words_read_back_as_the_text(bare: Page) -> None:
    texts = [text for text in [*HOSTILE, *_examples(st.text(), 400)] if "\0" not in text]
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    for text, word in zip(texts, written(bare, "shellWord", texts), strict=True):
        assert shlex.split(word) == [text], word


def test_text_with_a_nul_is_no_shell_word(bare: Page) -> None:
    with pytest.raises(Exception, match="cannot hold the character NUL"):
        written(bare, "shellWord", ["a\0b"])


def test_numbers_keep_their_digits(bare: Page) -> None:
    text = "[9007199254740993, -123456789012345678901234567890, -0.0, 1e300, 5]"
    call = """async (text) => {
        const [{ parseJson }, { pythonValue, jsonText }] =
            await Promise.all([import("/static/json.js"), import("/static/quoting.js")]);
        return [pythonValue(parseJson(text)), jsonText(parseJson(text))];
    }"""
    python, as_json = bare.evaluate(call, text)
    assert ast.literal_eval(python) == json.loads(text)
    assert json.loads(as_json) == json.loads(text)
    digits = "9" * 5000
    assert bare.evaluate(call, digits)[0].startswith("0x")


def _code(page: Page, kind: str, **options: Any) -> str:
    call = """async ([kind, options]) => (await import("/static/code.js"))[kind](JSON.parse(options))"""
    text: str = page.evaluate(call, [kind, json.dumps(options)])
    return text


OWN = {"package": "my_env", "client_class": "MyEnv", "action_class": "MyAction"}


def test_typed_client_is_used_when_its_names_are_known(bare: Page) -> None:
    steps = [
        {"kind": "reset", "options": {"seed": 1}},
        {"kind": "step", "action": {"message": "hi"}},
        {"kind": "step", "action": {"class": 1}},
    ]
    code = _code(bare, "pythonCode", url="http://localhost:8000/", steps=steps, client=OWN)
    assert code.splitlines()[:4] == [
        "from my_env import MyAction, MyEnv",
        "",
        'with MyEnv("http://localhost:8000") as env:',
        "    result = env.reset(seed=1)",
    ]
    assert 'MyAction(message="hi"), MyAction.model_validate({"class": 1})' in code
    ast.parse(code)


@pytest.mark.parametrize(
    "wrong",
    [
        {"package": "my_env\nimport os"},
        {"package": "class"},
        {"package": ""},
        {"client_class": "My Env"},
        {"action_class": None},
        {"action_class": "MyEnv"},
    ],
    ids=str,
)
def test_name_that_is_none_in_python_gives_the_generic_client(bare: Page, wrong: dict[str, Any]) -> None:
    code = _code(bare, "pythonCode", url="http://localhost:8000", steps=[], client=OWN | wrong)
    assert code.startswith("from openenv import GenericEnvClient\n")
    ast.parse(code)


def test_deep_value_comes_by_json_since_python_cannot_parse_it(bare: Page) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = [deep]
    steps = [{"kind": "step", "action": {"deep": deep}}]
    code = _code(bare, "pythonCode", url="http://localhost:8000", steps=steps)
    assert code.startswith("import json\n")
    compile(code, "copied", "exec")


class Recorder(EchoEnvironment):
    """Keeps what it was told."""

    heard: ClassVar[list[Any]] = []

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> EchoObservation:
        self.heard.append({"seed": seed, **options})
        return super().reset(seed, episode_id)

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        self.heard.append(action.message)
        return super().step(action)


_SAYABLE = [text for text in HOSTILE if not any("\ud800" <= character <= "\udfff" for character in text)]
_STEPS = [
    {"kind": "reset", "options": {"seed": 3, "not a name": "x'y"}},
    *({"kind": "step", "action": {"message": text}} for text in [*_SAYABLE, "a" * 200_000]),
    {"kind": "reset", "options": {}},
    {"kind": "step", "action": {"message": "last"}},
]
_HEARD = [{"seed": 3, "not a name": "x'y"}, *_SAYABLE, "a" * 200_000, {"seed": None}, "last"]
_TOKEN = "it's $ecret"


@pytest.mark.parametrize("kind", ["pythonCode", "curlCode"])
def test_copied_code_plays_the_episode_again(bare: Page, tmp_path: Path, kind: str) -> None:
    require(shutil.which("curl"), "needs curl")
    app = create_app(Recorder, EchoAction, EchoObservation, config=ServerConfig(token=_TOKEN, max_sessions=1))
    Recorder.heard = []
    with serving(app) as url:
        code = _code(bare, kind, url=f"{url}/", token=_TOKEN, steps=_STEPS)
        file = tmp_path / "copied"
        file.write_text(code)
        command = [sys.executable, str(file)] if kind == "pythonCode" else ["sh", "-eu", str(file)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=15, cwd=tmp_path)
        assert app.state.openenv.active == 0
    assert (ran.returncode, ran.stderr) == (0, "")
    assert Recorder.heard == _HEARD
    assert [path.name for path in tmp_path.iterdir()] == ["copied"]
    assert "last" in ran.stdout


@pytest.mark.parametrize("kind", ["pythonCode", "curlCode"])
def test_code_of_no_steps_resets(bare: Page, kind: str, tmp_path: Path) -> None:
    code = _code(bare, kind, url="http://localhost:8000", steps=[])
    assert "reset" in code
    if kind == "pythonCode":
        ast.parse(code)
