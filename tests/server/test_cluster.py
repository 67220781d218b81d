"""`openenv.server.cluster`: several workers look like one server, also when one of them dies."""

import os
import select
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from openenv.protocol import GetSnapshot, Observed, Restore, Restored, SnapshotIs, Step
from tests.server.lanes import Client
from tests.server.peers import ask, http, reply, step, ws
from tests.support.command import Serving, expect_refusal, openenv_serve

APP = """
import os

from openenv import create_app
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho


class Telling(ThreadedEcho):
    def step(self, action, **options):
        if action.message == "hold":
            open("entered", "w").close()  # both are pipes, with the test at the other end
            open("go").close()
        observation = super().step(action)
        observation.metadata["worker"] = os.getpid()
        return observation


app = create_app(Telling, EchoAction, EchoObservation)
"""
NEW = {"X-Session-Id": "new"}
WORKERS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _environment(tmp_path_factory.mktemp("my_env"), APP)


def _environment(folder: Path, source: str) -> Path:
    (folder / "server").mkdir()
    (folder / "server/app.py").write_text(source)
    (folder / "openenv.yaml").write_text("name: my_env\n")
    return folder


@pytest.fixture
def cluster(folder: Path, tmp_path: Path) -> Iterator[Serving]:
    """Three workers that may have six sessions together, and leave nothing behind."""
    environ = {"OPENENV_QUEUE_S": "0", "TMPDIR": str(tmp_path)}
    with openenv_serve(folder, "--workers", str(WORKERS), "--max-sessions", "6", environ=environ) as serving:
        yield serving
        assert serving.stop() == 0
    assert os.listdir(tmp_path) == []


def _call(url: str, method: str, path: str, session: str | None = None, **body: Any) -> httpx.Response:
    """Make one request over a connection of its own, which any worker may accept."""
    headers = {} if session is None else {"X-Session-Id": session}
    with http(url, headers=headers) as client:
        return client.request(method, path, json=body) if method == "POST" else client.request(method, path)


def _open(url: str) -> str:
    answer = _call(url, "POST", "/reset", "new")
    assert answer.status_code == 200, answer.text
    return str(answer.headers["X-Session-Id"])


def _step(url: str, session: str | None, message: str = "Hi") -> dict[str, Any]:
    answer = _call(url, "POST", "/step", session, action={"message": message})
    assert answer.status_code == 200, answer.text
    metadata: dict[str, Any] = answer.json()["metadata"]
    return metadata


def _on_two_workers(url: str) -> list[str]:
    """Open sessions until there is one on each of two workers, and give these two."""
    first = other = _open(url)
    while other[:2] == first[:2]:
        if other != first:
            _call(url, "DELETE", "/session", other)
        other = _open(url)
    return [first, other]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_first_request_of_all_is_served_whosever_it_is(cluster: Serving) -> None:
    """The worker that it belongs to may not have started yet."""
    for count in (1, 2, 3):
        assert _step(cluster.url, None)["step"] == count


def test_sessions_are_whole_over_many_connections_at_once(cluster: Serving) -> None:
    sessions = [*_on_two_workers(cluster.url), *(_open(cluster.url) for _ in range(3)), None]

    def episode(session: str | None) -> list[tuple[int, int]]:
        told = [_step(cluster.url, session) for _ in range(12)]
        return [(each["step"], each["worker"]) for each in told]

    with ThreadPoolExecutor(len(sessions)) as executor:
        episodes = list(executor.map(episode, sessions))
    for told in episodes:
        assert [count for count, _ in told] == list(range(1, 13))
        assert len({worker for _, worker in told}) == 1, "a session has moved"
    assert len({worker for told in episodes for _, worker in told}) > 1


def test_limit_counts_the_sessions_of_all_workers(cluster: Serving) -> None:
    sessions = [*_on_two_workers(cluster.url), *(_open(cluster.url) for _ in range(2))]
    with ws(cluster.url) as one, ws(cluster.url) as two:
        assert [ask(peer, step("Hi"))["data"]["reward"] for peer in (one, two)] == [0.2, 0.2]
        refused = [_call(cluster.url, "POST", "/reset", "new") for _ in range(5)]
        assert {answer.status_code for answer in refused} == {503}
        assert (refused[0].json()["active_sessions"], refused[0].json()["max_sessions"]) == (6, 6)
        with ws(cluster.url) as three:
            assert reply(three)["data"]["code"] == "CAPACITY_REACHED"
    _call(cluster.url, "DELETE", "/session", sessions[0])
    _open(cluster.url)


def test_newcomer_gets_the_place_that_another_worker_gave_back(folder: Path) -> None:
    with openenv_serve(folder, "--workers", "2", "--max-sessions", "2") as serving:
        sessions = _on_two_workers(serving.url)
        with ThreadPoolExecutor(2) as executor:
            waiting = [executor.submit(_open, serving.url) for _ in range(2)]
            for session in sessions:
                assert _call(serving.url, "DELETE", "/session", session).json()["closed"] is True
            assert len({opened.result(10) for opened in waiting}) == 2


@pytest.mark.timeout(60)  # another worker has to start, and a connection has to reach it
def test_killed_worker_is_replaced_and_takes_only_its_own_sessions_along(cluster: Serving) -> None:
    doomed, other = _on_two_workers(cluster.url)
    pid = _step(cluster.url, doomed)["worker"]
    assert _step(cluster.url, other)["step"] == 1
    os.kill(pid, signal.SIGKILL)
    for path in ("/step", "/reset"):
        assert _call(cluster.url, "POST", path, doomed, action={"message": "Hi"}).status_code in (404, 410)
    assert _step(cluster.url, other)["step"] == 2

    opened = [other]  # its places are free again, and its number is in use again
    while not any(session.startswith(doomed[:2]) for session in opened):
        if len(opened) == 6:
            _call(cluster.url, "DELETE", "/session", opened.pop())
        opened.append(_open(cluster.url))
    assert _step(cluster.url, opened[-1])["worker"] != pid
    opened += [_open(cluster.url) for _ in range(6 - len(opened))]
    assert _call(cluster.url, "POST", "/reset", "new").status_code == 503
    assert _call(cluster.url, "GET", "/state", doomed).status_code == 404
    assert _step(cluster.url, other)["step"] == 3
    cluster.stop()
    assert f"worker {doomed[0]} died (exit code -9) and is replaced" in cluster.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_every_worker_quietly(number: signal.Signals, cluster: Serving) -> None:
    pids = {_step(cluster.url, session)["worker"] for session in _on_two_workers(cluster.url)}
    assert all(map(_is_running, pids))
    if number == signal.SIGINT:  # as a terminal does: to everybody at once
        os.killpg(cluster.process.pid, number)
        cluster.process.wait(15)
    assert cluster.stop(number) == 0
    assert not any(map(_is_running, pids))
    assert cluster.said.endswith("Ctrl-C stops it.\n")
    with pytest.raises(httpx.ConnectError):
        _call(cluster.url, "GET", "/health")


def test_handed_over_step_is_answered_before_the_workers_stop(cluster: Serving, folder: Path) -> None:
    os.mkfifo(folder / "entered")
    os.mkfifo(folder / "go")
    sessions = _on_two_workers(cluster.url)
    with ThreadPoolExecutor(1) as executor, http(cluster.url) as client:
        # One connection, and sessions on two workers: to one of them it has to be handed over.
        here = client.post("/reset", json={}, headers=NEW).headers["X-Session-Id"]
        there = next(session for session in sessions if session[:2] != here[:2])
        held = {"action": {"message": "hold"}}
        answer = executor.submit(client.post, "/step", json=held, headers={"X-Session-Id": there})
        (folder / "entered").read_text()
        cluster.process.send_signal(signal.SIGTERM)
        expect_refusal(cluster.url)
        (folder / "go").write_text("")
        assert answer.result(10).json()["observation"]["echoed_message"] == "hold"


def test_interrupt_while_some_still_start_is_quiet_too(cluster: Serving) -> None:
    _call(cluster.url, "GET", "/health")
    os.killpg(cluster.process.pid, signal.SIGINT)
    cluster.process.wait(15)
    assert cluster.stop() == 0
    assert cluster.said.endswith("Ctrl-C stops it.\n")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (f"import multiprocessing\n{APP}\nassert not multiprocessing.parent_process(), 'no GPU'", "no GPU"),
        ("from fastapi import FastAPI\napp = FastAPI()\n", "server.app:app was not made by create_app; serve it with"),
    ],
)
def test_worker_that_dies_while_it_starts_ends_them_all(source: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "my_env").mkdir()
    (tmp_path / "tmp").mkdir()
    folder = _environment(tmp_path / "my_env", source)
    with openenv_serve(folder, "--workers", "2", environ={"TMPDIR": str(tmp_path / "tmp")}) as serving:
        serving.said += serving.process.communicate(timeout=15)[1].decode()
        assert serving.process.returncode == 2
    assert told in serving.said
    assert "error: worker 0 died while it started; its output says why\n" in serving.said.replace(
        "worker 1", "worker 0"
    )
    assert os.listdir(tmp_path / "tmp") == []


def test_workers_stop_when_their_parent_is_killed(folder: Path, tmp_path: Path) -> None:
    with openenv_serve(folder, "--workers", "2", environ={"TMPDIR": str(tmp_path)}) as serving:
        pids = {_step(serving.url, None)["worker"] for _ in range(2)} | {
            _step(serving.url, _open(serving.url))["worker"]
        }
        watching = [os.pidfd_open(pid) for pid in pids]
        serving.process.kill()
        for fd in watching:
            assert select.select([fd], [], [], 15)[0], "a worker lives on without its parent"
            os.close(fd)


def test_link_is_resumed_through_a_worker_that_is_not_its_own(cluster: Serving) -> None:
    """Its own is stopped while the connection is accepted, so that another one has it; then it goes on."""
    _on_two_workers(cluster.url)  # there is another one that has started
    with Client(cluster.url) as client:
        client.lanes(0)
        answer: Any = client.ask(Step({"message": "Hi"}), 0)
        owner = answer.metadata["worker"]
        client.cut()
        os.kill(owner, signal.SIGSTOP)
        try:
            connection = socket.create_connection(("127.0.0.1", int(cluster.url.rpartition(":")[2])), 8)
            _ask_health(connection)
        finally:
            os.kill(owner, signal.SIGCONT)
        with connection:
            assert client.connect(sock=connection.dup()).resumed
            answer = client.ask(Step({"message": "Hi"}), 0)
            assert (answer.metadata["step"], answer.metadata["worker"]) == (2, owner)


def _ask_health(connection: socket.socket) -> None:
    """Hear the answer out, so that what comes next on the connection is something else."""
    asked = HTTPConnection("localhost")
    asked.sock = connection
    asked.request("GET", "/health")
    answer = asked.getresponse()
    answer.read()
    assert answer.status == 200


SAVING = """
import os

from openenv import create_app
from tests.support.dice import Roll, Rolled, ThreadedDice


class Telling(ThreadedDice):
    def step(self, action):
        observation = super().step(action)
        observation.metadata["worker"] = os.getpid()
        return observation


app = create_app(Telling, Roll, Rolled)
"""


def test_a_snapshot_of_one_worker_is_restored_by_another(tmp_path: Path) -> None:
    folder = _environment(tmp_path, SAVING)
    with openenv_serve(folder, "--workers", "2", "--max-sessions", "40") as serving, ExitStack() as stack:
        clients: dict[int, Client] = {}
        while len(clients) < 2:
            client = stack.enter_context(Client(serving.url))
            client.lanes(0)
            clients.setdefault(_rolled(client)[1], client)
        one, other = clients.values()
        saved = one.ask(GetSnapshot(), 0)
        assert isinstance(saved, SnapshotIs)
        assert other.ask(Restore(saved.snapshot), 0) == Restored()
        assert _rolled(one)[0] == _rolled(other)[0]


def _rolled(client: Client) -> tuple[int, int]:
    reply = client.ask(Step({}), 0)
    assert isinstance(reply, Observed)
    return reply.observation["value"], reply.metadata["worker"] if reply.metadata else 0
