"""`GitServerClient`, against a server on this machine that serves git repositories to one user as a Gitea does."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.tools import GitFailed, GitServerClient, RepoInfo
from tests.support.space_git import http_server

PASSWORD = "correct horse"
GIT = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]


class Gitea:
    """A folder of bare repositories, and what the server says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = ""
        self.repositories: list[Any] = []
        self.answer: bytes | None = None

    def git(self, *arguments: str) -> str:
        """Run git where the repository `quiz` is worked on, and bring the server what came of it."""
        work, bare = self.folder / "work", self.folder / "alice/quiz.git"
        work.mkdir(exist_ok=True)
        ran = subprocess.run([*GIT, *arguments], cwd=work, check=True, capture_output=True, text=True)
        if bare.exists():
            subprocess.run([*GIT, "push", "-q", "--all", "--force", str(bare)], cwd=work, check=True)
            subprocess.run(["git", "update-server-info"], cwd=bare, check=True)
        return ran.stdout.strip()

    def commit(self, text: str) -> str:
        (self.folder / "work/task.txt").write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")


class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, gitea: Gitea, **kwargs: Any) -> None:
        self.gitea = gitea
        super().__init__(*args, directory=str(gitea.folder), **kwargs)

    def do_GET(self) -> None:
        secret = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {secret}":
            self.send_error(401)
        elif self.path.startswith("/api/v1/"):
            number = int(self.path.rpartition("page=")[2]) if "page=" in self.path else 0
            found = self.gitea.repositories[(number - 1) * 50 : number * 50] if number else {"version": "1.22"}
            body = self.gitea.answer or json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gitea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gitea]:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    gitea = Gitea(tmp_path / "gitea")
    gitea.folder.mkdir()
    gitea.git("init", "-q", ".")
    gitea.commit("one")
    subprocess.run([*GIT, "clone", "-q", "--bare", "work", "alice/quiz.git"], cwd=gitea.folder, check=True)
    gitea.git("status")
    with http_server(partial(Handler, gitea=gitea)) as gitea.url:
        yield gitea


@pytest.fixture
def client(gitea: Gitea, tmp_path: Path) -> GitServerClient:
    return GitServerClient(gitea.url, "alice", PASSWORD, tmp_path / "workspace")


def test_a_task_is_cloned_worked_on_and_reset(gitea: Gitea, client: GitServerClient, tmp_path: Path) -> None:
    first = gitea.git("rev-parse", "HEAD")
    second = gitea.commit("two")
    folder = Path(client.clone_to_workspace("quiz"))
    assert folder == tmp_path / "workspace/quiz"
    assert (folder / "task.txt").read_text() == "two"
    url = f"{gitea.url}/alice/quiz"
    assert client.repo_info("quiz") == RepoInfo("quiz", url, second, f"{url}.git")

    (folder / "task.txt").write_text("spoiled")
    (folder / "left.txt").write_text("behind")
    assert client.execute_git_command("commit -q -a -m 'of the agent'", "quiz") == (0, "", "")
    assert client.reset_workspace("quiz", first)
    assert sorted(path.name for path in folder.iterdir()) == [".git", "task.txt"]
    assert (folder / "task.txt").read_text() == "one"
    assert client.get_current_commit("quiz") == first

    third = gitea.commit("three")  # what the server has learned meanwhile
    assert client.reset_workspace("quiz")
    assert client.get_current_commit("quiz") == third


def test_a_clone_may_be_at_a_commit_or_a_branch_and_replaces_what_is_there(
    gitea: Gitea, client: GitServerClient
) -> None:
    first = gitea.git("rev-parse", "HEAD")
    gitea.git("checkout", "-q", "-b", "hard/mode")
    hard = gitea.commit("hard")
    folder = Path(client.clone_to_workspace("quiz", "mine", commit=first))
    assert client.get_current_commit("mine") == first
    (folder / "left.txt").write_text("behind")
    client.clone_to_workspace("quiz", "mine", commit="hard/mode")
    assert client.get_current_commit("mine") == hard
    assert not (folder / "left.txt").exists()
    assert client.workspace_exists("mine")
    assert not client.workspace_exists("quiz")


def test_the_password_is_in_no_file_and_no_error_and_nothing_of_the_user_is_touched(
    gitea: Gitea, client: GitServerClient, tmp_path: Path
) -> None:
    client.clone_to_workspace("quiz")
    secret = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    texts = [path.read_bytes() for path in (tmp_path / "workspace").rglob("*") if path.is_file()]
    assert not [text for text in texts if PASSWORD.encode() in text or secret.encode() in text]
    assert not (tmp_path / "home").exists()
    other = GitServerClient(gitea.url, "alice", "wrong horse", tmp_path / "other")
    for call in (lambda: other.clone_to_workspace("quiz"), other.list_repositories):
        with pytest.raises(GitFailed) as raised:
            call()
        assert "horse" not in str(raised.value)
        assert base64.b64encode(b"alice:wrong horse").decode() not in str(raised.value)
    assert "horse" not in repr(other)


def test_repositories_are_listed_over_all_pages(gitea: Gitea, client: GitServerClient) -> None:
    for number in range(53):
        url = f"{gitea.url}/alice/r{number}.git"
        told = {"name": f"r{number}", "full_name": f"alice/r{number}", "clone_url": url, "size": 1}
        gitea.repositories.append(told | ({"description": None} if number else {}))
    listed = client.list_repositories()
    assert len(listed) == 53
    first = {"name": "r0", "full_name": "alice/r0", "clone_url": f"{gitea.url}/alice/r0.git", "description": ""}
    assert listed[0] == first


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b'{"message": "no"}', b"5", b'[{"name": "x"}]'])
def test_what_is_no_gitea_is_told(gitea: Gitea, client: GitServerClient, answer: bytes) -> None:
    gitea.answer = answer
    with pytest.raises(
        GitFailed, match=r"answers with something else than repositories|does not answer as a Gitea does"
    ):
        client.list_repositories()


def test_readiness_is_waited_for(client: GitServerClient, tmp_path: Path) -> None:
    assert not client.is_ready
    assert (client.wait_for_ready(5), vars(client)["is_ready"]) == (True, True)
    nowhere = GitServerClient("http://127.0.0.1:1", "alice", PASSWORD, tmp_path / "x")
    assert (nowhere.wait_for_ready(0), nowhere.is_ready) == (False, False)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda client: client.clone_to_workspace("quiz", "../outside"), "'../outside' is not below the workspace"),
        (lambda client: client.clone_to_workspace("quiz", "."), r"'\.' is not below the workspace"),
        (lambda client: client.clone_to_workspace("--upload-pack=x"), "cannot be the name of a repository"),
        (lambda client: client.clone_to_workspace("a/b"), "'a/b' cannot be the name of a repository"),
        (lambda client: client.clone_to_workspace("quiz", commit="--orphan"), "neither a branch nor a commit"),
        (lambda client: client.execute_git_command("log", "/etc"), "'/etc' is not below the workspace"),
        (lambda client: client.execute_git_command("log 'x"), "cannot be split into words"),
        (lambda client: client.workspace_exists(".."), "is not below the workspace"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(client: GitServerClient, call: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        call(client)


def test_what_git_cannot_do_is_told(client: GitServerClient) -> None:
    with pytest.raises(GitFailed, match=r"git clone failed: .*not found"):
        client.clone_to_workspace("gone")
    client.clone_to_workspace("quiz")
    with pytest.raises(GitFailed, match="git checkout failed"):
        client.reset_workspace("quiz", "no-such-branch")
    with pytest.raises(GitFailed, match=r"no clone of gone .*; clone_to_workspace\(\) makes one"):
        client.reset_workspace("gone")
    assert client.execute_git_command("status", "gone")[0] == 1
    code, _, said = client.execute_git_command("no-such-command", "quiz")
    assert (code, "no-such-command" in said) == (1, True)


@pytest.mark.parametrize("url", ["gitea:3000", "ssh://gitea", "http://alice:secret@gitea"])
def test_an_address_that_is_none_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="gitea_url is no address") as raised:
        GitServerClient(url, "alice", PASSWORD, tmp_path / "x")
    assert "secret" not in str(raised.value)
    assert not os.path.exists(tmp_path / "x")
