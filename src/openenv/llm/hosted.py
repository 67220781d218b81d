"""The clients of hosted models, by the name of who hosts them."""

import re
from typing import Any

from openenv.errors import ConfigurationError
from openenv.llm.anthropic import AnthropicClient
from openenv.llm.base import LLMClient
from openenv.llm.openai import OpenAIClient

__all__ = ["create_llm_client"]

# Reasoning models, which know the limit of an answer by its newer name only, and refuse a temperature.
_NEW_STYLE = re.compile(r"(o\d|gpt-5)(?![0-9])")


def create_llm_client(
    provider: str,
    model: str,
    api_key: str,
    *,
    system_prompt: str | None = None,
    temperature: float | None = 0.0,
    max_tokens: int = 4096,
    timeout_s: float = 60.0,
    retries: int = 3,
) -> LLMClient:
    """Make the client of a hosted model; for an endpoint of your own make an `OpenAIClient`.

    Args:
        provider: `openai` or `anthropic`.
        model: Its name there.
        api_key: Of your account there.
        system_prompt: Goes before every conversation that has no such message of its own.
        temperature: Of every call, unless it says otherwise. None leaves it to the provider.
        max_tokens: Of every answer, unless a call says otherwise.
        timeout_s: For a call with all its tries.
        retries: How many more tries there are after a status that says "later".

    Raises:
        ConfigurationError: There is no such provider.
    """
    settings: dict[str, Any] = {
        "api_key": api_key,
        "system_prompt": system_prompt,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "timeout_s": timeout_s,
        "retries": retries,
    }
    match provider.lower():
        case "openai":
            is_new_style = bool(_NEW_STYLE.match(model))
            return OpenAIClient(
                "https://api.openai.com", 443, model, use_max_completion_tokens=is_new_style, **settings
            )
        case "anthropic":
            return AnthropicClient("https://api.anthropic.com", 443, model, **settings)
    raise ConfigurationError(
        f"there is no provider {provider!r}; it is openai or anthropic, and OpenAIClient(endpoint, ...) takes any other"
    )
