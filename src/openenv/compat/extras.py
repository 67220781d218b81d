"""Names that code written for OpenEnv imports and nothing of ours needs: a few shapes, and three small functions."""

import asyncio
import contextvars
import re
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypedDict, TypeVar

__all__ = [
    "Message",
    "ModelTokenizer",
    "Scalar",
    "convert_to_ws_url",
    "hf_space_subdomain",
    "run_async_safely",
]

T = TypeVar("T")

Scalar = bool | int | float
"""A reward."""


class Message(TypedDict):
    """One message of a chat."""

    role: str
    content: str


class ModelTokenizer(Protocol):
    """The part of a tokenizer that chat environments use; those of `transformers` have it."""

    def apply_chat_template(
        self,
        conversation: list[Message],
        tokenize: bool = True,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Lay a conversation out as the model was trained on it, as tokens or as text."""

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, **kwargs: Any) -> str:
        """Give the text of tokens."""


def run_async_safely(coro: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and give its result, also where a loop runs already: it has one of its own then."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coro)
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(contextvars.copy_context().run, asyncio.run, coro).result()


def convert_to_ws_url(url: str) -> str:
    """Give the WebSocket address of a server: http becomes ws, https becomes wss, and a bare host gets ws."""
    scheme, found, rest = url.strip().rstrip("/").partition("://")
    if not found:
        return f"ws://{scheme}"
    return f"{ {'http': 'ws', 'https': 'wss'}.get(scheme.lower(), scheme) }://{rest}"


def hf_space_subdomain(repo_id: str) -> str:
    """Give the part of a Space's host that names it: `user/My_Space` is at `user-my-space`."""
    return re.sub(r"[^a-z0-9]", "-", repo_id.lower())
