"""A bar chart as SVG text: pure, for figures that are to be looked at. Readable on light and on dark ground."""

from collections.abc import Mapping
from html import escape

__all__ = ["bars"]

_WIDTH, _LABEL, _VALUE = 760, 190, 90
_BAR, _GAP, _HEAD = 18, 14, 48
_COLOURS = ("#3b6fe0", "#e07b39", "#4a9c6d", "#a05fb4", "#8a8f98")
_TEXT = "#6e7681"


def bars(title: str, groups: Mapping[str, Mapping[str, float]], *, unit: str) -> str:
    """Draw a group of horizontal bars for each name.

    Args:
        title: Stands above.
        groups: The values, none negative, by the name of their series, by the name of their group.
        unit: Of the values, such as `steps/s`.
    """
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    top = max((value for group in groups.values() for value in group.values()), default=0.0) or 1.0
    y = _HEAD + (_BAR + _GAP if len(series) > 1 else 0)
    drawn = [_legend(series)] if len(series) > 1 else []
    for label, group in groups.items():
        drawn.append(_text(_LABEL - 10, y + len(group) * _BAR / 2 + 5, label, anchor="end"))
        for name, value in group.items():
            length = (_WIDTH - _LABEL - _VALUE) * value / top
            colour = _COLOURS[series.index(name) % len(_COLOURS)]
            drawn.append(
                f'<rect x="{_LABEL}" y="{y}" width="{max(length, 1):.1f}" height="{_BAR - 3}" rx="2" fill="{colour}">'
                f"<title>{escape(name)}: {_number(value)} {escape(unit)}</title></rect>"
            )
            drawn.append(_text(_LABEL + length + 6, y + _BAR - 6, _number(value)))
            y += _BAR
        y += _GAP
    head = _text(0, 18, title, size=16, weight="600") + _text(0, 36, unit)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">\n'
        + "\n".join([head, *drawn])
        + "\n</svg>\n"
    )


def _legend(series: list[str]) -> str:
    x, drawn = _LABEL, []
    for index, name in enumerate(series):
        drawn.append(
            f'<rect x="{x}" y="{_HEAD}" width="12" height="12" rx="2" fill="{_COLOURS[index % len(_COLOURS)]}"/>'
        )
        drawn.append(_text(x + 18, _HEAD + 11, name))
        x += 34 + 7 * len(name)
    return "\n".join(drawn)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, weight: str = "400") -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{_TEXT}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
