"""Asking a model behind a real server on this machine: what is sent, what is tried again, and what is never said."""

import asyncio
import logging
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.llm import LLMClient, ModelFailed, ModelTimedOut, OpenAIClient
from openenv.llm.endpoint import _pause_s
from tests.support.endpoint import HANG, Endpoint, completion, endpoint, response

KEY = "sk-very-secret-0123456789"
QUICK: dict[str, Any] = {"backoff_s": 0.001, "timeout_s": 10}


def ask(served: Endpoint, **options: Any) -> str:
    client = OpenAIClient(served.url, None, "judge-1", **{**QUICK, **options})
    return asyncio.run(client.complete("How good?"))


def test_a_prompt_is_sent_as_a_chat_completion_and_the_text_comes_back() -> None:
    with endpoint(completion("0.5")) as served:
        assert ask(served, api_key=KEY, system_prompt="Be brief.") == "0.5"
    (request,) = served.requests
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "judge-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How good?"}],
        "temperature": 0.0,
        "max_tokens": 256,
    }


def test_without_a_key_none_is_sent() -> None:
    with endpoint(completion("0.5")) as served:
        ask(served)
    assert "authorization" not in served.requests[0].headers


def test_sampling_is_set_for_the_client_or_the_call() -> None:
    async def calls(client: OpenAIClient) -> None:
        await client.complete("a", temperature=0.7, max_tokens=5)
        await client.complete("b")

    with endpoint(completion("0.5")) as served:
        asyncio.run(calls(OpenAIClient("http://127.0.0.1", served.port, "m", temperature=None, max_tokens=9)))
        asyncio.run(calls(OpenAIClient("http://127.0.0.1", served.port, "m", use_max_completion_tokens=True)))
    bodies = [
        {key: value for key, value in sent.body.items() if key not in ("model", "messages")} for sent in served.requests
    ]
    assert bodies == [
        {"temperature": 0.7, "max_tokens": 5},
        {"max_tokens": 9},
        {"max_completion_tokens": 5},
        {"max_completion_tokens": 256},
    ]


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_a_status_that_says_later_is_met_with_another_try(status: int) -> None:
    with endpoint(response(status, b""), response(status, b""), completion("0.5")) as served:
        assert ask(served) == "0.5"
    assert len(served.requests) == 3


def test_tries_come_to_an_end() -> None:
    with endpoint(response(503, {"error": {"message": "overloaded"}})) as served:
        with pytest.raises(ModelFailed, match="answered with status 503: 'overloaded'") as caught:
            ask(served, retries=2)
        assert len(served.requests) == 3
    assert caught.value.status == 503


@pytest.mark.parametrize("status", [201, 301, 400, 401, 403, 404, 413, 422, 501])
def test_any_other_status_is_final(status: int) -> None:
    with endpoint(response(status, {"detail": "no"}), completion("0.5")) as served:
        with pytest.raises(ModelFailed, match=f"model 'judge-1' at {served.url}/v1/.* status {status}: 'no'") as caught:
            ask(served)
        assert len(served.requests) == 1
    assert caught.value.status == status


def test_a_server_that_asks_for_more_time_than_there_is_is_not_waited_for() -> None:
    with endpoint(response(429, {"message": "slow down"}, Retry_After="3600")) as served:
        with pytest.raises(ModelFailed, match="status 429: 'slow down'"):
            ask(served)
        assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("retry_after", "backoff_s", "chance", "pause_s"),
    [
        (None, 2.0, 0.0, 1.0),
        (None, 2.0, 1.0, 2.0),
        (None, 1e9, 1.0, 30.0),
        ("7", 2.0, 0.0, 7.0),
        ("0", 2.0, 1.0, 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 2.0, 1.0, 2.0),
        ("-5", 2.0, 1.0, 2.0),
        ("²", 2.0, 1.0, 2.0),
    ],
)
def test_the_pause_is_what_the_server_asks_for_or_a_part_of_the_backoff(
    retry_after: str | None, backoff_s: float, chance: float, pause_s: float
) -> None:
    assert _pause_s(retry_after, backoff_s, chance) == pause_s


def test_a_silent_server_is_given_up_in_time_and_the_connection_with_it() -> None:
    with endpoint(HANG) as served:
        with pytest.raises(ModelTimedOut, match=r"gave no answer within 0.1 s"):
            ask(served, timeout_s=0.1)
        assert served.given_up.wait(5)


def test_a_connection_that_breaks_is_a_failure() -> None:
    with (
        endpoint(b"HTTP/1.1 200 OK\r\n") as served,
        pytest.raises(ModelFailed, match=r"gave no answer: .* ended before"),
    ):
        ask(served)


@pytest.mark.parametrize(
    "reply",
    [
        response(200, b"<html>"),
        response(200, {}),
        response(200, {"choices": []}),
        response(200, b"[1]"),
        response(200, b'"text"'),
        response(200, b"[" * 100_000),
        completion(None),
        completion(["parts"]),
    ],
)
def test_something_else_than_a_completion_is_a_failure(reply: bytes) -> None:
    with endpoint(reply) as served, pytest.raises(ModelFailed, match="something else than a completion") as caught:
        ask(served)
    assert caught.value.status == 200
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": f"Incorrect API key provided: {KEY}"}},
        {"error": f"bad key {KEY}"},
        {"detail": [f"bad key {KEY}"]},
        f"Authorization: Bearer {KEY}".encode(),
        b"x" * 290 + KEY.encode(),
        b"\xff\xfe" + KEY.encode(),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 503])
def test_the_key_is_in_no_error_and_no_log(body: Any, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with endpoint(response(status, body)) as served, pytest.raises(ModelFailed) as caught:
        ask(served, api_key=KEY, retries=1)
    chain: BaseException | None = caught.value
    said = caplog.text
    while chain is not None:
        said += f"{chain!r} {vars(chain)}"
        chain = chain.__cause__ or chain.__context__
    assert KEY[:10] not in said
    assert KEY not in repr(OpenAIClient(served.url, None, "m", api_key=KEY))


@pytest.mark.parametrize("key", ["sk-1\r\nX-Evil: 1", "sk-ü", "sk\n"])
def test_a_key_that_no_header_can_carry_is_refused_unsaid(key: str) -> None:
    with pytest.raises(ConfigurationError, match="the API key has characters") as caught:
        OpenAIClient("http://localhost", None, "m", api_key=key)
    assert key.strip() not in str(caught.value)


def test_another_kind_of_model_is_a_subclass() -> None:
    class Parrot(LLMClient):
        async def complete(self, prompt: str, **options: Any) -> str:
            return prompt

    parrot = Parrot("http://localhost", 8000)
    assert (parrot.base_url, Parrot("http://localhost").base_url) == ("http://localhost:8000", "http://localhost")
    assert parrot.conceal("text") == asyncio.run(parrot.complete("text"))
