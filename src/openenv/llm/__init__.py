"""Language models behind an endpoint: asked for text or for tool calls, without an SDK."""

from openenv.llm.anthropic import AnthropicClient
from openenv.llm.base import LLMClient, LLMResponse, ToolCall
from openenv.llm.failures import ModelFailed, ModelTimedOut
from openenv.llm.hosted import create_llm_client
from openenv.llm.openai import OpenAIClient

__all__ = [
    "AnthropicClient",
    "LLMClient",
    "LLMResponse",
    "ModelFailed",
    "ModelTimedOut",
    "OpenAIClient",
    "ToolCall",
    "create_llm_client",
]
