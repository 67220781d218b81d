"""Asking models for tool calls, in both vocabularies, behind a real server on this machine."""

import asyncio
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.llm import (
    AnthropicClient,
    LLMClient,
    LLMResponse,
    ModelFailed,
    ModelTimedOut,
    OpenAIClient,
    ToolCall,
)
from tests.support.endpoint import HANG, Endpoint, completion, endpoint, response

KEY = "sk-very-secret-0123456789"
TOOL = {"name": "say", "description": "Says.", "inputSchema": {"type": "object", "properties": {"text": {}}}}
ASKED = [{"role": "user", "content": "Say hi"}]
CLIENTS = pytest.mark.parametrize("client", [OpenAIClient, AnthropicClient])


def openai(content: Any, *calls: tuple[str, Any]) -> bytes:
    asked = [{"id": n, "type": "function", "function": {"name": "say", "arguments": given}} for n, given in calls]
    return response(200, {"choices": [{"message": {"role": "assistant", "content": content, "tool_calls": asked}}]})


def anthropic(content: str | None, *calls: tuple[str, Any]) -> bytes:
    blocks = [] if content is None else [{"type": "text", "text": content}]
    blocks += [{"type": "tool_use", "id": n, "name": "say", "input": given} for n, given in calls]
    return response(200, {"type": "message", "content": blocks})


def ask(client: Any, served: Endpoint, *, tools: Any = (TOOL,), messages: Any = ASKED, **options: Any) -> LLMResponse:
    settings = {name: options.pop(name) for name in ("timeout_s", "retries", "system_prompt") if name in options}
    made = client(served.url, None, "m-1", KEY, backoff_s=0.001, **{"timeout_s": 10, **settings})
    answer: LLMResponse = asyncio.run(made.complete_with_tools(messages, tools, **options))
    return answer


def test_openai_is_asked_in_its_words() -> None:
    with endpoint(openai(None, ("1", '{"text": "hi"}'), ("2", ""))) as served:
        answer = ask(OpenAIClient, served, system_prompt="Be brief.", top_p=0.5, tool_choice="required")
    assert answer == LLMResponse("", [ToolCall("1", "say", {"text": "hi"}), ToolCall("2", "say", {})])
    (request,) = served.requests
    assert request.body == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "Be brief."}, *ASKED],
        "tools": [
            {
                "type": "function",
                "function": {"name": "say", "description": "Says.", "parameters": TOOL["inputSchema"]},
            }
        ],
        "temperature": 0.0,
        "max_tokens": 256,
        "top_p": 0.5,
        "tool_choice": "required",
    }


@pytest.mark.parametrize(("client", "reply"), [(OpenAIClient, completion("hi")), (AnthropicClient, anthropic("hi"))])
def test_a_conversation_with_a_system_message_keeps_it_and_needs_no_tools(client: Any, reply: bytes) -> None:
    messages = [{"role": "system", "content": "Be kind."}, *ASKED]
    with endpoint(reply) as served:
        assert ask(client, served, tools=[], messages=messages, system_prompt="Be brief.") == LLMResponse("hi")
    body = served.requests[0].body
    assert "tools" not in body
    assert "Be kind." in str(body)
    assert "Be brief." not in str(body)


@pytest.mark.parametrize(("client", "reply"), [(OpenAIClient, openai), (AnthropicClient, anthropic)])
def test_a_whole_turn_goes_there_and_back(client: Any, reply: Any) -> None:
    async def play(made: LLMClient) -> str:
        messages: list[dict[str, Any]] = list(ASKED)
        answer = await made.complete_with_tools(messages, [TOOL])
        messages.append(answer.to_message_dict())
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "said"} for call in answer.tool_calls]
        return (await made.complete_with_tools(messages, [TOOL])).content

    given: Any = '{"text": "hi"}' if client is OpenAIClient else {"text": "hi"}
    with endpoint(reply("", ("7", given)), reply("Done.")) as served:
        assert asyncio.run(play(client(served.url, None, "m-1"))) == "Done."
    _, second = served.requests
    assert "authorization" not in second.headers
    assert "x-api-key" not in second.headers
    last = second.body["messages"][-1]
    assert ("7" in str(last), "said" in str(last)) == (True, True)


@CLIENTS
def test_a_busy_endpoint_is_asked_again_when_it_says(client: Any) -> None:
    fine = completion("hi") if client is OpenAIClient else anthropic("hi")
    with endpoint(response(429, b"", Retry_After="0"), response(529, b""), fine) as served:
        assert ask(client, served).content == "hi"
        assert len(served.requests) == 3
    with endpoint(response(429, {"error": {"message": "slow down"}}, Retry_After="60")) as served:
        with pytest.raises(ModelFailed, match="status 429: 'slow down'"):
            ask(client, served)
        assert len(served.requests) == 1


@CLIENTS
def test_a_silent_endpoint_is_given_up_in_time(client: Any) -> None:
    with endpoint(HANG) as served:
        with pytest.raises(ModelTimedOut, match=r"within 0\.1 s"):
            ask(client, served, timeout_s=0.1)
        assert served.given_up.wait(5)


@CLIENTS
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[" * 100_000,
        {},
        {"content": "text", "choices": "text"},
        {"content": [{"type": "text"}], "choices": [{"message": {"content": None}}]},
        {"content": [{"type": "tool_use", "id": "1"}], "choices": [{"message": {"tool_calls": [{"id": "1"}]}}]},
        {"content": [5], "choices": [{"message": {"content": "x", "tool_calls": [5]}}]},
    ],
)
def test_what_is_no_completion_is_a_failure(client: Any, body: Any) -> None:
    with endpoint(response(200, body)) as served, pytest.raises(ModelFailed, match="else than a completion") as caught:
        ask(client, served)
    assert (caught.value.status, KEY in str(caught.value)) == (200, False)


@pytest.mark.parametrize(
    ("client", "reply"),
    [
        (OpenAIClient, openai(None, ("1", '{"text": '))),
        (OpenAIClient, openai(None, ("1", f"[{KEY}]"))),
        (AnthropicClient, anthropic(None, ("1", [KEY]))),
    ],
)
def test_arguments_that_are_no_object_are_a_failure_that_names_the_tool(client: Any, reply: bytes) -> None:
    with endpoint(reply) as served, pytest.raises(ModelFailed, match="called 'say' with arguments that") as caught:
        ask(client, served)
    assert KEY not in str(caught.value)


@CLIENTS
def test_tools_that_are_none_are_refused_before_anything_is_sent(client: Any) -> None:
    with endpoint(HANG) as served:
        with pytest.raises(ConfigurationError, match="is no tool of MCP"):
            ask(client, served, tools=[{"description": "?"}])
        assert served.requests == []


def test_a_client_that_knows_no_tools_says_so() -> None:
    class Parrot(LLMClient):
        async def complete(self, prompt: str, **options: Any) -> str:
            return prompt

    with pytest.raises(NotImplementedError, match="Parrot cannot call tools"):
        asyncio.run(Parrot("http://localhost").complete_with_tools(ASKED, []))
