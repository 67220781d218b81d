"""A rubric that asks a language model. What the model says is taken for a score only where it can mean nothing else."""

import asyncio
import json
import math
import re
import string
from collections.abc import Mapping
from typing import Any, Protocol

from openenv.env.rubrics.base import Rubric
from openenv.env.rubrics.failures import JudgeFailed
from openenv.env.rubrics.scorecard import name_of
from openenv.errors import ConfigurationError, OpenEnvError

__all__ = ["LLMJudge", "read_score", "render"]

_PLACES = ("action", "observation")
_PLACE = re.compile(r"\{(action|observation)\}")
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_MARKS = r"[ \t*_`#>]*"  # of Markdown
_LABELLED = re.compile(
    rf"^{_MARKS}(?:final |overall )?score{_MARKS}[:=]{_MARKS}({_NUMBER}){_MARKS}\.?\s*$", re.I | re.M
)
_BARE = re.compile(rf"^{_MARKS}({_NUMBER}){_MARKS}\.?\s*$", re.M)
_FENCE = re.compile(r"\s*```(?:json)?\s*(\{.*\})\s*```\s*", re.S)
_QUOTED = 300


class _Model(Protocol):
    """What is asked: an `openenv.llm.LLMClient`, or anything else with this method."""

    async def complete(self, prompt: str) -> str: ...


class LLMJudge(Rubric):
    """Scores a step by what a language model says of it.

    Args:
        prompt_template: The prompt, with `{action}` and `{observation}` where these go; other braces stay.
        client: The model to ask, such as an `openenv.llm.OpenAIClient`.
        score_pattern: A regular expression; what its first group finds first is the score. None for the strict
            reading: a number that stands on a line of its own, maybe after `Score:`, or `score` in a JSON object.
        default_score: The score where none can be read. None makes that a `JudgeFailed`.
        normalize: Whether to bring scores below 0 to 0 and scores above 1 to 1.
        timeout_s: For one answer of the client.

    Raises:
        ConfigurationError: `score_pattern` is no regular expression, or has no group.
    """

    def __init__(
        self,
        prompt_template: str,
        client: _Model,
        *,
        score_pattern: str | None = None,
        default_score: float | None = None,
        normalize: bool = True,
        timeout_s: float = 120.0,
    ) -> None:
        super().__init__()
        self.prompt_template = prompt_template
        self.default_score = default_score
        self.normalize = normalize
        self.timeout_s = timeout_s
        self._client = client
        self._score_pattern = _compiled(score_pattern)

    async def forward(self, action: Any, observation: Any) -> float:
        """Ask for a score.

        Raises:
            JudgeFailed: There was no answer, not in time, or none that a score can be read from.
        """
        prompt = self._render_prompt(action, observation)
        try:
            async with asyncio.timeout(self.timeout_s):
                reply = await self._client.complete(prompt)
        except OpenEnvError as error:  # the clients of `openenv.llm` say the status
            status = getattr(error, "status", None)
            raise JudgeFailed(name_of(self), f"got no score: {error}", status=status) from error
        except TimeoutError as error:
            raise JudgeFailed(name_of(self), f"got no score: no answer within {self.timeout_s} s") from error
        return self._parse_score(reply)

    def _render_prompt(self, action: Any, observation: Any) -> str:
        """Make the prompt; override it to make it some other way."""
        return render(self.prompt_template, action=action, observation=observation)

    def _parse_score(self, response: str) -> float:
        """Read the score; override it to read it some other way."""
        score = read_score(response, self._score_pattern) if isinstance(response, str) else None
        if score is None and self.default_score is None:
            conceal = getattr(self._client, "conceal", str)
            reply = conceal(str(response))[:_QUOTED]
            hint = "ask for the number alone, or set score_pattern"
            raise JudgeFailed(name_of(self), f"cannot read a score from {reply!r}; {hint}", reply=reply)
        if score is None:
            return self.default_score  # type: ignore[return-value]  # it is set, by the line above
        return max(0.0, min(1.0, score)) if self.normalize else score

    def state_dict(self) -> dict[str, Any]:
        """Give the settings; the client is none of them."""
        pattern = None if self._score_pattern is None else self._score_pattern.pattern
        own = {name: getattr(self, name) for name in ("prompt_template", "default_score", "normalize", "timeout_s")}
        return {**super().state_dict(), **own, "score_pattern": pattern}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over settings that `state_dict` gave."""
        super().load_state_dict(state)
        if "score_pattern" in state:
            self._score_pattern = _compiled(state["score_pattern"])
        for name in ("prompt_template", "default_score", "normalize", "timeout_s"):
            setattr(self, name, state.get(name, getattr(self, name)))


def render(template: str, **values: Any) -> str:
    """Put values into a template, in one go, so that what looks like a place in a value stays as it is.

    A template that `str.format` can fill is filled by it, with all it offers. In any other, one with JSON in it say,
    `{action}` and `{observation}` are replaced and every other brace stays.
    """
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
    except ValueError:
        fields = [""]  # a lone brace
    if all(re.split(r"[.\[]", field, maxsplit=1)[0] in _PLACES for field in fields):
        return template.format(**values)
    return _PLACE.sub(lambda place: str(values[place[1]]), template)


def read_score(reply: str, pattern: re.Pattern[str] | None = None) -> float | None:
    """Read the score from a reply; None where it has none, or two that differ."""
    if pattern is not None:
        found = pattern.search(reply)
        return None if found is None else _finite(found[1])
    if (value := _from_json(reply)) is not None:
        return value
    said = _LABELLED.findall(reply) or _BARE.findall(reply)
    scores = {_finite(number) for number in said}
    return scores.pop() if len(scores) == 1 else None


def _from_json(reply: str) -> float | None:
    fenced = _FENCE.fullmatch(reply)
    try:
        value = json.loads(fenced[1] if fenced else reply)
    except (ValueError, RecursionError):
        return None
    score = value.get("score") if isinstance(value, dict) else None
    return _finite(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def _finite(number: Any) -> float | None:
    try:
        value = float(number)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(f"score_pattern {pattern!r} is no regular expression: {error}") from error
    if not compiled.groups:
        raise ConfigurationError(f"score_pattern {pattern!r} has no group; put the number in parentheses")
    return compiled
