"""The pair of links carries frames and nothing else, and a cut loses what is on its way."""

import pytest

from openenv.errors import LocalError
from openenv.protocol import GetState, Open, Opened, ServerLink, StateIs
from openenv.testing import LinkPair


def connected() -> LinkPair:
    pair = LinkPair()
    pair.connect()
    assert pair.collect() == []
    return pair


def test_each_side_sees_what_the_other_said() -> None:
    pair = connected()
    call = pair.client.ask(Open((0,)))
    pair.collect()
    work = pair.server.take()
    assert work is not None
    pair.server.answer(work, None)
    assert pair.collect() == [(call, Opened((0,)))]


@pytest.mark.parametrize("server_notices", [False, True])
def test_a_cut_loses_what_is_on_its_way_and_a_new_socket_brings_it(server_notices: bool) -> None:
    pair = connected()
    pair.client.ask(Open((0,)))
    pair.send()
    pair.cut(server_notices=server_notices)
    pair.connect()
    pair.collect()
    opening = pair.server.take()
    assert opening is not None
    call = pair.client.ask(GetState(), 0)
    pair.collect()
    pair.cut(server_notices=server_notices)
    pair.server.answer(opening, None)
    state = pair.server.take()
    assert state is not None
    pair.server.answer(state, StateIs({}))
    pair.send()
    assert not pair.replies
    assert not pair.is_connected
    pair.connect()
    assert pair.collect()[1:] == [(call, StateIs({}))]


def test_another_servers_link_is_not_resumed() -> None:
    pair = connected()
    pair.server = ServerLink("another")
    with pytest.raises(LocalError, match="asks for another link"):
        pair.connect()
