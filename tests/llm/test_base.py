"""What models answer with, as those who ask have it."""

from openenv.llm import LLMResponse, ToolCall


def test_an_answer_goes_back_into_the_conversation_as_it_came() -> None:
    assert LLMResponse("hi").to_message_dict() == {"role": "assistant", "content": "hi"}
    answer = LLMResponse("", [ToolCall("1", "say", {"text": "hö"}), ToolCall("2", "go", {})])
    message = answer.to_message_dict()
    assert [(call["id"], call["type"], call["function"]["name"]) for call in message["tool_calls"]] == [
        ("1", "function", "say"),
        ("2", "function", "go"),
    ]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"text": "h\\u00f6"}', "{}"]


def test_answers_share_no_calls() -> None:
    LLMResponse("a").tool_calls.append(ToolCall("1", "say", {}))
    assert LLMResponse("b").tool_calls == []
