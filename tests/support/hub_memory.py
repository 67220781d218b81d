"""What a Hugging Face Hub remembers and answers, without the wire: the part of its API by which Spaces are published.

It checks what the real one checks: the token, who owns what, that a large file arrived whole before a commit names it.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Fault", "HubServer", "Refusal", "Space"]

_LARGE_BYTES = 10 * 1024 * 1024
_SPACE = r"/api/spaces/(?P<id>[^/]+/[^/]+)"


@dataclass
class Space:
    """A Space as the server has it; `commits` has the files after each commit, `pull_requests` those proposed."""

    sdk: str | None
    private: bool
    hardware: str = "cpu-basic"
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    commits: list[dict[str, bytes]] = field(default_factory=list)
    pull_requests: list[dict[str, bytes]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, bytes]:
        """What is in it now."""
        return self.commits[-1] if self.commits else {}

    @property
    def head(self) -> str:
        return hashlib.sha1(repr((len(self.commits), sorted(self.files.items()))).encode()).hexdigest()

    def write_to(self, folder: Path) -> None:
        """Put what is in it on disk, as a clone would."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@dataclass
class Fault:
    request: re.Pattern[str]
    times: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: float | None = None
    is_done_first: bool = False
    until: threading.Event | None = None


class Refusal(Exception):
    def __init__(self, status: int, message: str, code: str | None = None, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.more = more


class HubServer:
    """The server's memory, and what it is told to do wrong.

    Attributes:
        url: Where it is.
        tokens: Whose token each is, and whether it may write.
        organizations: Those a user may write for.
        spaces: By `owner/name`.
        requests: Every request so far, as `METHOD /path`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.tokens = {"hf_alice": ("alice", "write"), "hf_reader": ("alice", "read"), "hf_bob": ("bob", "fineGrained")}
        self.organizations = {"alice": ["my-org"], "bob": []}
        self.spaces: dict[str, Space] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.user_agents: set[str] = set()
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self.stopping = threading.Event()

    def environment(self, home: Path, token: str | None = "hf_alice") -> dict[str, str]:
        """Say the environment variables by which a process finds this Hub, and nothing of the user's own."""
        settings = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "*"}
        return settings | ({} if token is None else {"HF_TOKEN": token})

    def fail(self, request: str, status: int, *, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next requests that match, as `METHOD /path`, with an error."""
        self._faults.append(Fault(re.compile(request), times, status=status, headers=headers or {}))

    def cut(self, request: str, *, times: int = 1, at: float = 0.5) -> None:
        """Break the connection when this part of the request's body was read."""
        self._faults.append(Fault(re.compile(request), times, cut_at=at))

    def lose_answer(self, request: str, *, times: int = 1) -> None:
        """Do what is asked, and break the connection in place of an answer."""
        self._faults.append(Fault(re.compile(request), times, is_done_first=True))

    def hold(self, request: str, *, until: threading.Event, times: int = 1) -> None:
        """Answer only when the event is set."""
        self._faults.append(Fault(re.compile(request), times, until=until))

    def take_fault(self, request: str) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.times > 0 and fault.request.search(request):
                    fault.times -= 1
                    return fault
        return None

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Carry out a request.

        Raises:
            Refusal: It is refused.
        """
        with self._lock:
            for verb, pattern, carry_out in _ROUTES:
                if verb == method and (found := re.fullmatch(pattern, path)):
                    caller = self._caller(headers) if carry_out is not _put_large else None
                    return 200, carry_out(self, caller, found.groupdict(), body)
        raise Refusal(404, f"this Hub knows no {method} {path}")

    def _caller(self, headers: Mapping[str, str]) -> str:
        token = headers.get("authorization", headers.get("Authorization", "")).removeprefix("Bearer ")
        if token not in self.tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return token

    def may_write(self, token: str, owner: str) -> bool:
        name, role = self.tokens[token]
        return role == "write" and owner in (name, *self.organizations[name])

    def visible(self, token: str, repo_id: str) -> Space:
        space = self.spaces.get(repo_id)
        name, _ = self.tokens[token]
        if space is None or (space.private and repo_id.split("/")[0] not in (name, *self.organizations[name])):
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return space

    def writable(self, token: str, repo_id: str) -> Space:
        space = self.visible(token, repo_id)
        if not self.may_write(token, repo_id.split("/")[0]):
            raise Refusal(403, "You don't have the rights to write to this Space")
        return space


def _whoami(hub: HubServer, token: str, _path: dict[str, str], _body: bytes) -> Any:
    name, role = hub.tokens[token]
    orgs = [{"type": "org", "name": each} for each in hub.organizations[name]]
    access = {"displayName": f"{name}'s", "role": role}
    return {"type": "user", "name": name, "orgs": orgs, "auth": {"type": "access_token", "accessToken": access}}


def _create(hub: HubServer, token: str, _path: dict[str, str], body: bytes) -> Any:
    asked = json.loads(body)
    owner = asked.get("organization") or hub.tokens[token][0]
    repo_id = f"{owner}/{asked['name']}"
    if not hub.may_write(token, owner):
        raise Refusal(403, f"You don't have the rights to create a space under the namespace {owner!r}")
    if asked.get("type") != "space":
        raise Refusal(400, "this Hub has Spaces only")
    if not re.fullmatch(r"[\w.-]{1,96}", asked["name"]):
        raise Refusal(400, "Invalid repo name")
    if repo_id in hub.spaces:
        raise Refusal(409, "You already created this space repo", url=f"{hub.url}/spaces/{repo_id}")
    private = asked.get("private") is True or asked.get("visibility") == "private"
    hub.spaces[repo_id] = Space(asked["sdk"], private, asked.get("hardware") or "cpu-basic")
    return {"url": f"{hub.url}/spaces/{repo_id}", "name": repo_id}


def _info(hub: HubServer, token: str, path: dict[str, str], _body: bytes) -> Any:
    space = hub.visible(token, path["id"])
    subdomain = re.sub(r"[^a-z0-9]+", "-", path["id"].lower())
    runtime = {"stage": "RUNNING", "hardware": {"current": space.hardware, "requested": space.hardware}}
    found = {"id": path["id"], "private": space.private, "sdk": space.sdk, "sha": space.head, "tags": [], "likes": 0}
    return found | {"runtime": runtime, "subdomain": subdomain, "host": f"https://{subdomain}.hf.space"}


def _settings(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    asked = json.loads(body)
    space = hub.writable(token, path["id"])
    space.private = asked.get("private", asked.get("visibility") == "private")
    return {"private": space.private}


def _variable(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    asked = json.loads(body)
    space = hub.writable(token, path["id"])
    space.variables[asked["key"]] = asked["value"]
    return {key: {"value": value} for key, value in space.variables.items()}


def _secret(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    asked = json.loads(body)
    hub.writable(token, path["id"]).secrets[asked["key"]] = asked["value"]
    return {}


def _hardware(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    space = hub.writable(token, path["id"])
    space.hardware = json.loads(body)["flavor"]
    return {"stage": "BUILDING", "hardware": {"current": None, "requested": space.hardware}}


def _duplicate(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    source = hub.visible(token, path["id"])
    asked = json.loads(body)
    repo_id = asked["repository"]
    if not hub.may_write(token, repo_id.split("/")[0]):
        raise Refusal(403, f"You don't have the rights to create a space under the namespace of {repo_id!r}")
    if repo_id in hub.spaces:
        raise Refusal(409, "You already created this space repo", url=f"{hub.url}/spaces/{repo_id}")
    variables, secrets = ({each["key"]: each["value"] for each in asked.get(n, [])} for n in ("variables", "secrets"))
    private = asked.get("private", asked.get("visibility") == "private")
    made = Space(source.sdk, private, asked.get("hardware") or "cpu-basic", variables, secrets, [dict(source.files)])
    hub.spaces[repo_id] = made
    return {"url": f"{hub.url}/spaces/{repo_id}"}


def _validate_yaml(_hub: HubServer, _token: str, _path: dict[str, str], body: bytes) -> Any:
    asked = json.loads(body)
    if asked["repoType"] == "space" and not re.search(r"^sdk: \w+", asked["content"], re.MULTILINE):
        raise Refusal(400, '"sdk" is required')
    return {"errors": [], "warnings": []}


def _preupload(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    files = hub.visible(token, path["id"]).files
    asked = json.loads(body)
    ignored = {line.strip() for line in asked.get("gitIgnore", "").splitlines()}
    answers = []
    for each in asked["files"]:
        is_large = b"\0" in base64.b64decode(each["sample"]) or each["size"] > _LARGE_BYTES
        known = files.get(each["path"])
        oid = None if known is None else _large_oid(known) if is_large else _blob_oid(known)
        mode = "lfs" if is_large else "regular"
        should_ignore = each["path"] in ignored
        answers.append({"path": each["path"], "uploadMode": mode, "shouldIgnore": should_ignore, "oid": oid})
    return {"files": answers}


def _batch(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    hub.visible(token, path["id"])
    objects = []
    for each in json.loads(body)["objects"]:
        actions = {
            "upload": {"href": f"{hub.url}/large/{each['oid']}"},
            "verify": {"href": f"{hub.url}/large/{each['oid']}/verify"},
        }
        objects.append(each if each["oid"] in hub.large else {**each, "actions": actions})
    return {"transfer": "basic", "objects": objects}


def _put_large(hub: HubServer, _token: None, path: dict[str, str], body: bytes) -> Any:
    if _large_oid(body) != path["oid"]:
        raise Refusal(400, "the content is not what its digest says")
    hub.large[path["oid"]] = body
    return {}


def _verify_large(hub: HubServer, _token: str, path: dict[str, str], _body: bytes) -> Any:
    if path["oid"] not in hub.large:
        raise Refusal(404, "the file has not arrived")
    return {}


def _commit(hub: HubServer, token: str, path: dict[str, str], body: bytes, *, as_pull_request: bool = False) -> Any:
    space = hub.visible(token, path["id"]) if as_pull_request else hub.writable(token, path["id"])
    files = dict(space.files)
    for line in map(json.loads, body.splitlines()):
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            if value["oid"] not in hub.large:
                raise Refusal(400, f"the content of {value['path']} has not arrived")
            files[value["path"]] = hub.large[value["oid"]]
    (space.pull_requests if as_pull_request else space.commits).append(files)
    if not as_pull_request and (sdk := re.search(rb"^sdk: (\w+)", files.get("README.md", b""), re.MULTILINE)):
        space.sdk = sdk[1].decode()
    where = f"{hub.url}/spaces/{path['id']}"
    pull = f"{where}/discussions/{len(space.pull_requests)}" if as_pull_request else None
    return {
        "success": True,
        "commitOid": space.head,
        "commitUrl": f"{where}/commit/{space.head}",
        "pullRequestUrl": pull,
    }


def _propose(hub: HubServer, token: str, path: dict[str, str], body: bytes) -> Any:
    return _commit(hub, token, path, body, as_pull_request=True)


_ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/api/whoami-v2", _whoami),
    ("POST", "/api/repos/create", _create),
    ("POST", "/api/validate-yaml", _validate_yaml),
    ("GET", _SPACE + r"(/revision/main)?", _info),
    ("PUT", _SPACE + "/settings", _settings),
    ("POST", _SPACE + "/variables", _variable),
    ("POST", _SPACE + "/secrets", _secret),
    ("POST", _SPACE + "/hardware", _hardware),
    ("POST", _SPACE + "/duplicate", _duplicate),
    ("POST", _SPACE + r"/preupload/main(\?create_pr=1)?", _preupload),
    ("POST", _SPACE + "/commit/main", _commit),
    ("POST", _SPACE + r"/commit/main\?create_pr=1", _propose),
    ("POST", r"/spaces/(?P<id>[^/]+/[^/]+)\.git/info/lfs/objects/batch", _batch),
    ("PUT", "/large/(?P<oid>[0-9a-f]{64})", _put_large),
    ("POST", "/large/(?P<oid>[0-9a-f]{64})/verify", _verify_large),
)


def _blob_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _large_oid(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
