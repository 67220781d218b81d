"""What can go wrong between us and the Hub, as one table: which failures pass, and what each is called.

The library raises its own errors, those of its HTTP library (httpx until its version 1, httpx2 since, hence the names
below), and Python's. They are known here and nowhere else.
"""

import os

from openenv.errors import HubError

__all__ = ["TOKENS", "failures", "retry_after_s", "transient_reason", "translate"]

TOKENS = "https://huggingface.co/settings/tokens"

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSED = frozenset({425, 429, 503})
"""After these nothing was carried out."""
_BROKEN = ("TimeoutException", "NetworkError", "RemoteProtocolError", "ProxyError")
_NOT_REACHED = ("ConnectError", "ConnectTimeout", "ProxyError")

_HINTS = {
    401: f"log in again with `hf auth login --force`, or set HF_TOKEN to a token from {TOKENS}",
    402: "the owner needs a subscription for this hardware, or pick another by --hardware",
    403: f"use a token that may write for the owner of the Space, from {TOKENS}, or name another owner by --namespace",
    404: "check the name given by --repo-id or --namespace, and that the token may see it",
    409: "look at the Space, and push again when nobody else changes it",
    413: "leave large files out by --exclude",
    429: "wait a while, and push again: what was uploaded is not uploaded twice",
}
_SENTENCES = {
    401: "it does not accept the token",
    402: "that has to be paid for",
    403: "the token may not do that",
    404: "there is no such thing, or the token may not see it",
    409: "something else is in the way",
    413: "it is too large",
    429: "too many requests",
}


def failures() -> tuple[type[Exception], ...]:
    """List what the library may raise."""
    from huggingface_hub import errors  # an extra

    # The bases of its own one are OSError and the root of its HTTP library's errors. The login's came later.
    of_login = getattr(errors, "DeviceCodeError", OSError)
    return (*errors.HfHubHTTPError.__bases__, of_login, ValueError, RuntimeError)


def transient_reason(error: Exception, *, was_reached: bool, only_if_refused: bool = False) -> str | None:
    """Say in a few words why another try may help; None when none will.

    Args:
        error: What the library raised.
        was_reached: Whether the Hub has answered before; if not, a connection that cannot be made is no passing matter.
        only_if_refused: Whether the request must not be carried out twice.
    """
    error = _root(error)
    if (status := _status(error)) is not None:
        return f"the Hub answered {status}" if status in (_REFUSED if only_if_refused else _TRANSIENT) else None
    names = _names(error)
    if not names & set(_BROKEN) or (names & set(_NOT_REACHED) and not was_reached):
        return None
    if only_if_refused and not names & set(_NOT_REACHED):
        return None
    return f"the connection to the Hub failed ({type(error).__name__})"


def retry_after_s(error: Exception) -> float | None:
    """Give the seconds the Hub asks to wait; None when it does not ask, or names a date."""
    response = getattr(_root(error), "response", None)
    asked = str(response.headers.get("retry-after", "")).strip() if response is not None else ""
    return float(asked) if asked.isascii() and asked.isdigit() else None


def translate(what: str, error: Exception, endpoint: str) -> HubError:
    """Say in a sentence what failed.

    Args:
        what: What the Hub was asked to do, as "create the Space a/b".
        error: What the library raised.
        endpoint: Where the Hub is.
    """
    error = _root(error)
    names = _names(error)
    if (status := _status(error)) is not None:
        said = getattr(error, "server_message", None) or _SENTENCES.get(status) or "it does not say why"
        return HubError(f"the Hub could not {what}: {_in_one_line(said)} (HTTP {status})", hint=_hint(status))
    if "OfflineModeIsEnabled" in names:
        return HubError("HF_HUB_OFFLINE forbids every call to the Hub", hint="unset HF_HUB_OFFLINE")
    if names & set(_NOT_REACHED):
        return HubError(
            f"the Hub at {endpoint} cannot be reached: {_in_one_line(error)}",
            hint="is there a network? is HF_ENDPOINT right?",
        )
    if names & set(_BROKEN):
        return HubError(
            f"the connection to the Hub failed, so it did not {what}: {_in_one_line(error) or type(error).__name__}",
            hint="push again: what was uploaded is not uploaded twice",
        )
    return HubError(f"the Hub could not {what}: {_in_one_line(error)}")


def _hint(status: int) -> str | None:
    if status == 401 and os.environ.get("HF_TOKEN"):
        return f"HF_TOKEN goes before the login; correct it with a token from {TOKENS}, or unset it"
    return _HINTS.get(status) or ("push again later" if status >= 500 else None)


def _root(error: Exception) -> Exception:
    """Look through the wrapper that the library puts around the failed upload of one file."""
    cause = error.__cause__
    return cause if isinstance(error, RuntimeError) and isinstance(cause, Exception) else error


def _status(error: Exception) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _names(error: Exception) -> set[str]:
    return {each.__name__ for each in type(error).__mro__}


def _in_one_line(said: object) -> str:
    return " ".join(str(said).split())
