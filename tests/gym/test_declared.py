"""What a server declares is read with suspicion."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

from openenv.errors import ConfigurationError, ConnectFailed, LocalError, OpenEnvError, PeerError, Refused
from openenv.gym import make
from openenv.gym.declared import About, Declared, ServedVector, declared_by
from openenv.gym.models import ENVIRONMENT_KEY
from openenv.gym.schema import schema_of
from openenv.types import StepResult

DISCRETE = schema_of(spaces.Discrete(2))
BOX = schema_of(spaces.Box(0, 1, (2,)))
VECTOR = {
    "num_envs": 2,
    "autoreset_mode": "SameStep",
    "single_action_space": DISCRETE["x-gym-space"],
    "single_observation_space": BOX["x-gym-space"],
}


def schema(action: Any = DISCRETE, observation: Any = BOX, about: Any = None) -> dict[str, Any]:
    return {
        "action": {"properties": {"action": action, "metadata": {}}},
        "observation": {"properties": {"seen": observation}} | ({} if about is None else {ENVIRONMENT_KEY: about}),
    }


def test_declaration_is_read() -> None:
    about = {"id": "E-v0", "nondeterministic": True, "render_mode": "ansi", "render_fps": 5, "new": 1}
    declared = declared_by(schema(about=about), "u")
    assert (declared.action_field, declared.observation_field) == ("action", "seen")
    assert declared.about == About("E-v0", True, "ansi", 5)
    assert declared_by(schema(), "u").about is None
    vector = declared_by(schema(about={"vector": VECTOR}), "u").about
    assert vector is not None
    assert vector.vector == ServedVector(2, AutoresetMode.SAME_STEP, spaces.Discrete(2), spaces.Box(0, 1, (2,)))


@pytest.mark.parametrize(
    ("said", "error", "complaint"),
    [
        (None, PeerError, "describes no action in /schema"),
        ([], PeerError, "describes no action"),
        ({"action": {"properties": []}}, PeerError, "describes no action"),
        ({"action": 3}, PeerError, "describes no action"),
        ({"action": {}}, ConfigurationError, "no field of its action does; serve it by create_app_from_gym"),
        (schema(action={"type": "integer"}), ConfigurationError, "no field of its action does"),
        (schema(observation=3), ConfigurationError, "one space for its observations, and no field"),
        ({"action": {"properties": {"a": DISCRETE, "b": BOX}}}, ConfigurationError, "the fields a, b of its action do"),
        (schema(action={"x-gym-space": {"space": "Blob"}}), PeerError, "unknown kind 'Blob'"),
        (schema(observation={"x-gym-space": None}), PeerError, "described by a NoneType"),
        (schema(about=3), PeerError, "x-gym-environment is a int in place of an object"),
        (schema(about={"vector": 3}), PeerError, "what the server says of its vector makes no sense"),
        (schema(about={"vector": {}}), PeerError, "KeyError\\('num_envs'\\)"),
        (schema(about={"vector": {**VECTOR, "num_envs": 0}}), PeerError, "0 is no number of environments"),
        (schema(about={"vector": {**VECTOR, "num_envs": True}}), PeerError, "True is no number of environments"),
        (schema(about={"vector": {**VECTOR, "num_envs": 10**12}}), PeerError, "is no number of environments"),
        (schema(about={"vector": {**VECTOR, "autoreset_mode": "Never"}}), PeerError, "'Never' is not a valid"),
        (schema(about={"vector": {**VECTOR, "autoreset_mode": []}}), PeerError, "is not a valid"),
        (schema(about={"vector": {**VECTOR, "single_action_space": 4}}), PeerError, "described by a int"),
    ],
)
def test_declaration_that_makes_no_sense_is_named(said: Any, error: type[OpenEnvError], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        declared_by(said, "http://server")


DECLARED = Declared("action", spaces.Discrete(2), "seen", spaces.Box(0, 1, (2,)), About())


@pytest.mark.parametrize(
    ("observation", "complaint"),
    [
        (None, "has no field 'seen'"),
        ({}, "has no field 'seen'"),
        ({"seen": [1]}, r"does not fit Box.*the shape is \(1,\) and should be \(2,\)"),
        ({"seen": ["a", "b"]}, "is not made of numbers"),
    ],
)
def test_observation_that_is_not_what_was_declared_is_an_error_of_the_peer(observation: Any, complaint: str) -> None:
    with pytest.raises(PeerError, match=complaint):
        DECLARED.read(StepResult(observation))


def test_reward_that_is_not_due_is_none_at_all() -> None:
    assert DECLARED.read(StepResult({"seen": [0, 1]})).reward == 0.0


def test_options_of_gymnasium_are_one_argument_and_those_of_others_are_several() -> None:
    options = {"low": np.array([1, 2])}
    assert DECLARED.reset_options(np.int64(3), options) == {"seed": 3, "options": {"low": [1, 2]}}  # type: ignore[arg-type]
    assert DECLARED.reset_options(None, None) == {}
    other = Declared("a", spaces.Discrete(2), "b", spaces.Discrete(2), None)
    assert other.reset_options(3, options) == {"low": [1, 2], "seed": 3}


def test_arrays_of_an_action_stay_arrays() -> None:
    declared = Declared("push", spaces.Box(0, 1, (2,)), "seen", spaces.Discrete(2), None)
    sent = declared.action([0, 1])["push"]
    assert (sent.dtype, sent.tolist()) == (np.float32, [0.0, 1.0])


def test_action_of_another_kind_is_refused() -> None:
    assert DECLARED.action(np.int64(1)) == {"action": 1}
    with pytest.raises(LocalError, match=r"does not fit Discrete\(2\): 'x' is no whole number"):
        DECLARED.action("x")


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error", "complaint"),
    [
        (404, b"", ConnectFailed, "answered HTTP 404; is an OpenEnv server running there"),
        (401, b"{}", Refused, "answered HTTP 401; give the server's token by headers="),
        (200, b"<html>", PeerError, "answered something that is not JSON"),
        (200, b"[" * 100_000, PeerError, "not JSON"),
        (200, b"\xff", PeerError, "not JSON"),
        (200, b"{}", PeerError, "describes no action"),
        (200, json.dumps(schema()).encode(), ConnectFailed, "WebSocket"),
        (
            200,
            json.dumps(schema(observation={"x-gym-space": BOX["x-gym-space"] | {"shape": [10**9, 10**9]}})).encode(),
            PeerError,
            "more than 67108864 elements",
        ),
    ],
)
def test_hostile_server_is_told_from_a_good_one(
    status: int, body: bytes, error: type[OpenEnvError], complaint: str
) -> None:
    with answering(status, body) as url, pytest.raises(error, match=complaint):
        make(url)
