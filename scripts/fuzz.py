"""Feed both halves of the protocol what a hostile peer may send, guided by coverage; a crash is a bug.

    pip install atheris && python scripts/fuzz.py [CORPUS] -max_total_time=3600

Needs atheris, which is not among the requirements of tests. Whatever is raised but a `PeerError` is a finding: keep it
as a case of the tests. What it takes by and by is kept in the folder CORPUS, and begun with the next time.
"""

import json
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]  # see above

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
with atheris.instrument_imports(include=["openenv.protocol"]):
    from openenv.errors import PeerError
    from openenv.protocol import (
        Batch,
        Dialect1,
        Fault,
        GetState,
        Observed,
        Open,
        Outcome,
        Reset,
        Restored,
        ServerLink,
        ServerSession,
        SnapshotIs,
        StateIs,
        Step,
        Work,
    )
    from openenv.protocol.client_link import ClientLink
    from openenv.protocol.link_messages import CloseLanes, Fork, GetSnapshot, LinkLimits, Restore

_SEP = b"\n\xff"
"""Between the frames of one input; no UTF-8 text has it."""
_LIMITS = LinkLimits(requests=16, request_bytes=4096, reply_bytes=4096, kept_bytes=8192)
_TEXTS = [
    {"type": "reset", "data": {"seed": 1}, "id": 1, "lane": 0, "ack": 0},
    {"type": "step", "data": {"message": "hi"}, "id": 2, "lane": 0},
    {"type": "batch", "op": "step", "lanes": [0, 1], "data": [{"m": 1}, 2], "id": 3, "timeout_s": 1.5, "parts": True},
    {"type": "batch", "op": "reset", "lanes": [0, 1], "id": 4},
    {"type": "open", "lanes": [2, 3], "id": 5},
    {"type": "fork", "lanes": [4, 5], "lane": 0, "id": 6},
    {"type": "restore", "lane": 1, "data": {"snapshot": "AAAA"}, "id": 7},
    {"type": "snapshot", "lane": 1, "id": 8},
    {"type": "cancel", "of": 3, "id": 9},
    {"type": "close", "lanes": [0], "id": 10},
    {"type": "ack", "ack": 2},
    {"type": "mcp", "data": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "lane": 0, "id": 11},
    {"id": 1, "type": "observation", "data": {"observation": {"a": 1}, "reward": 1.0, "done": False}, "lane": 0},
    {"id": 2, "type": "batch", "op": "step", "lanes": [0], "data": {"observation": [{}], "reward": [1], "done": [0]}},
    {"id": 1, "type": "error", "data": {"code": "X", "message": "y"}, "lane": 0},
    {"id": 0, "type": "opened", "lanes": [0, 1], "errors": {"1": {"code": "CAPACITY_REACHED", "message": ""}}},
    {"id": 4, "type": "forked", "lanes": [4, 5]},
]  # fmt: skip


def main() -> None:
    """Run until it is told to stop, or finds something."""
    given = sys.argv[1:]
    corpus = Path(given.pop(0) if given and not given[0].startswith("-") else tempfile.mkdtemp(prefix="openenv-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    frames = [json.dumps(text).encode() for text in _TEXTS]
    array = json.dumps({**_TEXTS[2], "data": {"$array": ["<f4", [2, 1], 0]}}).encode()
    frames.append(len(array).to_bytes(4, "big") + array + b"\0" * 8)
    for number, mode in enumerate(_MODES):
        (corpus / f"seed-{mode}").write_bytes(bytes([number]) + _SEP.join(frames))
    atheris.Setup([sys.argv[0], str(corpus), "-max_len=8192", *given], one_input)
    atheris.Fuzz()


def one_input(data: bytes) -> None:
    """Play one input: its first byte chooses who hears it, and the rest are frames."""
    if not data:
        return
    play = list(_MODES.values())[data[0] % len(_MODES)]
    play(data[1:].split(_SEP))


def _link(frames: list[bytes]) -> None:
    link = ServerLink("a" * 32, limits=_LIMITS, arrays=True)
    link.attach()
    link.receive(b'{"id":0,"type":"open","lanes":[0,1]}')
    held: list[Work] = []
    sent = 0
    try:
        for number, frame in enumerate(frames):
            link.receive(frame)
            if number % 5 == 4:
                link.detach()
                link.attach(sent)
            while (work := link.take()) is not None:
                held.append(work)
            while (gone := link.take_cancelled()) is not None:
                held.remove(gone)
                link.answer(gone, Fault("CANCELLED", ""))
            for work in held[number % 2 :]:
                link.answer(work, _outcome(work))
            del held[number % 2 :]
            sent += len(link.outgoing())
    except PeerError:
        return


def _outcome(work: Work) -> Outcome:
    call, index = work
    request = call.request
    match request.at(index) if isinstance(request, Batch) else request:
        case Reset() | Step():
            return Observed({"x": call.id}, 1.0)
        case GetState():
            return StateIs({})
        case Open() | CloseLanes():
            return None
        case Restore():
            return Restored()
        case Fork():
            return None if index else SnapshotIs(b"x")
        case GetSnapshot():
            return SnapshotIs(b"x")
    return Fault("EXECUTION_ERROR", "")


def _session(frames: list[bytes]) -> None:
    session = ServerSession(Dialect1())
    try:
        for frame in frames:
            session.receive(frame)
            while (call := session.next_call()) is not None:
                match call.request:
                    case Reset() | Step():
                        session.reply(call, Observed({}, 1.0))
                    case Fault():
                        session.reply(call, call.request)
                    case GetState():
                        session.reply(call, StateIs({}))
                    case _:
                        session.reply(call, Fault("EXECUTION_ERROR", ""))
    except PeerError:
        return


def _client(frames: list[bytes]) -> None:
    server, client = ServerLink("a" * 32), ClientLink(arrays=True)
    client.attach(server.attach())
    client.ask(Open((0, 1)))
    client.ask(Step({}), 0)
    client.ask(Batch("step", (0, 1), [{}, {}], parts=True))
    client.ask(GetState(), 1)
    client.ask(Fork((4, 5)), 0)
    client.ask(GetSnapshot(), 1)
    client.ask(CloseLanes((1,)))
    client.outgoing()
    try:
        for frame in frames:
            client.receive(frame)
            client.outgoing()
    except PeerError:
        return


def _welcome(frames: list[bytes]) -> None:
    for frame in frames:
        client = ClientLink()
        try:
            client.attach(frame)
        except PeerError:
            continue


_MODES = {"link": _link, "session": _session, "client": _client, "welcome": _welcome}

if __name__ == "__main__":
    main()
