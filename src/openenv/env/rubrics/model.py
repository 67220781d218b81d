"""Clients of language models, as far as a judge needs them: a prompt goes out, text comes back, within a limit of time.

Endpoints that speak OpenAI's chat completions are spoken to without their SDK. A status that says "later" is met with
another try; everything else is a `ModelFailed`. The API key is in the request and nowhere else.
"""

import asyncio
import json
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from openenv.env.rubrics.failures import ModelFailed, ModelTimedOut
from openenv.env.rubrics.post import Answer, PostFailed, post, target_of
from openenv.errors import ConfigurationError

__all__ = ["LLMClient", "OpenAIClient"]

logger = logging.getLogger(__name__)

# Request timeout, conflict, too early, too many requests, and what gateways and overloaded servers say.
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_MAX_PAUSE_S = 30.0
_QUOTED = 300


class LLMClient(ABC):
    """A language model that can be asked. Subclass it for an endpoint of another kind and write `complete`."""

    def __init__(self, endpoint: str, port: int | None = None) -> None:
        self.endpoint = endpoint
        self.port = port

    @abstractmethod
    async def complete(self, prompt: str, **options: Any) -> str:
        """Answer a prompt.

        Args:
            prompt: What to ask.
            options: Sampling settings for this call, such as `temperature` and `max_tokens`.
        """

    @property
    def base_url(self) -> str:
        """Address of the endpoint."""
        return self.endpoint if self.port is None else f"{self.endpoint}:{self.port}"

    def conceal(self, text: str) -> str:
        """Take secrets out of a text that is to be shown."""
        return text


class OpenAIClient(LLMClient):
    """A model behind any endpoint that speaks OpenAI's chat completions, hosted or your own.

    Args:
        endpoint: Such as `https://api.openai.com`; its path is `/v1` unless it has one.
        port: Where the address names none.
        model: The model's name there.
        api_key: Sent as a bearer token; None sends none.
        system_prompt: Goes before every prompt.
        temperature: Of every call, unless it says otherwise. None leaves it to the endpoint.
        max_tokens: Of every answer, unless a call says otherwise.
        use_max_completion_tokens: Send the limit by its newer name, and no temperature, as reasoning models want it.
        timeout_s: For a call with all its tries.
        retries: How many more tries there are after a status that says "later".
        backoff_s: Pause before the second try; it doubles each time. A `Retry-After` goes before it.

    Raises:
        ConfigurationError: The address or the key cannot be sent.
    """

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
        self._is_new_style = use_max_completion_tokens
        self._api_key = api_key
        self._target = target_of(endpoint, port).below("chat/completions")

    async def complete(self, prompt: str, **options: Any) -> str:
        """Answer a prompt; `temperature` and `max_tokens` may be set for the call.

        Raises:
            ModelTimedOut: There was no answer within `timeout_s`.
            ModelFailed: The endpoint refused, kept refusing, or answered something else than a completion.
        """
        body = json.dumps(self._request(prompt, options)).encode()
        headers = {} if self._api_key is None else {"Authorization": f"Bearer {self._api_key}"}
        try:
            async with asyncio.timeout(self.timeout_s):
                answer = await self._accepted(headers, body)
        except TimeoutError as error:
            raise ModelTimedOut(f"{self._who} gave no answer within {self.timeout_s} s") from error
        return self._text(answer)

    def conceal(self, text: str) -> str:
        """Take the API key out of a text that is to be shown."""
        return text.replace(self._api_key, "[api key]") if self._api_key else text

    @property
    def _who(self) -> str:
        return f"model {self.model!r} at {self._target}"

    def _request(self, prompt: str, options: Mapping[str, Any]) -> dict[str, Any]:
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        limit = "max_completion_tokens" if self._is_new_style else "max_tokens"
        request = {
            "model": self.model,
            "messages": [*system, {"role": "user", "content": prompt}],
            limit: options.get("max_tokens", self.max_tokens),
        }
        temperature = options.get("temperature", self.temperature)
        if temperature is not None and not self._is_new_style:
            request["temperature"] = temperature
        return request

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

    def _text(self, answer: Answer) -> str:
        if answer.status != 200:
            said = self._quoted(_complaint(answer.body))
            raise ModelFailed(f"{self._who} answered with status {answer.status}: {said}", status=answer.status)
        try:
            text = json.loads(answer.body)["choices"][0]["message"]["content"]
        except (ValueError, RecursionError, LookupError, TypeError):
            text = None
        if not isinstance(text, str):
            said = self._quoted(answer.body.decode(errors="replace"))
            raise ModelFailed(f"{self._who} answered with something else than a completion: {said}", status=200)
        return text

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
