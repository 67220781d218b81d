"""How an observation looks at `/web`: where the question is from, what it asks, and what the answer was worth."""

import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or "." in (__package__ or ""):
    from ..models import ReasoningObservation
else:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import ReasoningObservation

__all__ = ["draw"]

_STYLE = """<style>
  body { font: 15px system-ui, sans-serif; margin: 8px 12px }
  pre { font: 14px/1.5 ui-monospace, monospace; padding: .8em 1em; margin: .6em 0; border-radius: 6px;
        white-space: pre-wrap; overflow-wrap: anywhere; background: #8882 }
  .tag { display: inline-block; padding: .1em .6em; margin-right: .4em; border-radius: 1em; background: #8883 }
  p { margin: .5em 0 }
  .good { color: #1a9c4b } .bad { color: #e5484d }
</style>"""


def draw(observation: ReasoningObservation) -> str:
    """Write the HTML."""
    where = observation.metadata
    tags = [str(where["dataset"]).replace("_", " "), str(where["split"]), f"no. {where['index']}"]
    shown = "".join(f"<span class='tag'>{escape(tag)}</span>" for tag in tags)
    kind, said = _verdict(observation)
    return f"{_STYLE}<p>{shown}</p><pre>{escape(observation.question)}</pre><p class='{kind}'>{said}</p>"


def _verdict(observation: ReasoningObservation) -> tuple[str, str]:
    """Say what the answer was worth, and whether that is good."""
    left = observation.attempts_left
    more = f" {left} more {'answer' if left == 1 else 'answers'} may be given." if left else ""
    if observation.score is None:
        return "", "The episode is over." if observation.done else more.strip()
    if observation.score == 1.0:
        return "good", "That is right."
    worth = f", but worth {observation.score:.2f} of 1" if observation.score else ""
    return "bad", f"That is not right{worth}.{more}"
