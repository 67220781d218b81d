"""A server as a subject of the rules, and the checks that only a server can be put to.

Needs nothing of the server but its address, so any OpenEnv server will do; one that a runtime started can be asked
more: whether it has died, and what it said last.
"""

import contextlib
import dataclasses
import http.client
import socket
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException

from openenv.errors import ConnectFailed, ConnectionLost, OpenEnvError, ReplyTimeout, RuntimeFailed
from openenv.hub.report import Check, Outcome, failed, not_checked, passed
from openenv.protocol import GetState, Reset
from openenv.runtimes import Runtime
from openenv.testing.exchange import RuleBroken, Subject
from openenv.testing.rules import RULES
from openenv.testing.schema import Schema, SchemaNotUnderstood, violations
from openenv.testing.wire import Address, WireSession

__all__ = ["ALIVE", "SERVER_CHECKS", "START", "Server"]

_MANY = 72
"""More than the 64 sessions that a server holds unless it is told otherwise."""
_PAUSE_S = 0.05
_FRAME_S = 5.0
_LOG_LINES = 10
_FOREIGN = "page.openenv-validate.invalid"
_FULL = "CAPACITY_REACHED"

_BAD_FRAMES: Mapping[str, str | bytes] = {
    "an empty frame": "",
    "half an object": '{"type":',
    "an array": "[1,2]",
    "null": "null",
    "a number": "7",
    "an object without type": "{}",
    "an unknown type": '{"type":"no_such_type"}',
    "a type that is no text": '{"type":{"a":1}}',
    "a step without data": '{"type":"step"}',
    "a step whose data is a number": '{"type":"step","data":5}',
    "a key that is not known": '{"type":"state","no_such_key":1}',
    "10 000 brackets": "[" * 10_000,
    "bytes that are no text": b"\x00\xff\xfe",
}


class Server(Subject):
    """A server at an address, or one that a runtime is to start.

    Args:
        url: Where it is; None when the runtime says so.
        runtime: Started by the check `server.start`, stopped by whoever made it.
        timeout_s: How long a reply may take.
        token: Bearer token, or None.
        actions: What to try; None makes some up.
    """

    def __init__(
        self,
        url: str | None,
        *,
        runtime: Runtime | None = None,
        timeout_s: float,
        token: str | None = None,
        actions: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        self._url = url
        self.runtime = runtime
        self._timeout_s = timeout_s
        self._token = token
        self.given_actions = actions
        self._limit: int | None = None
        self._gone: str | None = None
        if url is not None:
            Address(url, timeout_s)  # so that a bad URL is told at once

    @property
    def address(self) -> Address:
        """Where it is. Raises UsageError when it was not started."""
        url = self.runtime.url if self.runtime is not None else self._url
        assert url is not None  # one of the two is given
        return Address(url, self._timeout_s, self._token)

    @cached_property
    def schemas(self) -> Mapping[str, Schema]:
        """What `/schema` says."""
        return self.address.get_object("/schema")

    @property
    def many(self) -> int:
        """More sessions than it holds at once, as far as is known."""
        return _MANY if self._limit is None else min(self._limit + 2, _MANY)

    def open(self) -> WireSession:
        """Open a session; a server that has just closed another may need a moment. Raises as `Address.connect` does."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            session = self._connect()
            if (refusal := _refusal(session)) is None:
                return session
            session.close()
            if time.monotonic() >= deadline:
                raise RuleBroken(f"no session within {self._timeout_s:g} s: {refusal}")
            time.sleep(_PAUSE_S)

    def room(self, wanted: int) -> int:
        """Find out by opening sessions until one is refused, or has to wait for another to be closed."""
        opened: list[WireSession] = []
        try:
            while len(opened) < wanted:
                session = self._connect()
                opened.append(session)
                try:
                    answer = session.ask(Reset({}))
                except (ReplyTimeout, ConnectionLost):
                    if len(opened) == 1:
                        raise
                    self._limit = len(opened) - 1
                    return self._limit
                if answer.code == _FULL:
                    self._limit = max(len(opened) - 1, 1)
                    return self._limit
            return wanted
        finally:
            for session in opened:
                session.close()

    def obstacle(self) -> str | None:
        """Say why there is no use in asking on; None while there is."""
        return self.death() or self._gone

    def death(self) -> str | None:
        """Say how the server that was started here died; None while it lives, or when it is not ours."""
        how = self.runtime.died() if self.runtime is not None else None
        return f"the server has died: {how}" if how else None

    def _connect(self) -> WireSession:
        try:
            return WireSession(self.address)
        except ConnectFailed as error:
            self._gone = f"the server stopped answering: {error}"
            raise


def _refusal(session: WireSession) -> str | None:
    """Ask a new session for something harmless; say how it was refused if there is no room."""
    answer = session.ask(GetState())
    return str(answer) if answer.code == _FULL else None


def _start(server: Server) -> Outcome:
    assert server.runtime is not None  # the check is made for servers with one
    try:
        url = server.runtime.start()
    except RuntimeFailed as error:
        sentence = str(error).partition("\n")[0]
        return failed(sentence, *error.logs.splitlines()[-_LOG_LINES:], remedy=getattr(error, "hint", None))
    return passed(f"served at {url}")


def _health(server: Server) -> Outcome:
    found = server.address.get_object("/health")
    if found.get("status") != "healthy":
        return failed(f"/health says {found!r}", remedy='a healthy server says {"status":"healthy"}')
    return passed("/health says healthy")


def _metadata(server: Server) -> Outcome:
    found = server.address.get_object("/metadata")
    wrong = [
        f"{key} is {found.get(key)!r}" for key in ("name",) if not isinstance(found.get(key), str) or not found[key]
    ]
    wrong += [
        f"{key} is {found[key]!r}"
        for key in ("description", "version")
        if not isinstance(found.get(key, ""), str | None)
    ]
    return failed(*wrong, remedy="these are texts") if wrong else passed(f"it is called {found['name']!r}")


def _schema(server: Server) -> Outcome:
    missing = [key for key in ("action", "observation", "state") if not isinstance(server.schemas.get(key), dict)]
    if missing:
        return failed(f"/schema has no {' and no '.join(missing)}")
    for key in ("action", "observation", "state"):
        try:
            violations({}, server.schemas[key])
        except SchemaNotUnderstood as error:
            return not_checked(f"{key}: {error}")
    return passed("/schema describes action, observation and state")


def _http(server: Server) -> Outcome:
    """Play an episode over HTTP, as `curl` would, naming the session where the server has said its name."""
    address = server.address
    session: dict[str, str] = {}
    try:
        _, session = address.ask("POST", "/reset", {"episode_id": "openenv-validate-http"}, session)
        for action in server.actions[:2]:
            address.ask("POST", "/step", {"action": action}, session)
        state, _ = address.ask("GET", "/state", None, session)
    finally:
        if session:
            with contextlib.suppress(OpenEnvError):  # what came before is what is told
                address.ask("DELETE", "/session", None, session)
    if state.get("episode_id") != "openenv-validate-http":
        return failed(
            f"after reset, {len(server.actions[:2])} steps and state, state.episode_id is {state.get('episode_id')!r}",
            remedy="keep a session for those who ask over HTTP, or have them use the WebSocket",
        )
    return passed("reset, step and state over HTTP were one episode")


def _malformed(server: Server) -> Outcome:
    wrong = []
    session = _begun(server)
    try:
        for name, frame in _BAD_FRAMES.items():
            if (what := _survives(session, name, frame)) is not None:
                wrong.append(f"{name}: {what}")
                session.close()
                session = _begun(server)
    finally:
        session.close()
    if wrong:
        return failed(*wrong, remedy="answer a frame that makes no sense with an error, and go on with the session")
    return passed(f"{len(_BAD_FRAMES)} malformed frames were answered with errors, and the session lived")


def _begun(server: Server) -> WireSession:
    session = server.open()
    session.must(Reset({"episode_id": "openenv-validate-frames"}))
    return session


def _survives(session: WireSession, name: str, frame: str | bytes) -> str | None:
    """Send a frame, and see that it is answered with an error and the episode goes on; else say what happened."""
    before = session.must(GetState())
    try:
        answer = session.exchange(frame, name, timeout_s=_FRAME_S)
        if answer.kind != "error":
            return f"it was answered with {answer}"
        after = session.must(GetState())
    except ConnectionLost:
        return "it ended the session"
    except OpenEnvError as error:
        return str(error)
    return None if before == after else f"it changed the state from {dict(before)!r} to {dict(after)!r}"


def _origin(server: Server) -> Outcome:
    """Knock as a page of another site would, and as one whose name was made to point to this machine."""
    let_in = []
    try:
        server.address.connect(origin=f"http://{_FOREIGN}").close()
        let_in.append("a page of any other site can drive it: a foreign Origin was let in")
    except (OpenEnvError, WebSocketException):
        pass
    if server.address.endpoint.is_local and _answers_as(server.address, _FOREIGN):
        let_in.append("a name that is made to point to this machine reaches it: a foreign Host was answered")
    return (
        failed(*let_in, remedy="check Origin and Host, or put a proxy that does in front")
        if let_in
        else passed("a foreign Origin was refused")
    )


def _answers_as(address: Address, host: str) -> bool:
    parts = urlsplit(address.shown)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=address.timeout_s)
    try:
        connection.request("GET", f"{parts.path}/metadata", headers={**address.headers, "Host": host})
        return connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _binding(server: Server) -> Outcome:
    """Try the server's port on the address that this machine has on the network."""
    parts = urlsplit(server.address.shown)
    if not server.address.endpoint.is_local:
        return not_checked("the server is not on this machine")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; it makes the system choose an address
            own = probe.getsockname()[0]
        except OSError:
            own = "127.0.0.1"
    if own.startswith("127."):
        return not_checked("this machine has no address but loopback ones")
    try:
        socket.create_connection((own, parts.port or 80), timeout=_FRAME_S).close()
    except OSError:
        return passed("it listens on loopback addresses only")
    return failed(f"it can be reached at {own} too", remedy="listen on 127.0.0.1 unless others are meant to reach it")


def _alive(server: Server) -> Outcome:
    try:
        _health(server)
    except OpenEnvError as error:
        logs = server.runtime.logs(_LOG_LINES).splitlines() if server.runtime is not None else []
        return failed(server.death() or str(error), *logs)
    return passed("it is as healthy as it was")


def _on_server(rule: Check[Subject]) -> Check[Subject]:
    """Make a rule wait for what it takes on a server."""
    reads_schema = rule.id in ("session.step", "schema.observation", "schema.state", "fault.bad_action")
    needs = ("server.health", *(("server.schema",) if reads_schema else ()))
    return dataclasses.replace(rule, needs=(*needs, *rule.needs))


START: Check[Server] = Check(id="server.start", title="It starts and is healthy", run=_start)
SERVER_CHECKS: tuple[Check[Server], ...] = (
    Check(id="server.health", title="/health answers", run=_health),
    Check(id="server.metadata", title="/metadata says what it is", run=_metadata, needs=("server.health",)),
    Check(id="server.schema", title="/schema describes it", run=_schema, needs=("server.health",)),
    *map(_on_server, RULES),
    Check(id="socket.malformed", title="A bad frame does not end a session", run=_malformed, needs=("session.reset",)),
    Check(
        id="http.session",
        title="An episode can be played over HTTP",
        run=_http,
        needs=("state.contract",),
        is_required=False,
    ),
    Check(
        id="access.pages",
        title="Pages of other sites are kept out",
        run=_origin,
        needs=("session.reset",),
        is_required=False,
    ),
    Check(
        id="access.binding",
        title="It listens on this machine only",
        run=_binding,
        needs=("server.health",),
        is_required=False,
    ),
)
ALIVE: Check[Server] = Check(id="server.alive", title="It is alive after all this", run=_alive)
