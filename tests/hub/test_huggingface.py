"""`openenv.hub.huggingface`, against a Hub on this machine: what is tried again, how long, and what is said at last."""

import sys
import threading
from pathlib import Path

import pytest

from openenv.errors import HubError, MissingExtra
from openenv.hub import huggingface
from openenv.hub.huggingface import Account, Hub, Patience, SpaceState, saved_token
from tests.support.hub_server import HubServer, Space

# The library calls its HTTP library in a way that this one no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

QUICK = Patience(tries=3, first_wait_s=0.001)
LARGE = b"\0" * 500_000
FILES: list[tuple[str, bytes | Path]] = [("README.md", b"---\nsdk: docker\n---\n"), ("data.bin", LARGE)]
COMMIT = "POST /api/spaces/alice/x/commit/main"


@pytest.fixture
def hub(server: HubServer) -> Hub:
    return Hub("hf_alice", server.url, patience=QUICK)


@pytest.fixture
def space(server: HubServer) -> Space:
    server.spaces["alice/x"] = Space("docker", private=False)
    return server.spaces["alice/x"]


def commit(hub: Hub, *, as_pull_request: bool = False, files: list[tuple[str, bytes | Path]] = FILES) -> object:
    return hub.commit(hub.upload("alice/x", files, as_pull_request=as_pull_request), "message")


@pytest.mark.parametrize(
    ("tried", "asked_s", "wait_s"),
    [
        (1, None, 1),
        (2, None, 2),
        (4, None, 4),
        (4, 7, 7),
        (1, 0, 0),
        (5, None, None),
        (5, 0, None),
        (1, 6, 6),
        (1, 61, None),
    ],
)
def test_patience_grows_and_ends(tried: int, asked_s: float | None, wait_s: float | None) -> None:
    assert Patience(longest_wait_s=4 if asked_s is None else 60).wait_s(tried, asked_s) == wait_s


@pytest.mark.parametrize(
    ("token", "account"),
    [
        ("hf_alice", Account("alice", can_write=True)),
        ("hf_reader", Account("alice", can_write=False)),
        ("hf_bob", Account("bob", can_write=None)),
    ],
)
def test_account_says_what_the_token_may(token: str, account: Account, server: HubServer) -> None:
    assert Hub(token, server.url).account() == account


def test_token_that_is_not_accepted_is_not_tried_again(server: HubServer) -> None:
    with pytest.raises(HubError, match=r"Invalid credentials|does not accept the token") as raised:
        Hub("hf_nobody", server.url, patience=QUICK).account()
    assert "hf_nobody" not in str(raised.value)
    assert server.requests.count("GET /api/whoami-v2") == 1


def test_space_is_shown_as_it_is(server: HubServer, hub: Hub) -> None:
    assert hub.space("alice/x") is None
    server.spaces["alice/x"] = Space("gradio", private=True, hardware="t4-small")
    assert hub.space("alice/x") == SpaceState(
        sdk="gradio", is_private=True, server="https://alice-x.hf.space", hardware="t4-small"
    )
    assert Hub("hf_bob", server.url).space("alice/x") is None


def test_settings_arrive(server: HubServer, hub: Hub) -> None:
    hub.create("my-org/x", private=True, hardware="t4-small")
    hub.create("my-org/x", private=False, hardware=None)  # is there already
    space = server.spaces["my-org/x"]
    assert (space.sdk, space.private, space.hardware) == ("docker", True, "t4-small")
    hub.set_variable("my-org/x", "A", "b")
    hub.set_secret("my-org/x", "KEY", "hush")
    hub.request_hardware("my-org/x", "cpu-upgrade")
    assert (space.variables, space.secrets, space.hardware) == ({"A": "b"}, {"KEY": "hush"}, "cpu-upgrade")
    hub.create("alice/y", private=False, hardware=None)
    assert server.spaces["alice/y"].private is False
    hub.make_private("alice/y")
    assert server.spaces["alice/y"].private is True


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_mood_of_the_hub_passes(status: int, server: HubServer) -> None:
    waits: list[tuple[str, float]] = []
    server.fail("GET /api/whoami-v2", status, times=2)
    hub = Hub("hf_alice", server.url, patience=QUICK, on_wait=lambda why, wait_s: waits.append((why, wait_s)))
    assert hub.account().name == "alice"
    assert waits == [(f"the Hub answered {status}", 0.001), (f"the Hub answered {status}", 0.002)]


def test_it_is_given_up_after_so_many_tries(server: HubServer, hub: Hub) -> None:
    server.fail("GET /api/whoami-v2", 500, times=9)
    with pytest.raises(HubError, match=r"the Hub could not tell whose token this is: .* \(HTTP 500\)"):
        hub.account()
    assert server.requests.count("GET /api/whoami-v2") == QUICK.tries


def test_the_hub_is_waited_for_as_long_as_it_asks_and_not_longer(server: HubServer) -> None:
    waits: list[float] = []
    hub = Hub("hf_alice", server.url, on_wait=lambda _, wait_s: waits.append(wait_s))
    server.fail("GET /api/whoami-v2", 429, headers={"Retry-After": "0"})
    hub.account()
    server.fail("GET /api/whoami-v2", 429, headers={"Retry-After": "3600"})
    with pytest.raises(HubError, match=r"\(HTTP 429\)"):
        hub.account()
    assert waits == [0.0]


def test_a_connection_that_breaks_is_tried_again(server: HubServer, hub: Hub) -> None:
    server.lose_answer("POST /api/repos/create")
    hub.create("alice/x", private=False, hardware=None)
    assert list(server.spaces) == ["alice/x"]


def test_a_hub_that_was_never_reached_is_not_waited_for() -> None:
    waits: list[float] = []
    hub = Hub("hf_alice", "http://127.0.0.1:9", on_wait=lambda _, wait_s: waits.append(wait_s))
    with pytest.raises(HubError, match=r"the Hub at http://127\.0\.0\.1:9 cannot be reached"):
        hub.account()
    assert waits == []


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface, "_LIMITS_S", (1.0, 0.05, 1.0, 1.0))
    server.hold("GET /api/whoami-v2", until=threading.Event(), times=9)
    with pytest.raises(HubError, match="the connection to the Hub failed, so it did not tell whose token this is"):
        hub.account()


def test_commit_brings_every_file_at_once_and_none_that_is_there_already(
    hub: Hub, server: HubServer, space: Space
) -> None:
    first = commit(hub)
    assert space.commits == [{"README.md": FILES[0][1], "data.bin": LARGE}]
    assert commit(hub) == first
    assert len(space.commits) == 1
    assert sum(request.startswith("PUT /large") for request in server.requests) == 1


def test_gitignore_of_the_folder_leaves_nothing_out(hub: Hub, space: Space) -> None:
    commit(hub, files=[*FILES, (".gitignore", b"data.bin\nREADME.md\n")])
    assert sorted(space.files) == [".gitignore", "README.md", "data.bin"]


@pytest.mark.parametrize("status", [429, 503, 500])
def test_commit_is_tried_again(status: int, hub: Hub, server: HubServer, space: Space) -> None:
    server.fail(COMMIT, status)
    commit(hub)
    assert len(space.commits) == 1


def test_commit_whose_answer_was_lost_is_not_made_twice(hub: Hub, server: HubServer, space: Space) -> None:
    server.lose_answer(COMMIT)
    commit(hub)
    assert len(space.commits) == 1


@pytest.mark.parametrize("status", [401, 403, 409])
def test_commit_that_is_refused_leaves_the_space_as_it_was(
    status: int, hub: Hub, server: HubServer, space: Space
) -> None:
    server.fail(COMMIT, status)
    with pytest.raises(HubError, match=rf"the Hub could not change alice/x: .* \(HTTP {status}\)"):
        commit(hub)
    assert space.commits == []


def test_pull_request_changes_nothing_by_itself(hub: Hub, space: Space) -> None:
    commit(hub, as_pull_request=True)
    assert (len(space.pull_requests), space.commits) == (1, [])


def test_pull_request_is_tried_again_only_if_there_is_none_yet(hub: Hub, server: HubServer, space: Space) -> None:
    server.fail(COMMIT, 503)
    commit(hub, as_pull_request=True)
    assert len(space.pull_requests) == 1
    server.lose_answer(COMMIT)
    with pytest.raises(HubError, match="the connection to the Hub failed, so it did not change alice/x"):
        commit(hub, as_pull_request=True)
    assert len(space.pull_requests) == 2


def test_upload_that_is_cut_half_way_goes_on(hub: Hub, server: HubServer, space: Space) -> None:
    server.cut("PUT /large")
    commit(hub)
    assert space.files["data.bin"] == LARGE


def test_upload_that_fails_for_good_leaves_the_space_as_it_was_and_the_next_one_sends_only_the_rest(
    hub: Hub, server: HubServer, space: Space
) -> None:
    files: list[tuple[str, bytes | Path]] = [*FILES, ("other.bin", LARGE + b"\0")]
    server.fail("PUT /large", 403, times=1)
    with pytest.raises(HubError, match=r"the Hub could not take the files of alice/x: .* \(HTTP 403\)"):
        commit(hub, files=files)
    assert space.commits == []
    sent_before = sum(request.startswith("PUT /large") for request in server.requests)
    commit(hub, files=files)
    assert space.files["data.bin"] == LARGE
    sent = sum(request.startswith("PUT /large") for request in server.requests) - sent_before
    assert (sent_before, sent) == (2, 1)


def test_readme_that_the_hub_does_not_take_is_an_error(hub: Hub, space: Space) -> None:
    with pytest.raises(
        HubError, match=r'the Hub could not change alice/x: Invalid metadata in README\.md\. - "sdk" is'
    ):
        commit(hub, files=[("README.md", b"# nothing")])
    assert space.commits == []


def test_secret_that_the_hub_repeats_is_not_repeated(server: HubServer, hub: Hub, space: Space) -> None:
    hub.set_secret("alice/x", "KEY", "hush")
    with pytest.raises(HubError) as raised:
        hub.create("hush/hf_alice", private=False, hardware=None)
    assert "hush" not in str(raised.value)
    assert "hf_alice" not in str(raised.value)
    assert "***" in str(raised.value)


def test_saved_token_is_the_one_of_the_environment(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert saved_token(log_in=False) == "hf_alice"


def test_without_the_library_one_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match="needs the extra 'hub', which is not installed") as raised:
        saved_token(log_in=False)
    assert raised.value.hint == 'pip install "openenv-runtime[hub]"'
    assert raised.value.extra == "hub"


@pytest.fixture
def theirs(server: HubServer) -> Space:
    """A Space of somebody else, with settings of its own."""
    server.spaces["bob/y"] = Space("docker", False, "t4-small", {"A": "bob"}, {"KEY": "bob"}, [{"README.md": b"x"}])
    return server.spaces["bob/y"]


def duplicate(hub: Hub, to: str = "alice/y", secret: str = "hush") -> None:
    settings = {"variables": {"A": "1"}, "secrets": {"KEY": secret}}
    hub.duplicate("bob/y", to, private=True, hardware="cpu-upgrade", **settings)


@pytest.mark.parametrize("fault", ["none", "busy", "lost"])
def test_duplicate_takes_the_files_and_the_settings_that_are_said(
    fault: str, server: HubServer, hub: Hub, theirs: Space
) -> None:
    request = "POST /api/spaces/bob/y/duplicate"
    if fault == "busy":
        server.fail(request, 503)
    elif fault == "lost":
        server.lose_answer(request)
    duplicate(hub)
    assert server.spaces["alice/y"] == Space(
        "docker", True, "cpu-upgrade", {"A": "1"}, {"KEY": "hush"}, [{"README.md": b"x"}]
    )
    assert server.requests.count(request) == (1 if fault == "none" else 2)


@pytest.mark.usefixtures("theirs")
def test_duplicate_never_overwrites_and_never_tells_a_secret(server: HubServer, hub: Hub, space: Space) -> None:
    with pytest.raises(HubError, match="the Space alice/x exists already") as raised:
        duplicate(hub, "alice/x")
    assert raised.value.hint == "name another by --repo-id, or delete it first"
    assert (space.commits, space.secrets) == ([], {})
    with pytest.raises(HubError, match=r"could not duplicate bob/y as bob/\*\*\*: .*rights") as raised:
        duplicate(hub, "bob/z", secret="z")
    assert "z" not in str(raised.value)


def test_a_space_that_is_not_there_cannot_be_duplicated(hub: Hub) -> None:
    with pytest.raises(HubError, match=r"could not duplicate bob/y as alice/y: .*\(HTTP 404\)"):
        duplicate(hub)
