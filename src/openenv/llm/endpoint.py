"""A model behind an HTTP endpoint: one request, its tries, its time, and what is said when it fails.

A status that says "later" is met with another try; everything else is a `ModelFailed`. The API key is in the request
and nowhere else. What is asked and how the answer reads is decided by who asks.
"""

import asyncio
import json
import logging
import random
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from openenv.errors import ConfigurationError
from openenv.llm.base import LLMClient, LLMResponse, ToolCall
from openenv.llm.failures import ModelFailed, ModelTimedOut
from openenv.llm.post import Answer, PostFailed, Target, post, target_of
from openenv.llm.schemas import read_arguments

__all__ = ["EndpointClient"]

logger = logging.getLogger(__name__)

# Request timeout, conflict, too early, too many requests, and what gateways and overloaded servers say.
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_MAX_PAUSE_S = 30.0
_QUOTED = 300


class EndpointClient(LLMClient):
    """What the clients of all endpoints have in common.

    Args:
        endpoint: Such as `https://api.openai.com`; its path is `/v1` unless it has one.
        port: Where the address names none.
        model: The model's name there.
        api_key: None sends none.
        system_prompt: Goes before every conversation that has no such message of its own.
        temperature: Of every call, unless it says otherwise. None leaves it to the endpoint.
        max_tokens: Of every answer, unless a call says otherwise.
        timeout_s: For a call with all its tries.
        retries: How many more tries there are after a status that says "later".
        backoff_s: Pause before the second try; it doubles each time. A `Retry-After` goes before it.

    Raises:
        ConfigurationError: The address or the key cannot be sent.
    """

    _PATH: str
    """Of the endpoint's resource, below its address."""

    def __init__(
        self,
        endpoint: str,
        port: int | None,
        model: str,
        api_key: str | None = None,
        system_prompt: str | None = None,
        temperature: float | None = 0.0,
        max_tokens: int = 256,
        *,
        timeout_s: float = 60.0,
        retries: int = 3,
        backoff_s: float = 0.5,
    ) -> None:
        super().__init__(endpoint, port)
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigurationError("the API key has characters that no header can carry, a line break perhaps")
        self.model = model
        self.system_prompt = system_prompt
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.timeout_s = timeout_s
        self.retries = retries
        self.backoff_s = backoff_s
        self._api_key = api_key
        self._target: Target = target_of(endpoint, port).below(self._PATH)

    async def complete(self, prompt: str, **options: Any) -> str:
        """Answer a prompt; `temperature`, `max_tokens` and whatever else the endpoint knows may be set for the call.

        Raises:
            ModelTimedOut: There was no answer within `timeout_s`.
            ModelFailed: The endpoint refused, kept refusing, or answered something else than a completion.
        """
        response = await self._asked([{"role": "user", "content": prompt}], (), options)
        return response.content

    async def complete_with_tools(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], **options: Any
    ) -> LLMResponse:
        """Go on with a conversation, in which the model may call tools. Options and errors are those of `complete`.

        Args:
            messages: As OpenAI has them: `{"role": "user", "content": "..."}`.
            tools: As MCP has them, mappings or objects: a name, a description and an input schema.
            options: As of `complete`.

        Raises:
            ModelFailed: As above, or the model called a tool with arguments that are no JSON object.
            ConfigurationError: A message or a tool is none.
        """
        return await self._asked(messages, tools, options)

    def conceal(self, text: str) -> str:
        """Take the API key out of a text that is to be shown."""
        return text.replace(self._api_key, "[api key]") if self._api_key else text

    @abstractmethod
    def _request(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], settings: dict[str, Any]
    ) -> dict[str, Any]:
        """Give the body of a request. The settings have the model, `temperature` unless it is None, `max_tokens`."""

    @abstractmethod
    def _headers(self, api_key: str | None) -> Mapping[str, str]:
        """Give the headers of a request."""

    @abstractmethod
    def _read(self, answer: Any) -> tuple[str | None, list[tuple[str, str, Any]]]:
        """Take what the model said, and its tool calls as id, name and arguments, out of an answer.

        Raises:
            LookupError, TypeError, ValueError: It is no completion.
        """

    @property
    def _who(self) -> str:
        return f"model {self.model!r} at {self._target}"

    async def _asked(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], options: Mapping[str, Any]
    ) -> LLMResponse:
        settings = {"model": self.model, "max_tokens": self.max_tokens, "temperature": self.temperature, **options}
        if settings["temperature"] is None:
            del settings["temperature"]
        body = json.dumps(self._request(messages, tools, settings)).encode()
        try:
            async with asyncio.timeout(self.timeout_s):
                answer = await self._accepted(self._headers(self._api_key), body)
        except TimeoutError as error:
            raise ModelTimedOut(f"{self._who} gave no answer within {self.timeout_s} s") from error
        return self._response(answer)

    async def _accepted(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post until an answer is no "later"."""
        deadline = asyncio.get_running_loop().time() + self.timeout_s
        tried = 0
        while True:
            try:
                answer = await post(self._target, headers, body)
            except PostFailed as error:
                raise ModelFailed(f"{self._who} gave no answer: {self.conceal(str(error))}") from None
            pause = _pause_s(answer.retry_after, self.backoff_s * 2**tried, random.random())
            has_time = asyncio.get_running_loop().time() + pause < deadline
            if answer.status not in _RETRYABLE or tried >= self.retries or not has_time:
                return answer
            logger.info("%s answered %d; trying again in %.1f s", self._who, answer.status, pause)
            await asyncio.sleep(pause)
            tried += 1

    def _response(self, answer: Answer) -> LLMResponse:
        if answer.status != 200:
            said = self._quoted(_complaint(answer.body))
            raise ModelFailed(f"{self._who} answered with status {answer.status}: {said}", status=answer.status)
        try:
            content, calls = self._read(json.loads(answer.body))
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            content, calls = None, []
        if not isinstance(content, str) and not (content is None and calls):
            said = self._quoted(answer.body.decode(errors="replace"))
            raise ModelFailed(f"{self._who} answered with something else than a completion: {said}", status=200)
        return LLMResponse(content or "", [self._call(*call) for call in calls])

    def _call(self, call_id: str, name: str, given: Any) -> ToolCall:
        arguments = read_arguments(given)
        if arguments is None:
            said = self._quoted(str(given))
            raise ModelFailed(f"{self._who} called {name!r} with arguments that are no JSON object: {said}", status=200)
        return ToolCall(call_id, name, arguments)

    def _quoted(self, text: str) -> str:
        return repr(self.conceal(text)[:_QUOTED])  # concealed first, or the cut might leave half a key


def _pause_s(retry_after: str | None, backoff_s: float, chance: float) -> float:
    """Say how long to wait: what the server asks for, else the backoff, spread so that callers do not return at once.

    Args:
        retry_after: The header as it came; dates are left alone, since clocks differ.
        backoff_s: How long at most, when the server does not say.
        chance: From 0 to 1, where in the upper half of the backoff.
    """
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    return min(backoff_s, _MAX_PAUSE_S) * (0.5 + 0.5 * chance)


def _complaint(body: bytes) -> str:
    """Find the sentence in an error body, of one of the shapes in use; else give all of it."""
    text = body.decode(errors="replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    while isinstance(said, dict):
        said = next((said[key] for key in ("error", "message", "detail") if key in said), str(said))
    return said if isinstance(said, str) else text
