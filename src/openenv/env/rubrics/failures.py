"""How a reward fails to be computed. A step that meets one of these fails; it never gets a made-up reward instead.

::

    OpenEnvError
    └── RubricFailed                  a rubric gave no reward: .component names it
        ├── BadScore (ValueError)     ... its score is no finite number
        └── JudgeFailed               ... its language model gave no score: .status .reply
"""

from openenv.errors import OpenEnvError

__all__ = ["BadScore", "JudgeFailed", "RubricFailed"]


class RubricFailed(OpenEnvError):
    """A rubric gave no reward.

    Attributes:
        component: The rubric's path in its tree, such as `style.length`; its class name where it has none.
    """

    def __init__(self, component: str, message: str) -> None:
        super().__init__(f"rubric {component!r} {message}")
        self.component = component


class BadScore(RubricFailed, ValueError):
    """A rubric gave NaN, an infinity, or no number at all; a trainer would learn from a reward that never was."""


class JudgeFailed(RubricFailed):
    """The language model that a rubric asked gave no score.

    Attributes:
        status: The HTTP status it answered with; None when it was not that.
        reply: What the model said, cut short; None when it said nothing.
    """

    def __init__(self, component: str, message: str, *, status: int | None = None, reply: str | None = None) -> None:
        super().__init__(component, message)
        self.status = status
        self.reply = reply
