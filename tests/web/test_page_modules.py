"""The page's pure modules, one rule at a time: Markdown, sanitising, JSON of the wire, differences, rewards, charts."""

from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.slow

_CALL = """async ([module, name, given]) => (await import(`/static/${module}.js`))[name](...given)"""
_SANITISED = """async (html) => {
    const { sanitise } = await import("/static/sanitise.js");
    const host = document.createElement("div");
    host.append(sanitise(html));
    document.body.append(host);
    return host.innerHTML;
}"""


def _call(bare: Page, module: str, name: str, *given: Any) -> Any:
    """Call a function of a module in the browser."""
    return bare.evaluate(_CALL, [module, name, list(given)])


# ---- Markdown


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# One\n\nTwo\n===\nThree\n---", "<h1>One</h1>\n<h1>Two</h1>\n<h2>Three</h2>"),
        ("a *b* **c** ~~d~~ `e < f`", "<p>a <em>b</em> <strong>c</strong> <del>d</del> <code>e &lt; f</code></p>"),
        ("snake_case_name and 2 * 3 * 4", "<p>snake_case_name and 2 * 3 * 4</p>"),
        (r"\*not\* & <b>so</b>", "<p>*not* &amp; <b>so</b></p>"),
        ("[a](http://x/y_(z))", '<p><a href="http://x/y_(z)">a</a></p>'),
        ("[a][b] and [c]\n\n[b]: http://x", '<p><a href="http://x">a</a> and [c]</p>'),
        ("see http://x/y.", '<p>see <a href="http://x/y">http://x/y</a>.</p>'),
        ("![a](b.png)", '<p><img src="b.png" alt="a"></p>'),
        (
            "- a\n- b\n  - c\n\n1. d\n2. e",
            "<ul><li>a</li>\n<li>b\n<ul><li>c</li></ul></li></ul>\n<ol><li>d</li>\n<li>e</li></ol>",
        ),
        ("- [x] a\n- [ ] b", '<ul><li><input type="checkbox" checked>a</li>\n<li><input type="checkbox">b</li></ul>'),
        ("> a\n> b", "<blockquote><p>a\nb</p></blockquote>"),
        ("```python\nx = '<b>'\n\n# y\n```\nz", "<pre><code>x = '&lt;b&gt;'\n\n# y</code></pre>\n<p>z</p>"),
        (
            "|a|b|\n|--|-:|\n|1|`2`|",
            '<table><thead><tr><th>a</th><th align="right">b</th></tr></thead>'
            '<tbody><tr><td>1</td><td align="right"><code>2</code></td></tr></tbody></table>',
        ),
        ("<!-- a -->\n# b", "<!-- a -->\n<h1>b</h1>"),
        ("a\n\n***\n\nb", "<p>a</p>\n<hr>\n<p>b</p>"),
    ],
)
def test_markdown_becomes_html(markdown: str, html: str, bare: Page) -> None:
    assert _call(bare, "markdown", "markdownToHtml", markdown) == html


@pytest.mark.parametrize("part", ["**a ", "![", "[![a](", "[a](b ", "_a ", "`a``", "<a ", "[x]((a)", "> ", "- "])
def test_no_markdown_takes_long(part: str, bare: Page) -> None:
    bare.set_default_timeout(10_000)
    assert _call(bare, "markdown", "markdownToHtml", part * 5000)


# ---- Sanitising


@pytest.mark.parametrize(
    "html",
    [
        "<script>bad()</script>",
        "<img src=x onerror=bad()>",
        "<a href='javascript:bad()'>a</a>",
        "<a href='&#106;avascript:bad()'>a</a>",
        "<svg><script>bad()</script></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=bad()>",
        "<iframe srcdoc='<script>bad()</script>'></iframe>",
        "<form action=http://elsewhere><input name=a></form>",
        "<style>@import 'http://elsewhere'</style>",
        "<p style='background:url(http://elsewhere)' onclick=bad()>a</p>",
        "<link rel=stylesheet href=http://elsewhere><meta http-equiv=refresh content='0;http://elsewhere'>",
        "<img src='http://elsewhere/a.png' alt=a>",
        "<img srcset='http://elsewhere/a.png 1x'>",
        "<video src=http://elsewhere poster=http://elsewhere></video>",
        "<template><img src=x onerror=bad()></template>",
        "<noscript><p title='</noscript><img src=x onerror=bad()>'>",
    ],
)
def test_hostile_html_is_inert(html: str, bare: Page) -> None:
    bare.evaluate("() => { window.bad = () => { window.harmed = true; }; }")
    made = bare.evaluate(_SANITISED, html)
    bare.evaluate(
        "() => document.querySelectorAll('a, p, span').forEach((each) => each.dispatchEvent(new Event('click')))"
    )
    assert bare.evaluate("window.harmed") is None
    for word in (
        "<script",
        "<style",
        "<iframe",
        "<form",
        "<img",
        "<svg",
        "onclick",
        "onerror",
        "style=",
        "src=",
        "javascript:",
    ):
        assert word not in made


def test_harmless_html_stays(bare: Page) -> None:
    folded = "<details open><summary>b</summary><p>c <b>d</b></p></details>"
    html = f"<h1>A</h1>{folded}<table><tr><td align=right>e</td></tr></table>"
    assert bare.evaluate(_SANITISED, html) == (
        '<h2>A</h2><details open=""><summary>b</summary><p>c <b>d</b></p></details>'
        '<table tabindex="0"><tbody><tr><td align="right">e</td></tr></tbody></table>'
    )


def test_links_open_in_a_tab_that_does_not_know_the_page(bare: Page) -> None:
    made = bare.evaluate(_SANITISED, "<a href='https://a.example/b'>c</a> <a href='d.md'>e</a>")
    assert made == '<a href="https://a.example/b" target="_blank" rel="noopener noreferrer">c</a> <span>e</span>'


# ---- JSON of the wire


def test_what_python_writes_beyond_json_is_read(bare: Page) -> None:
    script = """async (text) => {
        const { decode } = await import("/static/wire.js");
        const { formatJson } = await import("/static/json.js");
        const { a, b, c, d, e } = decode(text);
        return [Number.isNaN(a), b === -Infinity, c, formatJson({ d, e })];
    }"""
    words = r'"a": NaN, "b": -Infinity, "c": "NaN and -Infinity \\\" NaN"'
    text = f'{{{words}, "d": 123456789012345678901, "e": 1e17}}'
    nan, infinite, word, number = bare.evaluate(script, text)
    assert (nan, infinite, word) == (True, True, 'NaN and -Infinity \\" NaN')
    assert number == '{"d":123456789012345678901,"e":1e+17}'  # an integer stays one, and so does a float


# ---- differences, rewards, numbers, charts


def test_differences_are_named_by_their_path(bare: Page) -> None:
    found = _call(bare, "difference", "differences", {"a": [1, {"b": 2}], "c": 3}, {"a": [1, {"b": 4}], "d": 5})
    paths = {
        _call(bare, "difference", "writePath", each["path"]): (each.get("before"), each.get("after")) for each in found
    }
    assert paths == {"a[1].b": (2, 4), "c": (3, None), "d": (None, 5)}


def test_replayed_outcome_is_compared_without_its_times(bare: Page) -> None:
    recorded = {"observation": {"a": 1}, "reward": 1, "done": False, "truncated": False, "error": None, "latencyMs": 5}
    same, other = {**recorded, "latencyMs": 9}, {**recorded, "reward": 2}
    assert _call(bare, "difference", "outcomeDifferences", recorded, same) == []
    assert [each["path"] for each in _call(bare, "difference", "outcomeDifferences", recorded, other)] == [["reward"]]


@pytest.mark.parametrize("name", ["rewards", "reward_components", "rubric", "scores"])
def test_parts_of_a_reward_are_found_where_environments_put_them(name: str, bare: Page) -> None:
    parts = {"speed": 0.5, "style": {"length": -1}, "text": "ignored"}
    found = [{"name": name, "parts": [{"name": "speed", "value": 0.5}, {"name": "style.length", "value": -1}]}]
    for record in (
        {"observation": {name: parts}},
        {"observation": {"metadata": {name: parts}}},
        {"metadata": {name: parts}},
    ):
        assert _call(bare, "reward", "rewardParts", record) == found
    assert _call(bare, "reward", "rewardParts", {"observation": {name: 3}}) == []


@pytest.mark.parametrize(
    ("reward", "text"),
    [(1.5, "+1.5"), (-0.1, "\u22120.1"), (0, "0"), (None, "none"), (0.30000000000000004, "+0.3"), (2e9, "+2.00e+9")],
)
def test_rewards_show_their_sign(reward: float | None, text: str, bare: Page) -> None:
    assert _call(bare, "format", "signed", reward) == text


def test_long_series_keep_their_peaks(bare: Page) -> None:
    values = [0.0] * 10_000
    values[1234], values[9876] = 50.0, -50.0
    kept = _call(bare, "decimate", "decimate", values, 320)
    assert len(kept) <= 640
    assert {(point["step"], point["value"]) for point in kept} >= {(1234, 50), (9876, -50)}
    assert _call(bare, "decimate", "bounds", values, True) == {"low": -50, "high": 50}


def test_first_paragraph_introduces_the_environment(bare: Page) -> None:
    head = "---\ntitle: a\n---\n# Name\n\n[![badge](b)](c)\n\n- a list\n\n"
    readme = f"{head}It **walks** to the [flag](d).\nFast.\n\nMore."
    assert _call(bare, "readme", "firstParagraph", readme) == "It walks to the flag. Fast."
    assert _call(bare, "readme", "firstParagraph", None) == ""


def test_token_travels_in_a_subprotocol(bare: Page) -> None:
    assert _call(bare, "token", "subprotocols", None) == ["openenv.v1"]
    assert _call(bare, "token", "subprotocols", "a?>b~") == ["openenv.v1", "openenv.bearer.YT8-Yn4"]
