"""The clients of hosted models: which is made, and with which settings."""

from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.llm import AnthropicClient, OpenAIClient, create_llm_client

KEY = "sk-very-secret-0123456789"


@pytest.mark.parametrize(
    ("provider", "model", "kind", "is_new_style"),
    [
        ("openai", "gpt-4o", OpenAIClient, False),
        ("OpenAI", "gpt-5-mini", OpenAIClient, True),
        ("openai", "o3", OpenAIClient, True),
        ("openai", "o4-mini-2025-04-16", OpenAIClient, True),
        ("anthropic", "claude-x", AnthropicClient, False),
    ],
)
def test_hosted_models_by_the_name_of_their_host(provider: str, model: str, kind: Any, is_new_style: bool) -> None:
    client = create_llm_client(provider, model, KEY, system_prompt="Be brief.", max_tokens=7, timeout_s=3, retries=1)
    assert type(client) is kind
    assert client.base_url == f"https://api.{provider.lower()}.com:443"
    told = vars(client)
    assert [told[name] for name in ("model", "system_prompt", "max_tokens", "timeout_s", "retries")] == [
        model, "Be brief.", 7, 3, 1,
    ]  # fmt: skip
    assert told.get("_is_new_style", False) is is_new_style
    assert KEY not in repr(client)


def test_an_unknown_host_is_told_with_the_way_out() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no provider 'vllm'; .* OpenAIClient\(endpoint, ...\) takes any other"
    ):
        create_llm_client("vllm", "m", KEY)
