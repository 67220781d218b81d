"""Models behind an endpoint that speaks Anthropic's messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from openenv.llm.endpoint import EndpointClient
from openenv.llm.schemas import anthropic_messages, anthropic_tools

__all__ = ["AnthropicClient"]

_VERSION = "2023-06-01"


class AnthropicClient(EndpointClient):
    """A model behind an endpoint that speaks Anthropic's messages. See `EndpointClient` for the arguments."""

    _PATH = "messages"

    def _request(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        told, turns = anthropic_messages(messages)
        system = told or self.system_prompt
        more: dict[str, Any] = {"system": system} if system else {}
        more |= {"tools": anthropic_tools(tools)} if tools else {}
        return {**settings, "messages": turns, **more}

    def _headers(self, api_key: str | None) -> Mapping[str, str]:
        return {"anthropic-version": _VERSION, **({} if api_key is None else {"x-api-key": api_key})}

    def _read(self, answer: Any) -> tuple[str | None, list[tuple[str, str, Any]]]:
        blocks = answer["content"]
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        calls = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
        return "".join(texts) if texts or not calls else None, calls
