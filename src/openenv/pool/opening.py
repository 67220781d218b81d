"""Opening a session: connect, and ask for the state, since only an answer tells that the server has let us in.

A server at capacity lets clients queue for longer than a checkout may want to wait while another server has room.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from openenv.client import EnvClient
from openenv.errors import (
    AtCapacity,
    ConfigurationError,
    FactoryFailed,
    LocalError,
    PeerError,
    Refused,
    ReplyTimeout,
    UnknownSession,
    UsageError,
)
from openenv.protocol import Fault, GetState, exception_for

__all__ = ["FULL", "WILL_NOT_MEND", "open_async", "open_sync", "prepared"]

FULL = (AtCapacity, ReplyTimeout)
"""What says that a server which can be reached has no room."""
WILL_NOT_MEND = (ConfigurationError, FactoryFailed, LocalError, PeerError, Refused, UsageError)
"""What another try at the same server will hardly change."""

_NO_ENTRY = (AtCapacity, FactoryFailed, Refused, UnknownSession)

Client = EnvClient[Any, Any, Any]


def prepared(client: Client, limit_s: float, died: Callable[[], str | None] | None) -> Client:
    """Let a new client wait for its connection no longer than that, and know whom to ask how its server ended."""
    endpoint = client._endpoint
    patience = limit_s if endpoint.connect_timeout_s is None else min(limit_s, endpoint.connect_timeout_s)
    client._endpoint = dataclasses.replace(endpoint, connect_timeout_s=patience, died=died)
    return client


def open_sync(client: Client, limit_s: float) -> None:
    """Open the session of a prepared client, or close the client.

    Raises:
        AtCapacity, ReplyTimeout: The server has no room, or has not let us in in time.
        ConnectFailed, SessionLost: It cannot be reached.
        Refused, FactoryFailed: It does not want us, or has no environment.
    """
    deadline = time.monotonic() + limit_s
    line = client._sync_line()
    try:
        line.connect()
        _check(line.ask(GetState(max(deadline - time.monotonic(), 0.0))))
    except BaseException:  # Ctrl-C too
        client.close()
        raise


async def open_async(client: Client, limit_s: float) -> None:
    """Open the session of a prepared client on this event loop, or close the client. Raises as `open_sync`."""
    deadline = time.monotonic() + limit_s
    line = client._async_line()
    try:
        await line.connect()
        _check(await line.ask(GetState(max(deadline - time.monotonic(), 0.0))))
    except BaseException:  # cancelling too
        await client._close_async()
        raise


def _check(reply: object) -> None:
    """Any other answer, also that this environment has no state before a reset, comes from within a session."""
    if isinstance(reply, Fault) and isinstance(error := exception_for(reply), _NO_ENTRY):
        raise error
