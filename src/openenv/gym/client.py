"""A client that knows nothing of the environment's types, and can look at it as the page does."""

from dataclasses import replace
from typing import Any

from openenv.client import GenericEnvClient
from openenv.errors import UsageError
from openenv.protocol import Fault, GetView, LinkReply, ViewIs, exception_for

__all__ = ["GymClient"]


class GymClient(GenericEnvClient):
    """`GenericEnvClient` with views, and arrays as they are to servers that take them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # those of `EnvClient`
        super().__init__(*args, **kwargs)
        self._endpoint = replace(self._endpoint, arrays=True)

    def view(self) -> str:
        """Ask how the environment shows its latest observation, as HTML. Raises as `view_of` does."""
        return view_of(self._sync_line().ask(GetView()))


def view_of(reply: LinkReply) -> str:
    """Take the HTML out of a reply.

    Raises:
        RemoteFault: The server said no.
        UsageError: There is nothing to show.
    """
    if isinstance(reply, Fault):
        raise exception_for(reply)
    assert isinstance(reply, ViewIs)  # the session lets no other kind through
    html: Any = reply.view.get("html") if isinstance(reply.view, dict) else None
    if not isinstance(html, str):
        raise UsageError("the server has no frame to show; call reset() first")
    return html
