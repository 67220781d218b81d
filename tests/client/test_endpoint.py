from typing import Any

import pytest

from openenv.client.endpoint import Endpoint, login, shown, socket_url
from openenv.errors import ConfigurationError

LIMITS: dict[str, Any] = dict.fromkeys(
    ("connect_timeout_s", "message_timeout_s", "max_message_bytes", "ping_interval_s", "ping_timeout_s")
)


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://localhost:8000", "ws://localhost:8000/ws"),
        ("http://localhost:8000/", "ws://localhost:8000/ws"),
        ("https://user-env.hf.space", "wss://user-env.hf.space/ws"),
        ("HTTP://Host", "ws://Host/ws"),
        ("ws://host:8000/ws", "ws://host:8000/ws"),
        ("wss://host/ws/", "wss://host/ws"),
        ("localhost:8000", "ws://localhost:8000/ws"),
        ("host", "ws://host/ws"),
        ("http://host/envs/echo", "ws://host/envs/echo/ws"),
        ("http://host/news", "ws://host/news/ws"),
        ("http://host?token=1#part", "ws://host/ws?token=1"),
        ("http://[::1]:8000", "ws://[::1]:8000/ws"),
        ("http://name:secret@host", "ws://name:secret@host/ws"),
        ("  http://host \n", "ws://host/ws"),
    ],
)
def test_socket_url(base_url: str, url: str) -> None:
    assert socket_url(base_url) == url


@pytest.mark.parametrize(
    "base_url",
    ["", " ", "http://", "http://:8000", "ftp://host", "file:///tmp", "http://host:port", "http://host:99999",
     "http://host:0", "http://[::1", "http://name@host"],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_name(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address of a server; write it like") as refused:
        socket_url(base_url)
    assert repr(base_url) in str(refused.value)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True),
        ("env.localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("0.0.0.0", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
    ],
)
def test_servers_on_this_machine_are_told_apart(host: str, is_local: bool) -> None:
    assert Endpoint(url=socket_url(host), headers={}, **LIMITS).is_local is is_local


@pytest.mark.parametrize(
    ("url", "said", "header"),
    [
        ("ws://name:s%40cret@host:8000/ws?key=1", "ws://host:8000/ws", {"Authorization": "Basic bmFtZTpzQGNyZXQ="}),
        ("ws://host/a@b/ws", "ws://host/a@b/ws", {}),
    ],
)
def test_password_and_query_are_not_said(url: str, said: str, header: dict[str, str]) -> None:
    assert (shown(url), login(url)) == (said, header)
    assert Endpoint(url=url, **LIMITS).shown == said


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "hush\n"},
        {"X": "\rhush"},
        {"X": "hush\0"},
        {"X\r\nY": "hush"},
        {"": "hush"},
        {"X:": "hush"},
        {"\u00dc": ""},
    ],
)
def test_what_is_no_header_is_refused_and_its_value_not_said(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="header") as refused:
        Endpoint(url="ws://host/ws", headers=headers, **LIMITS)
    assert "hush" not in str(refused.value)


def test_headers_may_say_anything_printable() -> None:
    headers = {"Authorization": "Bearer schl\u00fcssel", "X-Tab": "a\tb", "x_1": ""}
    assert Endpoint(url="ws://host/ws", headers=headers, **LIMITS).headers == headers
