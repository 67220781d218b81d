"""`openenv.server.link`: arrays as raw buffers, by both transports."""

import json
from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from openenv import Action, Environment, Observation, State
from openenv.protocol import (
    Step,
)
from openenv.server import create_app
from tests.server.lanes import Client, batch, messages, text_of
from tests.server.peers import ws
from tests.support.echo import EchoEnvironment, EchoObservation
from tests.support.serving import Served

HI = Step({"message": "Hi"})


def test_array_of_a_batch_is_one_row_a_lane(served: Served) -> None:
    class Sum(EchoEnvironment):
        def step(self, action: Any, **options: Any) -> EchoObservation:  # type: ignore[override]
            return EchoObservation(echoed_message=str(action.numbers))

    with served(create_app(Sum, Numbers, EchoObservation)) as url, Client(url, binary=True) as client:
        client.lanes(0, 1)
        rows = numpy.arange(6, dtype="<i4").reshape(2, 3)
        assert messages(batch(client, "step", [0, 1], rows)) == ["[0, 1, 2]", "[3, 4, 5]"]


class Numbers(Action):
    numbers: list[int]


class Pixels(Observation):
    picture: Any = None
    scores: Any = None


class Camera(Environment[Numbers, Pixels, State]):
    """Shows a picture that it changes in place."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self.picture = numpy.zeros((4, 3), "u1")

    def reset(self) -> Pixels:
        self.picture[:] = 0
        return Pixels(picture=self.picture, scores=numpy.array([0.5]))

    def step(self, action: Numbers) -> Pixels:
        self.picture += action.numbers[0]
        if action.numbers[0] == 13:
            return Pixels(scores=numpy.array([numpy.nan]))
        if action.numbers[0] == 14:
            return Pixels(picture=self.picture, scores={"$array": "mine"})
        return Pixels(picture=self.picture, scores=numpy.array([0.5]))

    @property
    def state(self) -> State:
        return State()


class SlowCamera(Camera):
    BLOCKING = True


def _numbers(*numbers: int) -> list[dict[str, list[int]]]:
    return [{"numbers": [number]} for number in numbers]


@pytest.fixture(params=[Camera, SlowCamera])
def camera(served: Served, request: pytest.FixtureRequest) -> Iterator[str]:
    with served(create_app(request.param, Numbers, Pixels)) as url:
        yield url


def test_arrays_of_observations_travel_as_they_are(camera: str) -> None:
    with Client(camera, binary=True, arrays=True) as client:
        client.lanes(0, 1, 2)
        assert [each["picture"].max() for each in batch(client, "reset", [0, 1, 2]).observation] == [0, 0, 0]
        reply = batch(client, "step", [2, 0, 1], _numbers(3, 1, 2))
        for observation, expected in zip(reply.observation, [3, 1, 2], strict=True):
            assert isinstance(observation["picture"], numpy.ndarray)
            assert observation["picture"].dtype == numpy.uint8
            assert (observation["picture"] == numpy.full((4, 3), expected)).all()
        alone: Any = client.ask(Step({"numbers": [1]}), 0)
        assert (alone.observation["picture"] == 2).all()
        assert alone.observation["scores"].dtype == numpy.float64


def test_arrays_of_a_batch_lie_side_by_side_in_its_frame(camera: str) -> None:
    with ws(camera, subprotocols=["openenv.v2"]) as peer:
        peer.recv()
        for message in ('{"id":0,"type":"open","lanes":[0,1]}', '{"id":1,"type":"batch","op":"reset","lanes":[0,1]}'):
            peer.send(len(message).to_bytes(4, "big") + message.encode())
            frame = peer.recv()
        told = json.loads(text_of(frame))["data"]["observation"]
        assert [each["picture"]["$array"] for each in told] == [["|u1", [4, 3], 0], ["|u1", [4, 3], 12]]
        assert [each["scores"]["$array"] for each in told] == [["<f8", [1], 24], ["<f8", [1], 32]]


def test_lane_whose_array_or_data_is_odd_leaves_the_others_alone(camera: str) -> None:
    with Client(camera, binary=True, arrays=True) as client:
        client.lanes(0, 1)
        reply = batch(client, "step", [0, 1], _numbers(13, 1))
        assert reply.errors[0].details == {"field": "scores.0"}
        assert (reply.observation[1]["picture"] == 1).all()
        reply = batch(client, "step", [0, 1], _numbers(14, 1))  # its own data has the mark: a text frame it is
        assert reply.observation[0]["scores"] == {"$array": "mine"}
        assert reply.observation[1]["picture"] == [[2] * 3] * 4
        assert reply.observation[1]["scores"] == [0.5]


def test_text_frames_have_lists(camera: str) -> None:
    with Client(camera) as client:
        client.lanes(0)
        assert batch(client, "step", [0], _numbers(1)).observation[0]["picture"] == [[1] * 3] * 4
