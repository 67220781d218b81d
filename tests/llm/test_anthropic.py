"""What is sent to an endpoint with Anthropic's messages; `test_endpoint` has what goes wrong."""

from openenv.llm import AnthropicClient, LLMResponse, ToolCall
from tests.llm.test_endpoint import ASKED, KEY, TOOL, anthropic, ask
from tests.support.endpoint import endpoint


def test_anthropic_is_asked_in_its_words() -> None:
    with endpoint(anthropic("I say.", ("1", {"text": "hi"}))) as served:
        answer = ask(AnthropicClient, served, system_prompt="Be brief.", max_tokens=9)
    assert answer == LLMResponse("I say.", [ToolCall("1", "say", {"text": "hi"})])
    (request,) = served.requests
    assert request.line == "POST /v1/messages HTTP/1.1"
    assert (request.headers["x-api-key"], request.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in request.headers
    assert request.body == {
        "model": "m-1",
        "messages": ASKED,
        "system": "Be brief.",
        "tools": [{"name": "say", "description": "Says.", "input_schema": TOOL["inputSchema"]}],
        "temperature": 0.0,
        "max_tokens": 9,
    }
