"""`value.js` and what it is made of: any value is shown honestly, quickly, and can do nothing."""

import base64
import itertools
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.web.gallery import png

pytestmark = pytest.mark.slow

_SHOW = """async ([text, options]) => {
    const [{ viewValue }, { parseJson }] = await Promise.all([import("/static/value.js"), import("/static/json.js")]);
    const value = parseJson(text);
    const started = performance.now();
    document.querySelector("main").append(viewValue(value, options));
    document.body.getBoundingClientRect();
    return performance.now() - started;
}"""
_NODES = "document.querySelectorAll('.value-view *').length"
_PNG = png(4, 3, lambda x, y: (x * 60, y * 80, 9))

Show = Callable[..., Page]


@pytest.fixture
def show(bare: Page) -> Show:
    """Show a value, given as Python or as JSON text."""

    def show(value: Any, *, schema: Any = None, text: str | None = None) -> Page:
        bare.evaluate(_SHOW, [json.dumps(value) if text is None else text, {"schema": schema or {}, "name": ""}])
        return bare

    return show


@pytest.mark.parametrize(
    ("text", "shown"),
    [('"a"', "a"), ("1.5", "1.5"), ("true", "true"), ("null", "null"), ("[]", "[]"), ("{}", "{}"), ("-0.001", "-0.001"),
     ("9007199254740993", "9007199254740993")],
)  # fmt: skip
def test_plain_values_are_shown_as_they_are(show: Show, text: str, shown: str) -> None:
    expect(show(None, text=text).locator(".value")).to_have_text(shown)


def test_small_values_are_open_and_fold_by_keyboard(show: Show) -> None:
    page = show({"player": {"hand": ["ace"]}, "turn": 3})
    expect(page.get_by_text("ace")).to_be_hidden()
    fold = page.locator("summary", has_text="hand")
    fold.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("ace")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("ace")).to_be_hidden()


@pytest.mark.parametrize(
    "text",
    ["<script>window.owned = 1</script>", "<img src=x onerror='window.owned = 1'>", "javascript:owned=1", "{{x}}"],
)
def test_markup_is_text(show: Show, text: str) -> None:
    page = show({text: [text]})
    assert page.evaluate("window.owned ?? null") is None
    assert page.locator(".value-view img, .value-view script").count() == 0
    assert page.locator(".value-view").inner_text().count(text) == 2


@pytest.mark.parametrize(
    ("character", "mark"),
    [("\u202e", "U+202E"), ("\u2066", "U+2066"), ("\0", "U+0000"), ("\x1b", "U+001B"), ("\u200b", "U+200B"),
     ("\r", "U+000D"), ("\ud800", "U+D800"), ("\U000e0041", "U+E0041"), ("\ufeff", "U+FEFF"), ("\u2028", "U+2028")],
)  # fmt: skip
def test_character_that_is_not_seen_is_shown_by_its_code(show: Show, character: str, mark: str) -> None:
    page = show({f"key{character}": f"ab{character}cd"})
    assert page.locator(".value").inner_text() == f"ab{mark}cd"
    assert page.locator(".key").inner_text() == f"key{mark}"


def test_joined_emoji_lines_and_other_scripts_stay_as_they_are(show: Show) -> None:
    text = "👩\u200d👩\u200d👧 می\u200cخواهم\nשלום\tx"
    page = show(text)
    assert page.locator(".text").evaluate("(found) => found.textContent") == text
    assert page.locator(".unseen-mark").count() == 0


def test_text_full_of_unseen_characters_is_quick(show: Show) -> None:
    page = show("\u202e" * 1_000_000)
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate(_NODES) < 25_000
    expect(page.get_by_role("region", name="The whole text")).to_be_visible()


def test_long_text_shows_its_head_and_length_and_all_of_it_when_asked_for(show: Show) -> None:
    text = "".join(f"<b>line {index}</b> 😀\n" for index in range(220_000))
    page = show({"it": text})
    expect(page.locator(".value-view")).to_contain_text(f"{len(text) + 220_000:,} characters in all")
    assert len(page.locator(".value-view").inner_text()) < 5_000
    took = page.evaluate(
        """() => {
            const started = performance.now();
            [...document.querySelectorAll("button")].find((each) => each.textContent === "Show all").click();
            document.body.getBoundingClientRect();
            return performance.now() - started;
        }"""
    )
    whole = page.get_by_role("region", name="The whole text")
    assert whole.evaluate("(found) => found.textContent") == text
    assert page.locator(".value-view b").count() == 0
    assert took < 5_000, "five megabytes should not take seconds"


def test_nothing_is_built_before_it_is_opened(show: Show) -> None:
    deep: Any = "bottom"
    for level in range(1000):
        deep = {f"level{level}": deep} if level % 2 else [deep, level]
    page = show(None, text=_dumped(deep))
    assert page.evaluate(_NODES) < 200
    opened = """() => {
        let count = 0;
        const last = () => [...document.querySelectorAll("details:not([open])")].at(-1);
        for (let next; (next = last()) && count < 1200; count += 1) {
            next.open = true;
            next.dispatchEvent(new Event("toggle"));
        }
        return document.querySelector(".value-view").textContent.includes("bottom");
    }"""
    assert page.evaluate(opened)


def _dumped(deep: Any) -> str:
    """Write JSON that is nested deeper than Python's own writer goes."""
    head, tail = "", ""
    while not isinstance(deep, str):
        if isinstance(deep, dict):
            ((key, deep),) = deep.items()
            head, tail = f"{head}{{{json.dumps(key)}:", f"}}{tail}"
        else:
            head, tail, deep = f"{head}[", f",{deep[1]}]{tail}", deep[0]
    return f"{head}{json.dumps(deep)}{tail}"


@pytest.mark.parametrize("kind", ["list", "object"])
def test_hundred_thousand_children_open_in_ranges(show: Show, kind: str) -> None:
    names = [f"n{index}" for index in range(100_000)]
    page = show(names if kind == "list" else dict.fromkeys(names, 1))
    page.locator("summary").first.click()
    assert page.evaluate(_NODES) < 2_500
    expect(page.get_by_text("90000 … 99999")).to_be_visible()
    page.get_by_text("90000 … 99999").click()
    page.get_by_text("99900 … 99999").click()
    expect(page.get_by_text("n99999")).to_be_visible()


def test_hostile_keys_are_keys(show: Show) -> None:
    page = show(None, text='{"__proto__": {"owned": 1}, "constructor": 2, "": 3, "toString": null}')
    assert page.locator(".key").all_inner_texts()[:2] == ["__proto__", "owned"]
    assert page.evaluate("({}).owned ?? null") is None


def test_value_is_copied_as_json_and_a_text_as_it_is(show: Show) -> None:
    page = show({"list": [1, {"a": None}], "text": "two\nlines"})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, copied in (("list", '[\n  1,\n  {\n    "a": null\n  }\n]'), ("text", "two\nlines")):
        page.get_by_role("button", name=f"Copy {name}").press("Enter")
        expect(page.get_by_role("button", name=f"Copy {name}")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == copied


# ---- pictures


@pytest.mark.parametrize("form", ["data URL", "magic", "schema"])
def test_text_that_is_a_picture_is_shown_as_one(show: Show, form: str) -> None:
    schema = (
        {"properties": {"it": {"contentEncoding": "base64", "contentMediaType": "image/png"}}}
        if form == "schema"
        else {}
    )
    page = show({"it": f"data:image/png;base64,{_PNG}" if form == "data URL" else _PNG}, schema=schema)
    picture = page.get_by_role("img", name="Picture it")
    expect(picture).to_have_js_property("naturalWidth", 4)
    expect(page.locator("figcaption")).to_have_text("4 × 3")


def test_reference_to_a_schema_tells_a_picture_too(show: Show) -> None:
    bmp = base64.b64encode(
        b"BM:\0\0\0\0\0\0\x006\0\0\0(\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0" + bytes(24) + b"\1\2\3\0"
    ).decode()
    schema = {
        "properties": {"them": {"items": {"$ref": "#/$defs/P"}}},
        "$defs": {
            "P": {"anyOf": [{"contentMediaType": "image/bmp"}, {"type": "null"}], "contentMediaType": "image/bmp"}
        },
    }
    page = show({"them": [bmp]}, schema=schema)
    page.locator("summary", has_text="them").click()
    expect(page.locator("img")).to_have_js_property("naturalWidth", 1)


@pytest.mark.parametrize("text", ["iVBORw0KGgo" + "A" * 100, "data:image/png;base64,broken"])
def test_broken_picture_is_shown_as_text(show: Show, text: str) -> None:
    page = show(text)
    expect(page.locator(".value.is-string")).to_contain_text(text[:20])
    assert page.locator("img").count() == 0


@pytest.mark.parametrize(
    "text",
    ["/9j/ is how a JPEG begins, and this is a sentence about it", "data:text/html,<b>x</b>", "UklGR" + "A" * 40],
)
def test_text_that_only_begins_like_a_picture_is_text(show: Show, text: str) -> None:
    page = show(text)
    expect(page.locator(".value.is-string")).to_have_text(text)


def test_picture_that_holds_a_script_runs_nothing(show: Show) -> None:
    head = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>"
    page = show(f"{head}<script>parent.owned=1</script></svg>")
    expect(page.locator("img")).to_have_js_property("naturalWidth", 9)
    assert page.evaluate("window.owned ?? null") is None


# ---- arrays


ARRAYS: list[tuple[Any, str | None]] = [
    ([1, 2, 3, 4, 5, 6, 7, 9], "Plot of the value: 8, min 1, max 9, mean 4.625"),
    ([[0.5] * 5] * 4, "Heat map of the value: 4 by 5, min 0.5, max 0.5, mean 0.5"),
    ([[[1]] * 5] * 4, "Heat map of the value: 4 by 5 by 1, min 1, max 1, mean 1"),
    ([[[255, 0, 0]] * 5] * 4, "Picture of the value: 4 by 5 by 3, min 0, max 255, mean 85"),
    ([[[0.25, 0, 0, 1]] * 5] * 4, "Picture of the value: 4 by 5 by 4, min 0, max 1, mean 0.3125"),
    ([[[-1, 0, 0]] * 5] * 4, None),
    ([1, 2, 3], None),
    ([[1, 2, 3, 4], [5, 6, 7]], None),
    ([1, 2, 3, 4, 5, 6, 7, "8"], None),
    ([1, 2, 3, 4, 5, 6, 7, None], None),
    ([[], [], []], None),
    ([[[[1] * 3] * 3] * 3] * 3, None),
]


@pytest.mark.parametrize(("value", "said"), ARRAYS, ids=lambda value: str(value)[:50])
def test_array_of_numbers_is_drawn_and_summed_up(show: Show, value: Any, said: str | None) -> None:
    page = show(value)
    drawn = page.locator("canvas")
    if said is None:
        expect(page.locator("canvas[aria-label*='of the value']")).to_have_count(0)
    else:
        expect(drawn).to_have_attribute("aria-label", f"{said}. Arrow keys read it.")
        page.locator("summary", has_text="values").click()
        expect(page.locator(".leaf, .node .node").first).to_be_visible()


def test_drawing_is_read_by_pointer_and_by_arrow_keys(show: Show) -> None:
    page = show([[column + 10 * row for column in range(8)] for row in range(4)])
    canvas, read = page.locator("canvas"), page.locator("output")
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(read).to_have_text("row 0, column 2: 2")
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] - 1)
    expect(read).to_have_text("row 3, column 7: 37")


def test_pixels_of_a_picture_are_its_colours(show: Show) -> None:
    pixel = "(canvas) => [...canvas.getContext('2d').getImageData(1, 0, 1, 1).data]"
    assert show([[[0, 0, 0], [10, 20, 30]]] * 4).locator("canvas").evaluate(pixel) == [10, 20, 30, 255]


def test_colours_of_a_heat_map_grow_lighter_in_equal_steps(bare: Page) -> None:
    made = bare.evaluate("import('/static/arrays.js').then(({ colours }) => colours())")
    lightness = [_lightness(colour) for colour in made]
    steps = [after - before for before, after in itertools.pairwise(lightness)]
    assert len(made) == 256
    assert min(steps) > -0.004, "rounding to 8 bits moves a step by a little"
    assert abs(sum(steps[:128]) - sum(steps[127:])) < 0.05


def _lightness(colour: list[int]) -> float:
    """OKLab's L of an sRGB colour."""
    r, g, b = (((c / 255 + 0.055) / 1.055) ** 2.4 if c > 10 else c / 255 / 12.92 for c in colour[:3])
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return float(0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short)


def test_large_arrays_are_quick(show: Show) -> None:
    page = show([index % 977 for index in range(100_000)])
    expect(page.locator("canvas")).to_be_visible()
    assert page.evaluate(_NODES) < 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_checks_find_nothing(show: Show, scheme: Literal["light", "dark"]) -> None:
    page = show(
        {"a\u202eb": "x\0", "map": [[1, 2, 3, 4]] * 4, "list": ["a", None], "long": "x" * 9000, "picture": _PNG}
    )
    page.emulate_media(color_scheme=scheme)
    page.get_by_role("button", name="Show all").click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
