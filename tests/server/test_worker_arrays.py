"""Arrays of environments in worker processes reach the client as those of the server's own process do, and back."""

from collections.abc import Iterator
from typing import Any

import numpy
import pytest

from openenv.protocol import Fault, Observed, Step
from openenv.server import ServerConfig, create_app
from tests.server.album import PAGES, Album, Page, SlowAlbum, Turn
from tests.server.lanes import Client, batch, text_of
from tests.server.peers import ws
from tests.support.serving import serving

_LAST = len(PAGES)


@pytest.fixture(params=[(Album, "thread"), (Album, "process"), (SlowAlbum, "process")])
def album(request: pytest.FixtureRequest) -> Iterator[str]:
    environment, isolation = request.param
    config = ServerConfig(isolation=isolation, env_workers=2 if isolation == "process" else None)
    with serving(create_app(environment, Turn, Page, config=config)) as url:
        yield url


def assert_same(array: Any, other: numpy.ndarray[Any, Any]) -> None:
    assert isinstance(array, numpy.ndarray)
    little = other.astype(other.dtype.newbyteorder("<"))
    assert (array.dtype.str, array.shape, array.tobytes()) == (little.dtype.str, little.shape, little.tobytes())


def test_arrays_of_observations_arrive_bit_for_bit(album: str) -> None:
    with Client(album, binary=True, arrays=True) as client:
        client.lanes(0, 1)
        for observation in batch(client, "reset", [0, 1]).observation:
            assert_same(observation["shown"], PAGES[0])
            assert_same(observation["beside"][0], PAGES[1])
        for number, page in enumerate(PAGES):
            alone: Any = client.ask(Step({"page": number}), 0)
            assert_same(alone.observation["shown"], page)
            together = batch(client, "step", [1, 0], [{"page": number}, {"page": _LAST - 1 - number}])
            assert not together.errors
            assert_same(together.observation[0]["shown"], page)
            assert_same(together.observation[1]["shown"], PAGES[_LAST - 1 - number])
            assert_same(together.observation[0]["beside"], numpy.full(2, number))


def test_nan_is_a_fault_that_names_its_field_and_leaves_the_other_lane(album: str) -> None:
    with Client(album, binary=True, arrays=True) as client:
        client.lanes(0, 1)
        reply = batch(client, "step", [0, 1], [{"page": _LAST}, {"page": 3}])
        assert reply.errors[0].code == "OBSERVATION_ERROR"
        assert reply.errors[0].details == {"field": "shown.0.1"}
        assert_same(reply.observation[1]["shown"], PAGES[3])
        assert isinstance(client.ask(Step({"page": _LAST}), 0), Fault)
        again: Any = client.ask(Step({"page": 1}), 0)
        assert_same(again.observation["shown"], PAGES[1])


def test_worker_that_dies_in_the_middle_of_a_batch_leaves_the_arrays_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app(SlowAlbum, Turn, Page, config=ServerConfig(isolation="process"))
    with serving(app) as url, Client(url, binary=True, arrays=True) as client:
        client.lanes(0, 1, 2)
        reply = batch(client, "step", [0, 1, 2], [{"page": 6}, {"page": -1}, {"page": 12}])
        assert list(reply.errors) == [1]
        assert reply.errors[1].message.endswith("its worker process died: exit code 4.")
        assert_same(reply.observation[0]["shown"], PAGES[6])
        assert_same(reply.observation[2]["shown"], PAGES[12])
    caplog.clear()


def test_text_has_lists_in_both_dialects(album: str) -> None:
    with Client(album) as client:
        client.lanes(0)
        observation = batch(client, "step", [0], [{"page": 7}]).observation[0]
        assert observation["shown"] == PAGES[7].tolist()
    with ws(album) as peer:
        peer.send('{"type":"step","data":{"page":16}}')
        reply = peer.recv()
        assert b"$array" not in text_of(reply)
        assert b'"shown":[]' in text_of(reply)
        assert b'"beside":[16,16]' in text_of(reply)


def test_arrays_of_actions_reach_the_environment_bit_for_bit(album: str) -> None:
    odd = [numpy.array([numpy.nan, -numpy.inf], "<f4"), numpy.array([0x7FF8000000000BAD]).view("<f8")]
    with Client(album, binary=True) as client:
        client.lanes(0, 1)
        for given in (*PAGES, *odd):
            little = given.astype(given.dtype.newbyteorder("<"))
            told = ["ndarray", little.dtype.str, list(given.shape), little.tobytes().hex()]
            alone = client.ask(Step({"given": given}), 0)
            assert isinstance(alone, Observed)
            assert alone.observation["beside"] == told
            reply = batch(client, "step", [1, 0], [{"given": given}, {"page": 0}])
            assert reply.observation[0]["beside"] == told
