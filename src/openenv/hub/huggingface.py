"""The Hugging Face Hub as publishing needs it: a few calls, patient with its moods, its failures in our words.

Decides what is tried again and how long a wait may be, and what each failure is called. The order of the calls is
decided in `publish`. Their bytes are the business of the `huggingface_hub` library, which comes with the extra `hub`
and is imported when it is used.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, TypeVar

from openenv.errors import HubError, MissingExtra
from openenv.hub.failures import TOKENS, failures, retry_after_s, transient_reason, translate

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, HfApi

__all__ = ["Account", "Committed", "Hub", "Patience", "SpaceState", "Upload", "saved_token"]

ReturnT = TypeVar("ReturnT")

# Seconds to connect, to read, to write, and for a connection of the pool. The library itself would wait for ever.
_LIMITS_S = (10.0, 120.0, 120.0, 120.0)
# The Hub would leave out what a .gitignore among the files names. What is uploaded was decided before.
_NO_GITIGNORE = "# every file of this commit is meant\n"


@dataclass(frozen=True)
class Patience:
    """How often a call is tried, and how long is waited in between: longer each time, or as long as the Hub asks."""

    tries: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0

    def wait_s(self, tried: int, asked_s: float | None) -> float | None:
        """Say how long to wait after so many tries; None when it is enough."""
        if tried >= self.tries or (asked_s or 0) > self.longest_wait_s:
            return None
        return min(self.first_wait_s * 2 ** (tried - 1), self.longest_wait_s) if asked_s is None else asked_s


@dataclass(frozen=True)
class Account:
    """Whose token it is. `can_write` is None where the Hub does not say."""

    name: str
    can_write: bool | None


@dataclass(frozen=True)
class SpaceState:
    """A Space as it is on the Hub."""

    sdk: str | None
    is_private: bool
    server: str | None
    hardware: str | None


@dataclass(frozen=True)
class Upload:
    """Files that were brought over, and wait for their commit."""

    repo_id: str
    files: Sequence[tuple[str, bytes | Path]]
    as_pull_request: bool
    operations: "list[CommitOperationAdd]"


@dataclass(frozen=True)
class Committed:
    """What became of a commit: its id, and the pull request it is in, if it is in one."""

    oid: str
    pull_request: str | None


class Hub:
    """The calls. Each raises `HubError`, which never holds the token or one of the secrets.

    Args:
        token: Who calls.
        endpoint: Where the Hub is; by default where `HF_ENDPOINT` says.
        patience: How it takes the Hub's moods.
        on_wait: Told why, and for how many seconds, before each wait.
    """

    def __init__(
        self,
        token: str,
        endpoint: str | None = None,
        *,
        patience: Patience | None = None,
        on_wait: Callable[[str, float], None] | None = None,
    ) -> None:
        self._api: HfApi = _library().HfApi(endpoint=endpoint, token=token, library_name="openenv")
        self._patience = patience or Patience()
        self._on_wait = on_wait
        self._hidden = {token}
        self._was_reached = False

    @property
    def endpoint(self) -> str:
        """Where the Hub is."""
        return self._api.endpoint

    def account(self) -> Account:
        """Ask whose token it is."""
        answer = self._call("tell whose token this is", self._api.whoami)
        role = answer.get("auth", {}).get("accessToken", {}).get("role")
        return Account(answer["name"], None if role not in ("read", "write") else role == "write")

    def space(self, repo_id: str) -> SpaceState | None:
        """Look at a Space; None when there is none, or none that this token may see."""
        not_found = _library().errors.RepositoryNotFoundError

        def look() -> SpaceState | None:
            try:
                info = self._api.space_info(repo_id)
            except not_found:
                return None
            runtime = info.runtime
            hardware = (runtime.requested_hardware or runtime.hardware) if runtime is not None else None
            return SpaceState(info.sdk, bool(info.private), info.host, hardware)

        return self._call(f"show {repo_id}", look)

    def create(self, repo_id: str, *, private: bool, hardware: str | None) -> None:
        """Create a Docker Space; one that is there already stays as it is."""
        self._call(
            f"create the Space {repo_id}",
            lambda: self._api.create_repo(
                repo_id,
                repo_type="space",
                space_sdk="docker",
                space_hardware=hardware,  # type: ignore[arg-type]  # a plain string will do, says its documentation
                # Not said, it is what the organization has decided.
                private=True if private else None,
                exist_ok=True,
            ),
        )

    def duplicate(
        self,
        source: str,
        repo_id: str,
        *,
        private: bool,
        hardware: str,
        variables: Mapping[str, str],
        secrets: Mapping[str, str],
    ) -> None:
        """Make a Space with the files of another one, and these settings; those of the other one do not come along.

        Raises:
            HubError: It was not made, for one because there is a Space of that name.
        """
        self._hidden.update(filter(None, secrets.values()))
        if self.space(repo_id) is not None:
            raise HubError(f"the Space {repo_id} exists already", hint="name another by --repo-id, or delete it first")
        tried = 0

        def copy() -> None:
            nonlocal tried
            tried += 1
            self._api.duplicate_repo(
                source,
                repo_id,
                repo_type="space",
                private=True if private else None,
                space_hardware=hardware,  # type: ignore[arg-type]  # as in create()
                space_variables=_pairs(variables),
                space_secrets=_pairs(secrets),
                exist_ok=tried > 1,  # the answer to the first try may have been lost
            )

        self._call(f"duplicate {source} as {repo_id}", copy)

    def make_private(self, repo_id: str) -> None:
        """Let only those see the Space who may see its owner's private ones."""
        self._call(
            f"make {repo_id} private", lambda: self._api.update_repo_settings(repo_id, repo_type="space", private=True)
        )

    def request_hardware(self, repo_id: str, flavor: str) -> None:
        """Ask for hardware to run the Space on."""
        self._call(
            f"give {repo_id} the hardware {flavor}",
            lambda: self._api.request_space_hardware(repo_id, flavor),  # type: ignore[arg-type]  # as above
        )

    def set_variable(self, repo_id: str, key: str, value: str) -> None:
        """Set a variable that everybody may see."""
        self._call(f"set the variable {key}", lambda: self._api.add_space_variable(repo_id, key, value))

    def set_secret(self, repo_id: str, key: str, value: str) -> None:
        """Set a variable that only the server of the Space sees."""
        self._hidden.add(value)
        self._call(f"set the secret {key}", lambda: self._api.add_space_secret(repo_id, key, value))

    def upload(self, repo_id: str, files: Sequence[tuple[str, bytes | Path]], *, as_pull_request: bool) -> Upload:
        """Bring over what is large. Nothing of it shows until the commit; a second try sends only what is missing."""
        upload = Upload(repo_id, files, as_pull_request, _operations(files))
        try:
            # The library tries this again by itself, so we do not.
            with _bounded():
                self._api.preupload_lfs_files(
                    repo_id,
                    upload.operations,
                    repo_type="space",
                    create_pr=as_pull_request,
                    free_memory=False,
                    gitignore_content=_NO_GITIGNORE,
                )
        except failures() as error:
            self._raise(f"take the files of {repo_id}", error)
        return upload

    def commit(self, upload: Upload, message: str) -> Committed:
        """Change the Space to have these files, all at once or not at all."""
        what = f"change {upload.repo_id}"
        tried = 0
        while True:
            tried += 1
            try:
                with _bounded():
                    info = self._api.create_commit(
                        upload.repo_id,
                        upload.operations,
                        commit_message=message,
                        repo_type="space",
                        create_pr=upload.as_pull_request,
                    )
            except failures() as error:
                # A second pull request would be one too many, so nothing is sent again that may have arrived.
                self._wait_or_raise(what, error, tried, only_if_refused=upload.as_pull_request)
            else:
                return Committed(info.oid, info.pr_url)
            # Shown to the Hub anew: had the commit gone through and only its answer been lost, nothing is left to do.
            upload = self.upload(upload.repo_id, upload.files, as_pull_request=upload.as_pull_request)

    def _call(self, what: str, call: Callable[[], ReturnT]) -> ReturnT:
        tried = 0
        while True:
            tried += 1
            try:
                with _bounded():
                    answer = call()
            except failures() as error:
                self._wait_or_raise(what, error, tried)
            else:
                self._was_reached = True
                return answer

    def _wait_or_raise(self, what: str, error: Exception, tried: int, *, only_if_refused: bool = False) -> None:
        why = transient_reason(error, was_reached=self._was_reached, only_if_refused=only_if_refused)
        wait_s = self._patience.wait_s(tried, retry_after_s(error)) if why else None
        if why is None or wait_s is None:
            self._raise(what, error)
        if self._on_wait is not None:
            self._on_wait(why, wait_s)
        time.sleep(wait_s)

    def _raise(self, what: str, error: Exception) -> NoReturn:
        translated = translate(what, error, self.endpoint)
        for hidden in self._hidden:
            translated.args = (str(translated).replace(hidden, "***"),)
        raise translated from error


def saved_token(*, log_in: bool) -> str:
    """Give the token of whoever is logged in.

    Args:
        log_in: Whether somebody is there to log in, should nobody be.

    Raises:
        HubError: Nobody is logged in.
        MissingExtra: The library is not installed.
    """
    library = _library()
    if token := library.get_token():
        return str(token)
    if log_in:
        try:
            library.login()
        except failures() as error:
            raise translate("log you in", error, library.constants.ENDPOINT) from error
        if token := library.get_token():
            return str(token)
    raise HubError(
        "nobody is logged in to the Hugging Face Hub, so nothing can be published",
        hint=f"run `hf auth login`, or set HF_TOKEN to a token with write access from {TOKENS}",
    )


@contextmanager
def _bounded() -> Iterator[None]:
    """Give every request of the block a time limit, in whatever client the library uses."""
    session = _library().get_session()
    before, session.timeout = session.timeout, _LIMITS_S
    try:
        yield
    finally:
        session.timeout = before


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _operations(files: Sequence[tuple[str, bytes | Path]]) -> "list[CommitOperationAdd]":
    add = _library().CommitOperationAdd
    return [add(path, content) for path, content in files]


def _library() -> ModuleType:
    try:
        import huggingface_hub  # an extra
    except ImportError as error:
        raise MissingExtra("publishing on the Hugging Face Hub", "hub") from error
    return huggingface_hub
