"""Several links are waited for at once, and those that ended are forgotten."""

from openenv.client import EnvClient
from openenv.client.link import Link
from openenv.client.vector_watch import Watch
from openenv.protocol import GetState, LinkReply, Open
from tests.client.linked import linked
from tests.support.echo import EchoEnv


def test_whichever_has_something_takes_it() -> None:
    client: EnvClient[object, object, object] = EchoEnv("http://localhost:1")  # type: ignore[assignment]  # any
    assert client.base_url
    with linked() as server:
        endpoint = EchoEnv(server.url)._endpoint
        links = [Link(endpoint), Link(endpoint)]
        watch = Watch()
        got: list[LinkReply] = []
        links[1].ask(Open((0,)), None, got.append)
        while not got:
            watch.wait(links, 5.0)
        watch.wait(links, 0.0)
        links[0].close()
        links[1].ask(GetState(), 0, got.append)
        while len(got) < 2:
            watch.wait(links, 5.0)
        watch.close()
        links[1].close()


def test_cut_link_is_looked_after_while_others_are_waited_for() -> None:
    with linked() as server:
        link = Link(EchoEnv(server.url)._endpoint)
        watch = Watch()
        got: list[LinkReply] = []
        server.cut_after = 0
        link.ask(Open((0,)), None, got.append)
        while not got:
            watch.wait([link], 5.0)
        assert server.handshakes == 2
        watch.close()
        link.close()
