"""What the commands that talk to the Hugging Face Hub share: who is logged in, and how settings are typed."""

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from openenv.cli import output
from openenv.errors import ConfigurationError, HubError

if TYPE_CHECKING:
    from openenv.hub.huggingface import Account, Hub

__all__ = ["log_in", "secrets", "variables"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def log_in(*, writing: bool) -> "tuple[Hub, Account]":
    """Take the saved login, or ask for one at a terminal.

    Args:
        writing: Whether a token that may only read is of no use.

    Raises:
        HubError: Nobody is logged in, or not for that.
    """
    from openenv.hub.huggingface import Hub, saved_token  # not needed to print help

    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    hub = Hub(saved_token(log_in=sys.stdin.isatty()), on_wait=_tell_wait)
    account = hub.account()
    if account.can_write is False and writing:
        raise HubError(
            f"the token of {account.name} may only read", hint="log in with one that may write: `hf auth login --force`"
        )
    return hub, account


def variables(given: Sequence[str], option: str) -> dict[str, str]:
    """Read variables, each `NAME=VALUE`."""
    found = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not _VARIABLE.fullmatch(key):
            raise ConfigurationError(f"{option} {key!r} is no variable; write NAME=VALUE")
        found[key] = value
    return found


def secrets(given: Sequence[str], option: str) -> dict[str, str]:
    """Read secrets, each `NAME` for a variable of this process, or else `NAME=VALUE`."""
    found = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not _VARIABLE.fullmatch(key):
            # What was typed is not repeated: the secret may be part of it.
            raise ConfigurationError(f"{option} is no name of a variable; write {option} NAME, and set NAME beforehand")
        if equals:
            output.hint(
                f"a secret on the command line shows in the list of processes; set {key}, and say {option} {key}"
            )
        elif (value := os.environ.get(key, "")) == "":
            raise ConfigurationError(f"{option} {key} takes the value from the variable {key}, which is not set")
        found[key] = value
    return found


def _tell_wait(why: str, wait_s: float) -> None:
    output.note(f"{why}; trying again in {wait_s:g} s")
