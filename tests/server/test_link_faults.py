"""`openenv.server.link`: what a hostile or confused client sends over one, by both transports."""

import json
import random
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from openenv.protocol import (
    Step,
)
from tests.server.lanes import Client, closed_with, text_of
from tests.server.peers import ws
from tests.server.stage import Stage, Staged, app_of
from tests.support.serving import Served

HI = Step({"message": "Hi"})


# ---- bad input


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("[]", "VALIDATION_ERROR"),
        ("{", "INVALID_JSON"),
        (b"\x00\x00\x00\xff{}", "INVALID_JSON"),
        (b"\x00" * 4, "INVALID_JSON"),
        (b"\x00\x00\x00\x02{}", "VALIDATION_ERROR"),
        ('{"id":-1,"lane":0,"type":"step","data":{}}', "VALIDATION_ERROR"),
        ('{"id":900,"lane":-1,"type":"state"}', "VALIDATION_ERROR"),
        ('{"id":901,"type":"dance"}', "UNKNOWN_TYPE"),
        ('{"id":902,"type":"state"}', "VALIDATION_ERROR"),
        ('{"id":903,"lane":77,"type":"state"}', "SESSION_NOT_FOUND"),
        ('{"id":904,"type":"open","lanes":[0,0]}', "VALIDATION_ERROR"),
        ('{"id":905,"type":"batch","op":"step","lanes":[0],"data":[]}', "VALIDATION_ERROR"),
        ('{"id":906,"type":"batch","op":"close","lanes":[0]}', "VALIDATION_ERROR"),
        (f'{{"id":907,"type":"open","lanes":{list(range(70_000))}}}', "TOO_LARGE"),
        (b'\x00\x00\x00\x40{"id":908,"type":"state","lane":0,"x":{"$array":["<f8",[9],0]}}  ', "INVALID_JSON"),
    ],
)
def test_frame_that_makes_no_sense_is_a_fault_and_the_lanes_go_on(echo: str, frame: Any, code: str) -> None:
    with ws(echo, subprotocols=["openenv.v2"]) as peer:
        peer.recv()
        peer.send('{"id":1,"type":"open","lanes":[0]}')
        peer.recv()
        peer.send(frame)
        assert json.loads(text_of(peer.recv()))["data"]["code"] == code
        peer.send('{"id":1000,"lane":0,"type":"step","data":{"message":"Hi"}}')
        assert json.loads(peer.recv())["data"]["reward"] == 0.2


def test_ids_must_rise(echo: str) -> None:
    with ws(echo, subprotocols=["openenv.v2"]) as peer:
        peer.recv()
        for frame in ('{"id":5,"type":"open","lanes":[0]}', '{"id":5,"lane":0,"type":"state"}'):
            peer.send(frame)
        kinds = {json.loads(peer.recv())["type"] for _ in range(2)}
        assert kinds == {"opened", "error"}


def test_acknowledging_what_was_never_sent_ends_the_link(echo: str) -> None:
    with Client(echo) as client:
        client.lanes(0)
        client.peer.send('{"id":9,"lane":0,"type":"state","ack":4000}')
        code, reason = closed_with(client)
    assert code == 1008
    assert "more than were sent" in reason


def test_fuzzed_frames_neither_end_the_server_nor_go_unanswered(echo: str) -> None:
    chance = random.Random(5)
    seeds = [
        b'{"id":7,"lane":0,"type":"step","data":{"message":"x"},"ack":0}',
        b'{"id":8,"type":"batch","op":"step","lanes":[0,1],"data":[{"message":"x"},{}],"parts":true}',
        b'{"id":9,"type":"open","lanes":[0,1,2]}',
        b'\x00\x00\x00\x3d{"id":9,"lane":0,"type":"reset","data":{"x":{"$array":["<f4",[2],0]}}}\x00\x00\x80?\x00\x00\x80?',
    ]
    for _ in range(150):
        with ws(echo, subprotocols=["openenv.v2"]) as peer:
            peer.recv()
            peer.send('{"id":1,"type":"open","lanes":[0]}')
            peer.recv()
            frame = bytearray(chance.choice(seeds))
            for _ in range(chance.randint(1, 6)):
                frame[chance.randrange(len(frame))] = chance.randrange(256)
            peer.send(bytes(frame))
            peer.send('{"id":10000000,"lane":0,"type":"state"}')
            while json.loads(text_of(peer.recv(timeout=8))).get("id") != 10_000_000:
                pass


# ---- limits


def test_more_requests_in_flight_than_allowed_end_the_link(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(Staged, stage))) as url, Client(url) as client:
        client.lanes(0)
        stage.held = {"step"}
        frames = [b'{"id":%d,"lane":0,"type":"step","data":{"message":"x"}}' % (10 + count) for count in range(66_000)]
        with suppress(ConnectionClosed):  # before all were sent
            for frame in frames:
                client.peer.send(frame.decode())
        stage.release()
        code, reason = closed_with(client)
    assert code == 1008
    assert "65536 requests" in reason
