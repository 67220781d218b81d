"""OpenEnv's published client drives our server through its whole API. Its program is tests/data/peer.py."""

from collections.abc import Iterator
from typing import Any

import pytest

from openenv import create_app
from tests.ecosystem.tools import tools_app
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho
from tests.support.peer import Peer, PeerRaised, peer
from tests.support.serving import TRANSPORTS, serving

__all__ = ["peer"]

# Importing their package takes seconds; what a test itself does is quick.
pytestmark = pytest.mark.timeout(90, func_only=False)


class Told(ThreadedEcho):
    """Says what `reset` was given."""

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> EchoObservation:
        observation = super().reset(seed, episode_id)
        observation.metadata = {"seed": seed, **options}
        return observation


@pytest.fixture(scope="module", params=TRANSPORTS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    app = create_app(Told, EchoAction, EchoObservation, max_concurrent_envs=16)
    with serving(app, ws=request.param) as url:
        yield url


def test_it_is_their_package(peer: Peer) -> None:
    assert peer("distributions") == ["openenv==0.10.0"]


@pytest.mark.parametrize("way", ["plain", "without_with", "explicit", "asynchronous", "generic"])
def test_an_episode(peer: Peer, url: str, way: str) -> None:
    started, stepped, state = peer(way, url=url)
    assert started == {"echoed": "ready", "metadata": {"seed": 7, "level": "hard"}, "reward": 0.0, "done": False}
    assert stepped == {"echoed": "Hi", "metadata": {"step": 1}, "reward": 0.2, "done": False}
    assert (state["episode_id"], state["step_count"]) == ("first", 1)


def test_sessions_of_one_client_are_apart(peer: Peer, url: str) -> None:
    mine, other = peer("sessions", url=url)
    assert [(each["episode_id"], each["step_count"]) for each in (mine, other)] == [("mine", 0), ("other", 1)]


@pytest.mark.parametrize("way", ["gathered", "threaded"])
def test_many_clients_at_once(peer: Peer, url: str, way: str) -> None:
    assert peer(way, url=url, count=8) == [[f"{number}:{step}" for step in range(5)] for number in range(8)]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"nonsense": 1}, r"(code: VALIDATION_ERROR)"),
        ({"message": None}, r"(code: VALIDATION_ERROR)"),
        ({"message": "raise"}, r"asked to (code: EXECUTION_ERROR)"),
    ],
)
def test_a_step_that_fails_is_told_and_the_session_goes_on(
    peer: Peer, url: str, action: dict[str, Any], said: str
) -> None:
    told, state = peer("after_a_failure", url=url, action=action)
    assert told.startswith("RuntimeError: Server error: ")
    assert said in told
    assert (state["episode_id"], state["step_count"]) == ("first", 1)


def test_a_newcomer_at_capacity_waits_and_is_refused_in_their_words(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENENV_QUEUE_S", "0.2")
    with serving(create_app(Told, EchoAction, EchoObservation, max_concurrent_envs=1)) as url:
        with pytest.raises(PeerRaised, match=r"1/1 .*\(code: CAPACITY_REACHED\)") as caught:
            peer("too_many", url=url)
        assert "RuntimeError" in caught.value.kinds
        assert peer("reset_only", url=url)["echoed"] == "ready"  # both slots of the first are free again


def test_a_time_out_of_theirs_leaves_the_server_in_order(peer: Peer, url: str) -> None:
    with pytest.raises(PeerRaised) as caught:
        peer("impatient", url=url)
    assert "TimeoutError" in caught.value.kinds
    assert peer("reset_only", url=url)["echoed"] == "ready"


def test_large_messages_go_both_ways(peer: Peer, url: str) -> None:
    assert peer("large", url=url, size=5_000_000) == [5_000_000, 5_000_000]


# --- Tools


@pytest.fixture(scope="module", params=["simulation", "production"])
def tools_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with serving(tools_app(mode=request.param)) as url:
        yield url


def test_its_mcp_client_lists_and_calls_tools(peer: Peer, tools_url: str) -> None:
    told = peer("tools", url=tools_url)
    assert told["names"] == ["add", "fail"]
    assert sorted(told["schema"]["properties"]) == ["a", "b"]
    called, has_add, has_subtract, failed = told["answers"]
    assert (called, has_add, has_subtract) == (5, True, False)
    assert failed.startswith("RuntimeError: ")
    assert "asked to" in failed


def test_its_mcp_client_steps_and_works_asynchronously(peer: Peer) -> None:
    with serving(tools_app()) as url:
        names, called = peer("tools_by_step", url=url)
        assert names == ["add", "fail"]
        assert "5" in called
        assert peer("tools_asynchronously", url=url) == [["add", "fail"], 5]


def test_production_refuses_an_episode(peer: Peer) -> None:
    with serving(tools_app(mode="production")) as url:
        with pytest.raises(PeerRaised) as caught:
            peer("tools_by_step", url=url)
        assert "RuntimeError" in caught.value.kinds
