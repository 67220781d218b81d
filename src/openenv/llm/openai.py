"""Models behind any endpoint that speaks OpenAI's chat completions."""

from collections.abc import Mapping, Sequence
from typing import Any

from openenv.llm.endpoint import EndpointClient
from openenv.llm.schemas import openai_tools

__all__ = ["OpenAIClient"]


class OpenAIClient(EndpointClient):
    """A model behind any endpoint that speaks OpenAI's chat completions, hosted or your own.

    Args:
        use_max_completion_tokens: Send the limit by its newer name, and no temperature, as reasoning models want it.
        limits: `timeout_s`, `retries` and `backoff_s`.

    See `EndpointClient` for the other arguments.
    """

    _PATH = "chat/completions"

    def __init__(
        self,
        endpoint: str,
        port: int | None,
        model: str,
        api_key: str | None = None,
        system_prompt: str | None = None,
        temperature: float | None = 0.0,
        max_tokens: int = 256,
        use_max_completion_tokens: bool = False,
        **limits: Any,
    ) -> None:
        super().__init__(endpoint, port, model, api_key, system_prompt, temperature, max_tokens, **limits)
        self._is_new_style = use_max_completion_tokens

    def _request(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        if self._is_new_style:
            settings["max_completion_tokens"] = settings.pop("max_tokens")
            settings.pop("temperature", None)
        is_told = any(message.get("role") in ("system", "developer") for message in messages)
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt and not is_told else []
        offered = {"tools": openai_tools(tools)} if tools else {}
        return {**settings, "messages": [*system, *map(dict, messages)], **offered}

    def _headers(self, api_key: str | None) -> Mapping[str, str]:
        return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}

    def _read(self, answer: Any) -> tuple[str | None, list[tuple[str, str, Any]]]:
        message = answer["choices"][0]["message"]
        calls = [
            (call["id"], call["function"]["name"], call["function"].get("arguments"))
            for call in message.get("tool_calls") or ()
        ]
        return message["content"] if not calls else message.get("content"), calls
