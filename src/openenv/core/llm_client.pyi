# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.llm import AnthropicClient as AnthropicClient
from openenv.llm import LLMClient as LLMClient
from openenv.llm import LLMResponse as LLMResponse
from openenv.llm import OpenAIClient as OpenAIClient
from openenv.llm import ToolCall as ToolCall
from openenv.llm import create_llm_client as create_llm_client
