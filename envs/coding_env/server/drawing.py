"""How an observation looks at `/web`: the task, what was printed, and how it ended. Pure text."""

import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING or "." in (__package__ or ""):
    from ..models import CodeObservation
else:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import CodeObservation

__all__ = ["draw"]

_STYLE = """<style>
  body { font: 14px system-ui, sans-serif; margin: 8px 12px }
  pre { font: 13px/1.45 ui-monospace, monospace; padding: .6em .8em; margin: .4em 0; border-radius: 6px;
        white-space: pre-wrap; overflow-wrap: anywhere; background: #8882 }
  pre.stderr { border-left: 4px solid #d33 }
  p { margin: .4em 0 }
  .good { color: #1a9c4b } .bad { color: #e5484d }
</style>"""


def draw(observation: CodeObservation) -> str:
    """Write the HTML."""
    parts = [_STYLE]
    if observation.prompt:
        parts.append(f"<p>{escape(observation.prompt)}</p>")
    for name in ("stdout", "stderr"):
        if text := getattr(observation, name):
            parts.append(f"<pre class='{name}'>{escape(text)}</pre>")
    parts += [f"<p class='{kind}'>{escape(line)}</p>" for kind, line in _lines(observation)]
    if observation.tests_total:
        parts.append(f"<progress value='{observation.tests_passed}' max='{observation.tests_total}'></progress>")
    return "".join(parts)


def _lines(observation: CodeObservation) -> list[tuple[str, str]]:
    """Say how it ended, and whether that is good."""
    lines = [("good" if observation.exit_code == 0 else "bad", f"exit code {observation.exit_code}")]
    if observation.exception:
        lines.append(("bad", observation.exception))
    if observation.timed_out:
        lines.append(("bad", "It was stopped at the time limit."))
    if observation.truncated_output:
        lines.append(("bad", "It printed more than is shown."))
    if observation.interpreter_ended:
        lines.append(("bad", "The interpreter is gone, and its variables with it. The next step begins another one."))
    if total := observation.tests_total:
        passed = observation.tests_passed
        lines.append(("good" if passed == total else "bad", f"{passed} of {total} tests passed"))
    return lines
