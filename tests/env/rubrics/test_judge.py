"""What a judge asks, what it takes for a score, and how it fails."""

import asyncio
from typing import Any

import pytest

from openenv.env.rubrics import BadScore, JudgeFailed, LLMJudge, WeightedSum
from openenv.env.rubrics.judge import read_score, render
from openenv.env.rubrics.scorecard import Scorecard
from openenv.errors import ConfigurationError
from openenv.llm import OpenAIClient
from openenv.types import Action, Observation
from tests.support.endpoint import HANG, completion, endpoint, response


class Move(Action):
    text: str = "e4"


class Parrot:
    """A model of somebody else's: it only has `complete`."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.prompts: list[str] = []

    async def complete(self, prompt: str) -> Any:
        self.prompts.append(prompt)
        return self.reply


def judged(reply: Any, **options: Any) -> float:
    return asyncio.run(LLMJudge("Rate {action}", Parrot(reply), **options)(Move(), Observation()))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("0.7", 0.7),
        (" 1 \n", 1.0),
        ("0.8.", 0.8),
        (".5", 0.5),
        ("5e-1", 0.5),
        ("-1", -1.0),
        ("**0.7**", 0.7),
        ("Score: 0.7", 0.7),
        ("score = 0.7", 0.7),
        ("**Score:** 0.7", 0.7),
        ("## Final score: `0.7`", 0.7),
        ("There are 3 files and 12 tests.\nScore: 0.25", 0.25),
        ("0.8\n\nThe answer is right in 4 of 5 cases.", 0.8),
        ("1.\nScore: 0.5", 0.5),
        ("Score: 0.5\nOverall score: 0.50", 0.5),
        ('{"reason": "1 of 2", "score": 0.5}', 0.5),
        ('```json\n{"score": -2}\n```', -2.0),
    ],
)
def test_a_score_is_read_where_it_can_mean_nothing_else(reply: str, score: float) -> None:
    assert read_score(reply) == score


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "good",
        "8/10",
        "Score: 8/10",
        "Score: 80%",
        "I give it 0.7 of 1",
        "0.2\n0.9",
        "Score: 0.2\nScore: 0.9",
        "0,7",
        "nan",
        "Score: nan",
        "Score: 1e999",
        '{"score": "0.5"}',
        '{"score": true}',
        '{"score": NaN}',
        '{"points": 1}',
        "[0.5]",
        "[" * 100_000,
        "−1",
        "٣",
    ],
)
def test_anything_else_is_no_score(reply: str) -> None:
    assert read_score(reply) is None


def test_reading_takes_no_longer_for_a_reply_made_to_be_slow() -> None:
    for reply in ("*" * 200_000, "score" * 50_000, "score:" + "*" * 200_000 + "x", "1" * 200_000 + "x", "\n" * 200_000):
        assert read_score(reply) is None


def test_a_pattern_of_the_authors_finds_the_first_match() -> None:
    assert judged("grade 8/10", score_pattern=r"(\d+)/10", normalize=False) == 8.0
    with pytest.raises(JudgeFailed, match="cannot read a score from 'eight'"):
        judged("eight", score_pattern=r"(\d+)/10")
    with pytest.raises(JudgeFailed):
        judged("nan", score_pattern="(nan)")
    with pytest.raises(JudgeFailed):
        judged("a", score_pattern="a|(b)")


@pytest.mark.parametrize(("pattern", "complaint"), [("(", "is no regular expression"), (r"\d+", "has no group")])
def test_a_pattern_that_cannot_give_a_number_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        LLMJudge("", Parrot(""), score_pattern=pattern)


@pytest.mark.parametrize(("reply", "normalized"), [("-1", 0.0), ("0.5", 0.5), ("8", 1.0)])
def test_a_score_is_brought_between_0_and_1_unless_told_otherwise(reply: str, normalized: float) -> None:
    assert judged(reply) == normalized
    assert judged(reply, normalize=False) == float(reply)


@pytest.mark.parametrize("reply", ["no number", "", None, 0.5])
def test_no_score_is_a_failure_that_quotes_the_reply_unless_there_is_a_default(reply: Any) -> None:
    with pytest.raises(JudgeFailed, match="ask for the number alone, or set score_pattern") as caught:
        judged(reply)
    assert (caught.value.component, caught.value.reply) == ("LLMJudge", str(reply))
    assert judged(reply, default_score=0.25) == 0.25


def test_a_long_reply_is_quoted_in_part() -> None:
    with pytest.raises(JudgeFailed) as caught:
        judged("bla " * 10_000)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{action} {observation}", "A O"),
        ("Answer {{n}}: {action}", "Answer {n}: A"),
        ("{action!r:>5}", "  'A'"),
        ('Reply {"score": 1} to {action}', 'Reply {"score": 1} to A'),
        ('{"a": {"b": 1}} {action}', '{"a": {"b": 1}} A'),
        ("} {action} {", "} A {"),
        ("{} {0} {action}", "{} {0} A"),
        ("no place", "no place"),
    ],
)
def test_values_go_to_their_places_and_other_braces_stay(template: str, prompt: str) -> None:
    assert render(template, action="A", observation="O") == prompt


def test_a_place_within_a_value_is_not_filled() -> None:
    for template in ("{action}", '{"x"} {action}'):
        assert render(template, action="{observation} {x}", observation="secret").endswith("{observation} {x}")


def test_a_template_may_reach_into_what_it_shows() -> None:
    parrot = Parrot("1")
    asyncio.run(LLMJudge("{action.text} {observation.done}", parrot)(Move(), Observation()))
    assert parrot.prompts == ["e4 False"]


def test_a_subclass_may_ask_and_read_in_its_own_way() -> None:
    class Own(LLMJudge):
        def _render_prompt(self, action: Any, observation: Any) -> str:
            return "own"

        def _parse_score(self, response: str) -> float:
            return float("nan") if response == "nan" else len(response)

    parrot = Parrot("four")
    assert asyncio.run(Own("", parrot)(Move(), Observation())) == 4
    assert parrot.prompts == ["own"]
    with pytest.raises(BadScore, match="rubric 'Own' gave nan"):
        asyncio.run(Own("", Parrot("nan"))(Move(), Observation()))


def test_settings_are_saved_and_loaded_and_the_client_is_not() -> None:
    judge = LLMJudge("p {action}", Parrot("1"), score_pattern="(.)", default_score=0.5, normalize=False, timeout_s=9)
    saved = judge.state_dict()
    assert saved == {
        "prompt_template": "p {action}",
        "score_pattern": "(.)",
        "default_score": 0.5,
        "normalize": False,
        "timeout_s": 9,
    }
    other = LLMJudge("", Parrot("1"))
    other.load_state_dict({})
    assert other.state_dict()["score_pattern"] is None
    other.load_state_dict(saved)
    assert other.state_dict() == saved


def test_a_client_that_never_answers_is_given_up_in_time() -> None:
    class Silent:
        async def complete(self, prompt: str) -> str:
            await asyncio.Event().wait()
            return ""

    with pytest.raises(JudgeFailed, match=r"no answer within 0.05 s"):
        asyncio.run(LLMJudge("", Silent(), timeout_s=0.05)(Move(), Observation()))


def test_a_judge_asks_a_real_endpoint_beside_other_judges() -> None:
    with endpoint(completion("Score: 0.5")) as served:
        client = OpenAIClient(served.url, None, "m", timeout_s=10)
        tree = WeightedSum([LLMJudge("Right? {action}", client), LLMJudge("Short? {action}", client)], [0.5, 0.5])
        assert asyncio.run(tree(Move(), Observation())) == 0.5
    asked = {request.body["messages"][0]["content"].split()[0] for request in served.requests}
    assert asked == {"Right?", "Short?"}


@pytest.mark.parametrize(
    ("reply", "timeout_s", "complaint", "status"),
    [
        (response(401, {"error": {"message": "bad key"}}), 10, "status 401: 'bad key'", 401),
        (HANG, 0.1, "no answer within 0.1 s", None),
        (b"garbage\r\n", 10, "is no HTTP", None),
    ],
)
def test_a_failing_endpoint_is_a_failure_that_names_the_judge_in_its_tree(
    reply: bytes, timeout_s: float, complaint: str, status: int | None
) -> None:
    with endpoint(reply) as served:
        fine, failing = Parrot("1"), OpenAIClient(served.url, None, "m", timeout_s=timeout_s)
        tree = WeightedSum([LLMJudge("", fine), LLMJudge("", failing)], [0.5, 0.5])
        with Scorecard(tree).filling(), pytest.raises(JudgeFailed, match=complaint) as caught:
            asyncio.run(tree(Move(), Observation()))
    assert str(caught.value).startswith("rubric 'rubric_1' got no score: model 'm' at")
    assert (caught.value.component, caught.value.status) == ("rubric_1", status)


def test_an_endpoint_that_says_the_key_back_does_not_get_it_into_the_error() -> None:
    key = "sk-very-secret"
    with endpoint(completion(f"your key is {key}")) as served:
        judge = LLMJudge("", OpenAIClient(served.url, None, "m", api_key=key, timeout_s=10))
        with pytest.raises(JudgeFailed, match="your key is") as caught:
            asyncio.run(judge(Move(), Observation()))
    assert key not in f"{caught.value!r} {vars(caught.value)}"
