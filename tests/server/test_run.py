"""`openenv.server.run`: a port is taken or refused in one sentence, and an app is found or said to be missing."""

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.server import import_app, run
from openenv.server.handover import FastWebSocket
from openenv.server.run import bind, url_of, websocket_transport
from tests.support.services import require


async def _no_app(*_: Any) -> None:
    raise AssertionError("nothing is to be served")


@pytest.mark.parametrize(
    ("app", "settings", "complaint"),
    [
        (_no_app, {"reload": True}, "reload and workers need the app by its import path, such as 'server.app:app'"),
        (_no_app, {"workers": 2}, "reload and workers need the app by its import path"),
        ("server.app:app", {"reload": True, "workers": 2}, "reload goes with one worker"),
        (_no_app, {"host": "192.0.2.1"}, "host '192.0.2.1' is not an address of this machine"),
        (_no_app, {"host": "no-such-host.invalid"}, "host 'no-such-host.invalid' is not an address of this machine"),
        (_no_app, {"host": "a..b"}, "host 'a..b' is not an address of this machine"),
        (_no_app, {"port": 65536}, "port 65536 does not exist; choose one from 0 to 65535"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(app: Any, settings: dict[str, Any], complaint: str) -> None:
    announced: list[str] = []
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        run(app, **({"port": 0} | settings), on_bound=announced.append)
    assert announced == []


def test_taken_port_is_refused_and_named() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is taken .* or 0 for any"):
            bind("127.0.0.1", port)


@pytest.mark.timeout(40)  # it starts processes
@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"reload": True}])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_right_after_the_first_word_ends_it_in_good_order(
    number: signal.Signals, settings: dict[str, Any], package: Path
) -> None:
    (package / "room/door.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    run("room.door:app", port=0, log_level="error", on_bound=lambda _: signal.raise_signal(number), **settings)


@pytest.fixture
def nobody() -> Iterator[None]:
    """Be a user without privileges."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("nobody")
def test_privileged_port_is_refused_with_advice() -> None:
    first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not first.is_file() or int(first.read_text()) < 81:
        pytest.skip("port 80 is anybody's on this machine")
    with pytest.raises(ConfigurationError, match=r"port 80 on .* needs privileges; choose one of 1024 or more"):
        bind("127.0.0.1", 80)


def test_any_other_reason_is_the_systems_own() -> None:
    require(socket.has_ipv6, "needs IPv6")
    many = "ff02::1%lo" if sys.platform == "linux" else "ff02::1%lo0"  # multicast, which nobody can listen on
    with pytest.raises(ConfigurationError, match=f"cannot listen on {many}:0: Invalid argument"):
        bind(many, 0)


def test_port_is_free_again_at_once() -> None:
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), first.accept()[0] as accepted:
            accepted.shutdown(socket.SHUT_RDWR)
    bind("127.0.0.1", port).close()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
    ],
)
def test_url_is_one_that_reaches_the_listener(host: str, name: str) -> None:
    require(":" not in host or socket.has_ipv6, "needs IPv6")
    with bind(host, 0) as listener:
        port = listener.getsockname()[1]
        assert url_of(host, listener) == f"http://{name}:{port}"
        socket.create_connection((name.strip("[]"), port)).close()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from, with a package `room` that holds `app`."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "room").mkdir()
    (tmp_path / "room/__init__.py").touch()
    (tmp_path / "room/door.py").write_text("app = 'the app'\n")
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "room"]:
        del sys.modules[name]


@pytest.mark.usefixtures("package")
def test_app_is_imported_by_its_path() -> None:
    assert import_app("room.door:app") == "the app"
    assert import_app("room:door.app") == "the app"


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("room.window:app", 'Could not import module "room.window"'),
        ("cellar.door:app", "No module named 'cellar'"),
        ("room.hall.door:app", "No module named 'room.hall'"),
        ("room.door:bell", 'Attribute "bell" not found in module "room.door"'),
        ("room.door", 'must be in format "<module>:<attribute>"'),
    ],
)
def test_app_that_is_not_there_is_named(target: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"the app {target!r} is not there: ")) as raised:
        import_app(target)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module", ModuleNotFoundError),
        ("import room.attic", ModuleNotFoundError),
        ("1 / 0", ZeroDivisionError),
        ("app = ", SyntaxError),
    ],
)
def test_what_the_module_itself_raises_comes_through(source: str, error: type[Exception], package: Path) -> None:
    (package / "room/door.py").write_text(source)
    with pytest.raises(error):
        import_app("room.door:app")


def test_picows_carries_websockets_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert import_app(websocket_transport()) is FastWebSocket
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "picows")
    assert websocket_transport() == "websockets-sansio"
