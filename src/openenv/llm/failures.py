"""How a language model fails to answer.

::

    OpenEnvError
    └── ModelFailed                       a language model gave no answer: .status
        └── ModelTimedOut (TimeoutError)
"""

from openenv.errors import OpenEnvError

__all__ = ["ModelFailed", "ModelTimedOut"]


class ModelFailed(OpenEnvError):
    """A language model gave no answer.

    Attributes:
        status: The HTTP status of its endpoint; None when it did not get that far.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ModelTimedOut(ModelFailed, TimeoutError):
    """A language model gave no answer in time."""
