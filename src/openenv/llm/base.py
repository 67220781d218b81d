"""What a language model is to those who ask it: text for a prompt, and text with tool calls for a conversation."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LLMClient", "LLMResponse", "ToolCall"]


@dataclass
class ToolCall:
    """A tool that the model wants called. Answer it by a message of role `tool` with its `id` as `tool_call_id`."""

    id: str
    name: str
    args: dict[str, Any]


@dataclass
class LLMResponse:
    """What the model said, which is empty where it only calls tools."""

    content: str
    tool_calls: list[ToolCall] = field(default_factory=list)

    def to_message_dict(self) -> dict[str, Any]:
        """Give it as a message of the conversation, as OpenAI has them."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.tool_calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.args)}}
                for call in self.tool_calls
            ]
        return message


class LLMClient(ABC):
    """A language model that can be asked. Subclass it for an endpoint of another kind and write `complete`."""

    def __init__(self, endpoint: str, port: int | None = None) -> None:
        self.endpoint = endpoint
        self.port = port

    @abstractmethod
    async def complete(self, prompt: str, **options: Any) -> str:
        """Answer a prompt.

        Args:
            prompt: What to ask.
            options: Sampling settings for this call, such as `temperature` and `max_tokens`.
        """

    async def complete_with_tools(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], **options: Any
    ) -> LLMResponse:
        """Go on with a conversation, in which the model may call tools.

        Args:
            messages: As OpenAI has them: `{"role": "user", "content": "..."}`.
            tools: As MCP has them, mappings or objects: a name, a description and an input schema.
            options: As of `complete`.

        Raises:
            NotImplementedError: This kind of client cannot.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot call tools")

    @property
    def base_url(self) -> str:
        """Address of the endpoint."""
        return self.endpoint if self.port is None else f"{self.endpoint}:{self.port}"

    def conceal(self, text: str) -> str:
        """Take secrets out of a text that is to be shown."""
        return text
