"""`openenv.hub.publish`, against a Hub on this machine: the order of the calls, and what a failure leaves behind."""

from pathlib import Path

import pytest

from openenv.errors import HubError
from openenv.hub.huggingface import Hub, Patience
from openenv.hub.publish import Published, SpaceSettings, propose, publish
from openenv.hub.space import Addresses, contents_of
from tests.support.hub_server import HubServer, Space

# The library calls its HTTP library in a way that this one no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

SETTINGS = SpaceSettings(private=True, hardware="t4-small", variables={"A": "b"}, secrets={"KEY": "hush"})


@pytest.fixture
def hub(server: HubServer) -> Hub:
    return Hub("hf_alice", server.url, patience=Patience(tries=3, first_wait_s=0.001))


def test_a_space_is_created_and_read_back_as_a_folder(
    hub: Hub, server: HubServer, folder: Path, tmp_path: Path
) -> None:
    published = publish(hub, contents_of(folder), "alice/my_env", SpaceSettings())
    where = Addresses(f"{server.url}/spaces/alice/my_env", "https://alice-my-env.hf.space")
    assert published == Published("alice/my_env", where, is_private=False)
    server.spaces["alice/my_env"].write_to(tmp_path / "pulled")
    assert (tmp_path / "pulled/data.bin").read_bytes() == (folder / "data.bin").read_bytes()
    assert (tmp_path / "pulled/Dockerfile").read_text().endswith("ENV ENABLE_WEB_INTERFACE=true\n")
    assert (tmp_path / "pulled/README.md").read_text().startswith("---\ntitle: my_env\nsdk: docker\napp_port: 8000\n")
    assert len(server.spaces["alice/my_env"].commits) == 1


@pytest.mark.parametrize("existed", [False, True])
def test_settings_are_there_before_the_code_that_needs_them(
    existed: bool, hub: Hub, server: HubServer, folder: Path
) -> None:
    if existed:
        server.spaces["alice/x"] = Space("docker", private=False)
    assert publish(hub, contents_of(folder), "alice/x", SETTINGS).is_private
    space = server.spaces["alice/x"]
    assert (space.private, space.hardware, space.variables, space.secrets) == (
        True, "t4-small", {"A": "b"}, {"KEY": "hush"},
    )  # fmt: skip
    calls = [call.removeprefix("POST /api/spaces/alice/x/") for call in server.requests]
    wanted = ["preupload/main", "variables", "secrets", "commit/main"]
    assert [call for call in calls if call in wanted] == wanted


def test_a_space_that_is_there_keeps_its_other_files_and_is_not_made_public(
    hub: Hub, server: HubServer, folder: Path
) -> None:
    server.spaces["alice/x"] = Space("docker", private=True, commits=[{"notes.txt": b"mine", "data.bin": b"old"}])
    assert publish(hub, contents_of(folder), "alice/x", SpaceSettings()).is_private
    files = server.spaces["alice/x"].files
    assert files["notes.txt"] == b"mine"
    assert files["data.bin"] == (folder / "data.bin").read_bytes()


def test_the_second_time_nothing_is_left_to_do(hub: Hub, server: HubServer, folder: Path) -> None:
    for _ in range(2):
        publish(hub, contents_of(folder), "alice/x", SpaceSettings())
    assert len(server.spaces["alice/x"].commits) == 1


@pytest.mark.parametrize("sdk", ["gradio", "static"])
def test_a_space_of_another_kind_is_not_overwritten(sdk: str, hub: Hub, server: HubServer, folder: Path) -> None:
    server.spaces["alice/x"] = Space(sdk, private=False)
    with pytest.raises(HubError, match=rf"alice/x is there already, as a Space of another kind \(sdk: {sdk}\)"):
        publish(hub, contents_of(folder), "alice/x", SpaceSettings())
    with pytest.raises(HubError, match="of another kind"):
        propose(hub, contents_of(folder), "alice/x")
    assert server.spaces["alice/x"].commits == []


def test_who_may_not_write_there_is_told_before_anything_is_uploaded(hub: Hub, server: HubServer, folder: Path) -> None:
    with pytest.raises(
        HubError, match=r"the Hub could not create the Space bob/x: You don't have the rights"
    ) as raised:
        publish(hub, contents_of(folder), "bob/x", SpaceSettings())
    assert "--namespace" in (raised.value.hint or "")
    assert not [request for request in server.requests if "preupload" in request]


def test_a_space_that_others_hide_is_an_error(hub: Hub, server: HubServer, folder: Path) -> None:
    server.fail("GET /api/spaces/alice/x", 404, times=9, headers={"X-Error-Code": "RepoNotFound"})
    with pytest.raises(HubError, match="alice/x can neither be seen nor created by this token"):
        publish(hub, contents_of(folder), "alice/x", SpaceSettings())


@pytest.mark.parametrize("request_", ["preupload", "PUT /large", "variables", "secrets", "commit"])
def test_whatever_is_refused_leaves_the_files_as_they_were(
    request_: str, hub: Hub, server: HubServer, folder: Path
) -> None:
    before = {"data.bin": b"old"}
    server.spaces["alice/x"] = Space("docker", private=True, commits=[before])
    server.fail(request_, 403)
    with pytest.raises(HubError, match=r"\(HTTP 403\)"):
        publish(hub, contents_of(folder), "alice/x", SETTINGS)
    assert server.spaces["alice/x"].commits == [before]
    publish(hub, contents_of(folder), "alice/x", SETTINGS)
    assert server.spaces["alice/x"].files["data.bin"] == (folder / "data.bin").read_bytes()


def test_pull_request_waits_for_whoever_owns_the_space(server: HubServer, folder: Path) -> None:
    server.spaces["alice/x"] = Space("docker", private=False)
    proposed = propose(Hub("hf_bob", server.url), contents_of(folder), "alice/x")
    assert proposed.pull_request == f"{server.url}/spaces/alice/x/discussions/1"
    assert server.spaces["alice/x"].commits == []
    assert "Dockerfile" in server.spaces["alice/x"].pull_requests[0]


def test_pull_request_needs_a_space(hub: Hub, folder: Path) -> None:
    with pytest.raises(HubError, match="there is no Space alice/x to open a pull request for"):
        propose(hub, contents_of(folder), "alice/x")


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "hush" not in repr(SETTINGS)
