"""What both flavours share: arguments are checked once, and a link that was replaced has no say any more."""

from collections.abc import Callable
from typing import Any

import pytest

from openenv.client.plain import PlainLink
from openenv.client.vector_calls import AnyLink, VectorCalls
from openenv.client.vector_seats import Ask
from openenv.errors import ConfigurationError, PeerError, SessionLost, UsageError
from openenv.protocol import ClientLink, LinkCall, LinkRequest, Opened
from tests.support.echo import EchoEnv


class Deaf:
    """A link on which nothing ever arrives."""

    def __init__(self, half: Any) -> None:
        self.half = half
        self.extensions: frozenset[str] = frozenset()

    def ask(self, request: LinkRequest, lane: int | None, deliver: Callable[[Any], None]) -> LinkCall:
        return LinkCall(0, lane, request, 1, 1)

    def abandon(self, call: LinkCall, cause: BaseException, *, cancel: bool = False) -> None: ...


class Calls(VectorCalls[Any, Any, Any]):
    def _receiver(self, link: AnyLink, ask: Ask) -> Callable[[Any], None]:
        return lambda reply: None


def calls(**options: Any) -> Calls:
    return Calls([EchoEnv("http://localhost:1", **options)], 2, autoreset="off", arrays=None)


@pytest.mark.parametrize(
    ("seeds", "asked"),
    [
        (None, [{"a": 1}, {"a": 1}]),
        (5, [{"a": 1, "seed": 5}, {"a": 1, "seed": 8}]),
        ([7, None], [{"a": 1, "seed": 7}, {"a": 1}]),
    ],
)
def test_seeds_count_up_by_index(seeds: Any, asked: Any) -> None:
    made = Calls([EchoEnv("http://localhost:1")], 4, autoreset="off", arrays=None)
    assert made._options([0, 3], seeds, {"a": 1}) == asked


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="seeds="):
        calls()._options([0], None, {"seed": 1})
    with pytest.raises(ConfigurationError):
        calls()._options([0], [1, 2], {})


def test_no_answer_in_time_refuses_entry() -> None:
    made = calls(message_timeout_s=0.0)
    made._issue([made._seat(made.homes[0].endpoint, range(2), Deaf(ClientLink()))])
    made._expire()
    with pytest.raises(TimeoutError):
        made._check_entry()


def test_link_that_was_replaced_has_no_say() -> None:
    made = calls()
    old = Deaf(ClientLink())
    ask = made._seat(made.homes[0].endpoint, range(2), old)
    made._links[0] = Deaf(ClientLink())
    made._answer(old, ask, SessionLost("gone"))
    made._answer(old, ask, Opened((0, 1)))
    made.roster.check_links()


def test_change_of_dialect_is_refused() -> None:
    made = calls()
    made._seat(made.homes[0].endpoint, range(2), Deaf(ClientLink()))
    with pytest.raises(PeerError, match="another dialect"):
        made._check_dialect(0, Deaf(PlainLink()))
