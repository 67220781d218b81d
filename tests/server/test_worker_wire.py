"""`openenv.server.worker_wire`: what is said arrives as it was said, and what is not a reply is nothing worse."""

import asyncio
import pickle
import socket
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openenv.env import EncodedObservation, EnvironmentMetadata
from openenv.protocol import Fault, JsonRpcReply, Restored, SnapshotIs, StateIs, ViewIs
from openenv.server.worker_wire import (
    Answer,
    Built,
    Channel,
    Described,
    Done,
    Logged,
    decode_reply,
    encode_frame,
    encode_reply,
    receive_frame,
)

pytestmark = pytest.mark.anyio

X = b"\0\0\xc0\x7f\0\0\x80?"
"""Two numbers of 4 bytes, the first of them NaN."""

ANSWERS: list[Answer] = [
    EncodedObservation(b'{"a":1.50}', 0.5, True, b'{"b":[2]}', True),
    EncodedObservation(b"{}", None, False, None, False),
    EncodedObservation(b"{}", True, False, None, False),
    EncodedObservation(
        b'{"a":{"$array":["<f4",[2],0]},"b":{"$array":["|u1",[0,3],1]}}', 0, True, None, False, [X, b""]
    ),
    StateIs(orjson.Fragment(b'{"step_count":3}')),
    ViewIs({"html": "<b>hi</b>", "actions": orjson.Fragment(b'[{"label":"go"}]')}),
    JsonRpcReply({"jsonrpc": "2.0", "id": 3, "result": {}}),
    JsonRpcReply({}),
    SnapshotIs(b"\0\xff{"),
    Restored(),
    Fault("EXECUTION_ERROR", "no such file: \udcff", {"exception": "OSError", "size": 10**30}),
    Built("Echo", True),
    Described(EnvironmentMetadata(name="echo", author="us")),
    Done(),
    Logged("openenv.env", 40, "it\nfailed"),
]


def _body(frame: bytes) -> memoryview:
    return memoryview(frame)[4:]


def _plain(answer: Answer) -> Any:
    if isinstance(answer, EncodedObservation):
        return answer._replace(arrays=list(answer.arrays))
    return type(answer).__name__, answer if isinstance(answer, Fault | SnapshotIs) else orjson.dumps(answer)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_reply_arrives_as_it_was_said(answer: Answer) -> None:
    call_id, arrived = decode_reply(_body(encode_reply(7, answer)))
    assert call_id == 7
    assert _plain(arrived) == _plain(answer)


def test_encoded_observation_is_not_read_on_the_way() -> None:
    text = b'{ "n" : 1.0000000000000000001 }'
    _, arrived = decode_reply(_body(encode_reply(1, EncodedObservation(text, None, False, None, False))))
    assert isinstance(arrived, EncodedObservation)
    assert arrived.observation == text


@pytest.mark.parametrize(
    ("text", "arrays"),
    [
        (b"{}", [X]),
        (b'{"a":{"$array":["<f4",[2],0]}}', [X[:4]]),
        (b'{"a":{"$array":["<f4",[2],1]}}', [X]),
        (b'{"a":{"$array":["<f4",[2],0]},"b":{"$array":["<f4",[2],0]}}', [X]),
        (b'{"a":{"$array":["<f4",[2],0]},"b":{"$array":["<f4",[2],7]}}', [X]),
        (b'{"a":{"$array":["<c8",[1],0]}}', [X]),
        (b'{"a":{"$array":["<f4",[2], 0]}}', [X]),
    ],
)
def test_arrays_that_are_not_as_the_text_says_are_no_reply(text: bytes, arrays: list[bytes]) -> None:
    frame = encode_reply(1, EncodedObservation(text, None, False, None, False, arrays))
    with pytest.raises(ValueError, match="array"):
        decode_reply(_body(frame))


@pytest.mark.parametrize("sizes", [[9], [7], [-8, 16], [4], [4, 4, 4], [0]])
def test_arrays_that_do_not_lie_in_their_frame_are_no_reply(sizes: list[int]) -> None:
    text = b'{"a":{"$array":["<f4",[2],0]}}'
    head = orjson.dumps([1, "EncodedObservation", [len(text), None, False, None, False, sizes]])
    with pytest.raises(ValueError, match="array"):
        decode_reply(_body(encode_frame(struct.pack("!I", len(head)), head, text, X)))


def test_pickle_of_a_worker_is_never_loaded() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("a worker made the server run code",)

    with pytest.raises(Exception):  # noqa: B017, PT011  # whatever it is, the caller takes it for "no reply"
        decode_reply(memoryview(pickle.dumps(Trap)))


@given(st.binary(max_size=64))
def test_what_is_no_reply_raises_and_nothing_else(body: bytes) -> None:
    try:
        call_id, answer = decode_reply(memoryview(body))
    except Exception:
        return
    assert isinstance(call_id, int | float | str | list | dict | None)
    assert isinstance(answer, Answer)


async def test_frames_are_cut_wherever_they_are_torn() -> None:
    bodies = [b"", b"a", b"bc" * 70_000, b"d"]
    stream = b"".join(encode_frame(body) for body in bodies)
    for size in (1, 3, 4, 5, 70_000, len(stream)):
        received: list[bytes] = []
        channel = Channel(lambda body, into=received: into.append(bytes(body)), lambda: None)  # type: ignore[misc]
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)] if size > 5 else None
        for piece in pieces or [
            *(stream[at : at + size] for at in range(0, 20, size)),
            stream[-(-20 // size) * size :],
        ]:
            channel.data_received(piece)
        assert received == bodies


async def test_other_side_that_goes_is_noticed_and_nothing_is_sent_to_it() -> None:
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()
    ours.setblocking(False)
    channel = await Channel.over(ours, lambda _: None, lost.set)
    theirs.close()
    await asyncio.wait_for(lost.wait(), 5)
    assert channel.is_closed
    channel.send(b"too late")
    channel.close()


def test_frame_is_read_from_a_blocking_socket_and_its_end_is_empty() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(encode_frame(b"ab", b"c") + struct.pack("!I", 9))
        theirs.shutdown(socket.SHUT_WR)
        assert [receive_frame(ours), receive_frame(ours), receive_frame(ours)] == [b"abc", b"", b""]
