"""Repositories of a Gitea server as workspaces of tasks: cloned once, and brought back to a commit at each reset.

The password goes into the environment of git and into a header of our own requests. It is in no argument vector, no
file and no error; git run by an agent, through `execute_git_command`, can find it out.
"""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from openenv.errors import ConfigurationError, NotInstalled, OpenEnvError

__all__ = ["GitFailed", "GitServerClient", "RepoInfo"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_COMMIT = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*")
_PAGE = 50
_GIT_S = 300.0
_REQUEST_S = 10.0
_PAUSE_S = 0.1


class GitFailed(OpenEnvError, RuntimeError):
    """Git, or a server of it, did not do what it was asked."""


@dataclass(frozen=True)
class RepoInfo:
    """A repository in a workspace, at a commit."""

    name: str
    url: str
    commit: str
    clone_url: str


class GitServerClient:
    """Clones repositories of one user of a Gitea server into a folder.

    Args:
        gitea_url: Where the server is, such as `http://gitea:3000`.
        username: Whose repositories.
        password: Of that user, or a token.
        workspace_dir: The folder of the clones; made if missing.

    Raises:
        ConfigurationError: The address is none of HTTP.
    """

    def __init__(
        self, gitea_url: str, username: str, password: str, workspace_dir: str | os.PathLike[str] = "/workspace"
    ) -> None:
        if not gitea_url.startswith(("http://", "https://")) or "@" in gitea_url:
            raise ConfigurationError("gitea_url is no address; write one like http://gitea:3000, without a password")
        self.gitea_url = gitea_url.rstrip("/")
        self.username = username
        self.workspace_dir = Path(workspace_dir).resolve()
        self.workspace_dir.mkdir(parents=True, exist_ok=True)
        self.is_ready = False
        secret = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._authorization = f"Basic {secret}"
        settings = {
            f"http.{self.gitea_url}/.extraHeader": f"Authorization: {self._authorization}",
            "user.name": username,
            "user.email": f"{username}@local.env",
        }
        self._git_env = _without_git(os.environ) | {
            "GIT_CONFIG_GLOBAL": os.devnull,  # nothing of the user's own
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",  # or it would wait for somebody to type
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (key, value) in enumerate(settings.items()):
            self._git_env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}

    def wait_for_ready(self, timeout: float = 30) -> bool:
        """Wait, for so many seconds at most, until the server answers; say whether it did."""
        deadline = time.monotonic() + timeout
        while not self.is_ready:
            try:
                self._get("/api/v1/version")
            except GitFailed:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE_S)
            else:
                self.is_ready = True
        return True

    def list_repositories(self) -> list[dict[str, str]]:
        """List the repositories of the user, each with `name`, `full_name`, `clone_url` and `description`.

        Raises:
            GitFailed: The server does not say.
        """
        found: list[dict[str, str]] = []
        for page in range(1, 1000):
            told = self._get(f"/api/v1/user/repos?limit={_PAGE}&page={page}")
            try:
                names = ("name", "full_name", "clone_url")
                found += [
                    {key: each[key] for key in names} | {"description": each.get("description") or ""} for each in told
                ]
            except (LookupError, TypeError, AttributeError) as error:
                raise GitFailed(f"{self.gitea_url} answers with something else than repositories") from error
            if len(told) < _PAGE:
                break
        return found

    def clone_to_workspace(self, repo_name: str, target_dir: str | None = None, commit: str = "main") -> str:
        """Clone a repository anew, at a branch or a commit, and give the folder. What is in that folder is deleted.

        Raises:
            ConfigurationError: The folder is outside the workspace, or a name cannot be one.
            GitFailed: It could not be cloned.
        """
        folder = self._folder(target_dir or repo_name)
        if not _NAME.fullmatch(repo_name):
            raise ConfigurationError(f"{repo_name!r} cannot be the name of a repository")
        if folder.exists():
            shutil.rmtree(folder)
        url = f"{self.gitea_url}/{self.username}/{repo_name}.git"
        self._git(self.workspace_dir, "clone", "--quiet", "--", url, str(folder))
        self._check_out(folder, commit)
        return str(folder)

    def reset_workspace(self, repo_name: str, commit: str = "main") -> bool:
        """Bring a clone back to a branch as the server has it, or to a commit; whatever else is in its folder goes.

        Raises:
            ConfigurationError, GitFailed: As `clone_to_workspace`.
        """
        folder = self._clone(repo_name)
        self._git(folder, "fetch", "--quiet", "--prune", "origin")
        self._check_out(folder, commit)
        self._git(folder, "clean", "--quiet", "-ffdx")
        return True

    def execute_git_command(self, command: str, working_dir: str = "") -> tuple[int, str, str]:
        """Run git with arguments as a shell would split them, and give its exit code and what it printed.

        Args:
            command: Without the word `git`.
            working_dir: Where, below the workspace.

        Raises:
            ConfigurationError: The folder is outside the workspace, or the quotes are not closed.
            GitFailed: It took too long.
        """
        folder = self._folder(working_dir) if working_dir else self.workspace_dir
        if not folder.is_dir():
            return 1, "", f"there is no folder {folder}"
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise ConfigurationError(f"the command {command!r} cannot be split into words: {error}") from error
        ran = self._run(folder, words)
        return ran.returncode, ran.stdout, ran.stderr

    def get_current_commit(self, repo_name: str) -> str:
        """Give the commit that a clone is at. Raises as `reset_workspace`."""
        return self._git(self._clone(repo_name), "rev-parse", "HEAD").strip()

    def repo_info(self, repo_name: str) -> RepoInfo:
        """Say where a clone is from, and at which commit it is. Raises as `reset_workspace`."""
        url = f"{self.gitea_url}/{self.username}/{repo_name}"
        return RepoInfo(repo_name, url, self.get_current_commit(repo_name), f"{url}.git")

    def workspace_exists(self, repo_name: str) -> bool:
        """Whether there is a clone of that name."""
        return (self._folder(repo_name) / ".git").exists()

    def _check_out(self, folder: Path, commit: str) -> None:
        if not _COMMIT.fullmatch(commit):
            raise ConfigurationError(f"{commit!r} is neither a branch nor a commit")
        branch = f"refs/remotes/origin/{commit}"
        if self._run(folder, ["rev-parse", "--quiet", "--verify", f"{branch}^{{commit}}"]).returncode == 0:
            self._git(folder, "checkout", "--quiet", "--force", "-B", commit, branch)
        else:
            self._git(folder, "checkout", "--quiet", "--force", "--detach", commit)

    def _clone(self, repo_name: str) -> Path:
        if not self.workspace_exists(repo_name):
            raise GitFailed(f"there is no clone of {repo_name} in {self.workspace_dir}; clone_to_workspace() makes one")
        return self._folder(repo_name)

    def _folder(self, name: str) -> Path:
        folder = (self.workspace_dir / name).resolve()
        if self.workspace_dir not in folder.parents:
            raise ConfigurationError(f"{name!r} is not below the workspace {self.workspace_dir}")
        return folder

    def _git(self, folder: Path, *arguments: str) -> str:
        ran = self._run(folder, arguments)
        if ran.returncode:
            raise GitFailed(f"git {arguments[0]} failed: {ran.stderr.strip()}")
        return ran.stdout

    def _run(self, folder: Path, arguments: Any) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=folder,
                env=self._git_env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_GIT_S,
            )
        except FileNotFoundError as error:
            raise NotInstalled("git is not installed", hint="install git") from error
        except subprocess.TimeoutExpired as error:
            raise GitFailed(f"git {' '.join(arguments[:1])} took longer than {_GIT_S:g} s") from error

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(f"{self.gitea_url}{path}", headers={"Authorization": self._authorization})
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_S) as answer:
                return json.load(answer)
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()  # it holds the connection
            raise GitFailed(f"{self.gitea_url} does not answer as a Gitea does: {error}") from error


def _without_git(environ: Any) -> dict[str, str]:
    """Leave out what somebody told git for another repository, such as a hook of one that runs us."""
    return {name: value for name, value in environ.items() if not name.startswith("GIT_")}
