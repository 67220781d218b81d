"""`openenv.server.config`: what can be set, from where, and within which bounds."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from openenv.env.spec import spec_of
from openenv.errors import ConfigurationError
from openenv.server.config import VARIABLES, ServerConfig, session_limit
from tests.support.echo import EchoEnvironment

GOOD = {
    "max_sessions": ("7", 7),
    "queue_s": ("0", 0.0),
    "max_queue": (" 5 ", 5),
    "idle_s": ("1.5", 1.5),
    "step_timeout_s": ("2", 2.0),
    "max_body_bytes": ("1024", 1024),
    "drain_s": ("0.5", 0.5),
    "grace_s": ("0", 0.0),
    "allowed_hosts": ("Env.example, ,other:80", frozenset({"env.example", "other:80"})),
    "allowed_origins": ("https://Pal.example", frozenset({"https://pal.example"})),
    "token": (" s3cret ", "s3cret"),
    "agent_token": ("hand", "hand"),
    "snapshot_key": (" sixteen letters! ", "sixteen letters!"),
    "isolation": ("Process", "process"),
    "env_workers": ("2", 2),
    "web": ("Yes", True),
    "frame_ancestors": (
        " https://pal.example:8443, https://*.hf.space ",
        ("https://pal.example:8443", "https://*.hf.space"),
    ),
    "readme_path": ("docs/README.md", Path("docs/README.md")),
    "mode": (" Production ", "production"),
}
BAD = {
    "max_sessions": ["0", "-1", "1.5", "many", "1e3"],
    "queue_s": ["-1", "soon", "nan", "inf"],
    "max_queue": ["0"],
    "idle_s": ["0", "-1", "nan"],
    "step_timeout_s": ["0", "inf"],
    "max_body_bytes": ["0", "16MB"],
    "drain_s": ["-0.1"],
    "grace_s": ["-1", "a while"],
    "snapshot_key": ["fifteen letters"],
    "isolation": ["processes", "docker"],
    "mode": ["prod", "simulation,production"],
    "env_workers": ["0", "-1", "all"],
    "frame_ancestors": [
        "pal.example",
        "https://pal.example; script-src *",
        "https://a.example https://b.example",
        "'self'",
        "https://a.example,none",
        "javascript:",
        "https://",
        "https://pal.example/path",
    ],
}


def variable(name: str) -> str:
    return VARIABLES[name][0]


def test_every_setting_has_a_variable_that_is_tried_here() -> None:
    assert set(GOOD) == set(VARIABLES) == {field.name for field in dataclasses.fields(ServerConfig)}


@pytest.mark.parametrize("name", GOOD)
def test_variable_is_read(name: str) -> None:
    text, value = GOOD[name]
    assert getattr(ServerConfig.from_environ({variable(name): text}), name) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_value_that_does_not_parse_is_named(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        ServerConfig.from_environ({variable(name): text})
    assert f"{variable(name)}={text!r}: must be" in str(raised.value)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("text", ["", "  "])
def test_empty_variable_is_as_good_as_none(name: str, text: str) -> None:
    assert ServerConfig.from_environ({variable(name): text}) == ServerConfig()


def test_variable_goes_before_what_the_app_asks_for() -> None:
    environ = {"OPENENV_MAX_SESSIONS": "3"}
    assert ServerConfig.from_environ(environ, max_sessions=9, idle_s=1.0) == ServerConfig(max_sessions=3, idle_s=1.0)
    assert ServerConfig.from_environ({}, max_sessions=9).max_sessions == 9


def test_tokens_stay_out_of_logs() -> None:
    assert "s3cret" not in repr(ServerConfig(token="s3cret", agent_token="s3cret"))


class Lonely(EchoEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = False


@pytest.mark.parametrize(
    ("environment", "requested", "limit"),
    [(EchoEnvironment, None, 64), (EchoEnvironment, 5, 5), (Lonely, None, 1), (Lonely, 1, 1)],
)
def test_limit_is_what_was_asked_for_or_else_what_the_class_bears(environment: Any, requested: Any, limit: int) -> None:
    assert session_limit(spec_of(environment), requested) == limit


@pytest.mark.parametrize(
    ("environment", "requested", "said"),
    [(Lonely, 2, "Lonely does not set SUPPORTS_CONCURRENT_SESSIONS"), (EchoEnvironment, 0, "ask for 1 or more")],
)
def test_limit_that_cannot_be_kept_is_refused(environment: Any, requested: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        session_limit(spec_of(environment), requested)


def test_nobody_else_need_be_allowed_to_frame_the_page() -> None:
    assert ServerConfig.from_environ({"OPENENV_FRAME_ANCESTORS": "none"}).frame_ancestors == ()
    assert ServerConfig.from_environ({"OPENENV_FRAME_ANCESTORS": "*"}).frame_ancestors == ("*",)
    assert ServerConfig().frame_ancestors == ("https://huggingface.co", "https://*.hf.space")
