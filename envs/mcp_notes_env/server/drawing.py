"""The notebook at `/web`: what was asked, what the latest call gave, and every note. Pure: a desk in, HTML out."""

import json
from html import escape

from openenv import Observation
from openenv.env.mcp import CallToolObservation

from .desk import Desk
from .notebook import Entry

__all__ = ["draw"]

_STYLE = (
    "body { font: 15px/1.45 system-ui, sans-serif; margin: 8px 12px } p { margin: .4em 0 } pre { white-space: pre-wrap;"
    " font-size: 13px; max-height: 12em; overflow: auto; border-left: 3px solid #3e63dd; padding-left: 8px }"
    " .bad pre { border-color: #e5484d } small { color: #888 } ul { list-style: none; padding: 0; margin: 8px 0;"
    " display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 8px } li { border: 1px solid"
    " #8886; border-radius: 6px; padding: 6px 9px } li.changed { border-color: #3e63dd; box-shadow: 0 0 0 1px #3e63dd }"
    " li p { white-space: pre-wrap; overflow-wrap: anywhere } i { background: #8882; border-radius: 9px; padding: 0 7px;"
    " font-style: normal; font-size: 12px; margin-right: 4px }"
)


def draw(desk: Desk, observation: Observation) -> str:
    """Draw the desk; notes that are not as they were at first have a border of their own."""
    before = desk.task.before if desk.task else {}
    notes = desk.book.contents()
    cards = "".join(_card(number, entry, is_changed=before.get(number) != entry) for number, entry in notes.items())
    gone = len(before.keys() - notes.keys())
    limit = "" if desk.state.step_limit is None else f" of {desk.state.step_limit}"
    counts = f"Calls: {desk.state.step_count}{limit}. Notes: {len(notes)}, and {gone} deleted."
    said = _said(observation) if isinstance(observation, CallToolObservation) else ""
    return (
        f"<style>{_STYLE}</style><p>{escape(desk.state.prompt) or 'Nothing is asked for yet.'}</p>"
        f"<p><small>{counts}</small></p>{said}<ul>{cards}</ul>"
    )


def _said(observation: CallToolObservation) -> str:
    """Show what a call gave, or why it gave nothing."""
    name = escape(observation.tool_name)
    if observation.error is not None:
        return f"<div class='bad'><b>{name}</b> failed<pre>{escape(observation.error.message)}</pre></div>"
    given = json.dumps(observation.result.data, ensure_ascii=False, indent=1)
    return f"<div><b>{name}</b> gave<pre>{escape(given)}</pre></div>"


def _card(number: int, entry: Entry, *, is_changed: bool) -> str:
    tags = "".join(f"<i>{escape(tag)}</i>" for tag in sorted(entry.tags))
    kind = " class='changed'" if is_changed else ""
    return (
        f"<li{kind}><b>{escape(entry.title)}</b> <small>{number} · {escape(entry.created)}</small>"
        f"<p>{escape(entry.body)}</p>{tags}</li>"
    )
