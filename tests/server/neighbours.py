"""Workers of one server, each in a thread, and behind a port of its own, so that a test knows which one it asks."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from openenv.server.cluster import listen_on_file
from openenv.server.forward import Forwarder, session_prefix
from openenv.server.run import bind, url_of
from openenv.server.serving import DrainingServer, table_of
from openenv.server.slots import SharedSlots
from tests.server.stage import app_of
from tests.support.echo import EchoEnvironment

__all__ = ["BODY_LIMIT", "worker", "workers"]

BODY_LIMIT = 1_000_000


@contextmanager
def worker(index: int, peers: list[Path], *, ws: str = "websockets-sansio", **settings: Any) -> Iterator[str]:
    """Run one worker of several in a thread, and give the URL that reaches it and no other."""
    app = app_of(EchoEnvironment, max_body_bytes=BODY_LIMIT, **settings)
    table = table_of(app)
    assert table is not None
    slots = SharedSlots(peers[0].with_name("slots"), index)
    table.share(slots, session_prefix(index))
    forwarder = Forwarder(app, index=index, peers=peers, max_body_bytes=BODY_LIMIT)
    sockets = [bind("127.0.0.1", 0), listen_on_file(peers[index])]  # both queue callers until the server is up
    config = uvicorn.Config(forwarder, log_level="warning", log_config=None, ws=ws)
    server = DrainingServer(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets})
    thread.start()
    try:
        yield url_of("127.0.0.1", sockets[0])
    finally:
        server.should_exit = True
        thread.join(10)
        slots.close()


@contextmanager
def workers(folder: Path, **settings: Any) -> Iterator[tuple[str, str]]:
    peers = [folder / "0.sock", folder / "1.sock"]
    SharedSlots.create(folder / "slots", 2)
    with ExitStack() as running:
        one, other = [running.enter_context(worker(index, peers, **settings)) for index in range(2)]
        yield one, other
