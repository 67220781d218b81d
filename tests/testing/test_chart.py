"""A chart is well-formed SVG whose bars are as long as their values."""

import xml.etree.ElementTree as ET

from openenv.testing.chart import bars

SVG = "{http://www.w3.org/2000/svg}"


def drawn(svg: str) -> tuple[ET.Element, list[float]]:
    root = ET.fromstring(svg)
    return root, [float(bar.attrib["width"]) for bar in root.iter(f"{SVG}rect") if bar.find(f"{SVG}title") is not None]


def test_bars_are_in_proportion_and_say_their_value() -> None:
    root, widths = drawn(bars("Steps", {"1 socket": {"ours": 5000.0}, "16 sockets": {"ours": 20000.0}}, unit="steps/s"))
    assert widths[1] == 4 * widths[0]
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts == ["Steps", "steps/s", "1 socket", "5,000", "16 sockets", "20,000"]


def test_several_series_have_a_legend_and_colours_of_their_own() -> None:
    root, _ = drawn(bars("Steps", {"1": {"ours": 2.0, "theirs": 1.0}, "2": {"theirs": 3.0}}, unit="x"))
    colours: dict[str, set[str]] = {}
    for bar in root.iter(f"{SVG}rect"):
        if (title := bar.find(f"{SVG}title")) is not None:
            colours.setdefault(str(title.text).partition(":")[0], set()).add(bar.attrib["fill"])
    assert [len(found) for found in colours.values()] == [1, 1]
    assert colours["ours"] != colours["theirs"]
    assert "theirs" in [element.text for element in root.iter(f"{SVG}text")]


def test_nothing_to_draw_and_names_with_markup_do_no_harm() -> None:
    drawn(bars("", {}, unit=""))
    root, widths = drawn(bars("<script>&", {'<b>"': {"a & b": 0.0}}, unit="<"))
    assert widths == [1.0]
    assert root.attrib["aria-label"] == "<script>&"
