"""Dialect 1 byte for byte. The golden frames were recorded from an OpenEnv 0.10.0 server and its message models."""

import datetime
import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv.errors import LocalError, PeerError
from openenv.protocol import (
    EXTENSIONS,
    Close,
    Dialect1,
    Fault,
    GetState,
    GetView,
    Json,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Request,
    Reset,
    ServerCall,
    StateIs,
    Step,
    ViewIs,
)
from openenv.protocol.dialect1 import load_json

codec = Dialect1()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["reset", "step", "state", "view", "close", "mcp", "observation", "error"]) | JSON,
        "data": JSON,
        "timeout_s": JSON,
        "options": JSON,
        "more": JSON,
    },
)
FRAMES = st.text() | st.binary() | JSON.map(json.dumps) | ENVELOPES.map(json.dumps)


def read(frame: str | bytes) -> Request | Fault:
    incoming = codec.decode_request(frame)
    assert incoming.id is None
    return incoming.request


def refusal(frame: str | bytes) -> tuple[str, list[Json]]:
    """Read a frame that must be refused: its code, and the fields named."""
    fault = read(frame)
    assert isinstance(fault, Fault)
    assert codec.decode_reply(codec.encode_reply(fault, None)) == (None, fault)
    return fault.code, [error["loc"] for error in fault.details.get("errors", [])]


# Golden frames.


@pytest.mark.parametrize(
    ("request_", "frame"),
    [
        (Reset(), b'{"type":"reset","data":{}}'),
        (Reset({"seed": 7, "episode_id": "e"}), b'{"type":"reset","data":{"seed":7,"episode_id":"e"}}'),
        (Step({"message": "h\u00e9 \U0001f600"}), '{"type":"step","data":{"message":"h\u00e9 \U0001f600"}}'.encode()),
        (GetState(), b'{"type":"state"}'),
        (GetView(), b'{"type":"view"}'),
        (Close(), b'{"type":"close"}'),
        (JsonRpc({"jsonrpc": "2.0", "id": 1}), b'{"type":"mcp","data":{"jsonrpc":"2.0","id":1}}'),
        # What is ours is absent unless used.
        (Reset({}, 5.0), b'{"type":"reset","data":{},"timeout_s":5.0}'),
        (Step({}, 0.5, {"hint": 1}), b'{"type":"step","data":{},"timeout_s":0.5,"options":{"hint":1}}'),
    ],
)
def test_request_frames(request_: Request, frame: bytes) -> None:
    assert codec.encode_request(request_, 99) == frame
    assert read(frame.decode()) == request_


@pytest.mark.parametrize(
    ("reply", "frame"),
    [
        (
            Observed({"metadata": {}, "text": "ready"}, 0.0),
            b'{"type":"observation","data":{"observation":{"metadata":{},"text":"ready"},"reward":0.0,"done":false}}',
        ),
        (
            Observed({"metadata": {"step": 1}}, 1, True, {"step": 1}),
            b'{"type":"observation","data":{"observation":{"metadata":{"step":1}},"reward":1,"done":true,'
            b'"metadata":{"step":1}}}',
        ),
        (
            Observed({"metadata": {}}, True),
            b'{"type":"observation","data":{"observation":{"metadata":{}},"reward":true,"done":false}}',
        ),
        (
            Observed({"metadata": {}}, 12345678901234567890123),
            b'{"type":"observation","data":{"observation":{"metadata":{}},"reward":12345678901234567890123,"done":false}}',
        ),
        (
            Observed({"metadata": {}}, None, True, None, True),
            b'{"type":"observation","data":{"observation":{"metadata":{}},"reward":null,"done":true,"truncated":true}}',
        ),
        (StateIs({"episode_id": "ep", "step_count": 1}), b'{"type":"state","data":{"episode_id":"ep","step_count":1}}'),
        (
            ViewIs({"html": "<b>\u00e9</b>", "actions": [{"label": "Up", "action": {"to": 1}}]}),
            '{"type":"view","data":{"html":"<b>\u00e9</b>","actions":[{"label":"Up","action":{"to":1}}]}}'.encode(),
        ),
        (JsonRpcReply({"jsonrpc": "2.0", "id": 4}), b'{"type":"mcp","data":{"jsonrpc":"2.0","id":4}}'),
        (Fault("EXECUTION_ERROR", "'k'"), b'{"type":"error","data":{"message":"\'k\'","code":"EXECUTION_ERROR"}}'),
        (
            Fault("CAPACITY_REACHED", "full", {"active_sessions": 1, "max_sessions": 1}),
            b'{"type":"error","data":{"message":"full","code":"CAPACITY_REACHED","active_sessions":1,"max_sessions":1}}',
        ),
    ],
)
def test_reply_frames(reply: Reply, frame: bytes) -> None:
    assert codec.encode_reply(reply, None) == frame
    for received in (frame, frame.decode()):
        assert codec.decode_reply(received) == (None, reply)


@pytest.mark.parametrize("reward", [1e-7, 1e22, 0.1, -0.0, 5e-324, 1.5e300, 12345678])
def test_rewards_are_written_as_openenv_writes_them(reward: float) -> None:
    text = {1e-7: "1e-7", 1e22: "1e+22", 1.5e300: "1.5e+300"}.get(reward, repr(reward))
    assert codec.encode_reply(Observed({}, reward), None).endswith(b'"reward":%s,"done":false}}' % text.encode())


def test_encoded_observations_are_not_encoded_again() -> None:
    observed = Observed(orjson.Fragment(b'{"x":0.00001}'), 1.0, False, orjson.Fragment(b'{"n":1}'))
    assert codec.encode_reply(observed, None) == (
        b'{"type":"observation","data":{"observation":{"x":0.00001},"reward":1.0,"done":false,"metadata":{"n":1}}}'
    )


def test_what_a_foreign_server_sends_besides_is_kept() -> None:
    frame = '{"type": "observation", "data": {"observation": {}, "reward": 1.0, "done": true, "info": {"lives": 3}}}'
    assert codec.decode_reply(frame) == (None, Observed({}, 1.0, True, extra={"info": {"lives": 3}}))


def test_a_fault_of_any_shape_is_read() -> None:
    assert codec.decode_reply('{"type":"error","data":{}}') == (None, Fault("INTERNAL_ERROR", "unspecified error"))
    deep = "[" * 1_000 + "]" * 1_000
    assert codec.decode_reply('{"type":"error","data":{"code":5,"message":' + deep + "}}") == (None, Fault("5", "list"))


def test_the_additions_are_those_the_handshake_names() -> None:
    ours = json.loads(codec.encode_request(Step({}, 1.0, {"a": 1}), 0)).keys() - {"type", "data"}
    assert sorted([*ours, json.loads(codec.encode_request(GetView(), 0))["type"]]) == list(EXTENSIONS)


@pytest.mark.parametrize("field", ["data", "timeout_s", "options"])
def test_a_view_is_asked_for_by_its_type_alone(field: str) -> None:
    assert refusal(json.dumps({"type": "view", field: {}})) == ("VALIDATION_ERROR", [[field]])


# Requests that are wrong, or only unusual.


@pytest.mark.parametrize("limit", [-1, 0, True, "5", [], math.nan, math.inf, 10**400])
def test_a_time_limit_is_a_number_of_seconds(limit: Json) -> None:
    frame = json.dumps({"type": "reset", "timeout_s": limit})
    assert refusal(frame) == ("VALIDATION_ERROR", [["timeout_s"]])


@pytest.mark.parametrize(
    ("frame", "code", "fields"),
    [
        ("", "INVALID_JSON", []),
        ("{nope", "INVALID_JSON", []),
        ('{"type":"state"} x', "INVALID_JSON", []),
        ("\ufeff{}", "INVALID_JSON", []),
        ('{"type":"state\x00"}', "INVALID_JSON", []),
        ("\udcff", "INVALID_JSON", []),
        (b'{"type":"state"}', "INVALID_JSON", []),
        (b"\xe2\x82", "INVALID_JSON", []),
        pytest.param("[" * 100_000, "INVALID_JSON", [], id="unclosed"),
        pytest.param('{"type":"step","data":' + "[" * 5_000 + "]" * 5_000 + "}", "INVALID_JSON", [], id="deep"),
        pytest.param('{"type":"reset","data":{"seed":' + "9" * 5_000 + "}}", "INVALID_JSON", [], id="long"),
        ("[]", "VALIDATION_ERROR", [[]]),
        ("null", "VALIDATION_ERROR", [[]]),
        ('"state"', "VALIDATION_ERROR", [[]]),
        ("NaN", "VALIDATION_ERROR", [[]]),
        ("{}", "UNKNOWN_TYPE", []),
        ('{"type":"observation","data":{}}', "UNKNOWN_TYPE", []),
        ('{"type":["reset"]}', "UNKNOWN_TYPE", []),
        pytest.param('{"type":' + "[" * 1_000 + "]" * 1_000 + "}", "UNKNOWN_TYPE", [], id="deep type"),
        ('{"type":"\\ud800"}', "UNKNOWN_TYPE", []),
        ('{"type":"state","data":{}}', "VALIDATION_ERROR", [["data"]]),
        ('{"type":"close","data":{}}', "VALIDATION_ERROR", [["data"]]),
        ('{"type":"state","timeout_s":1}', "VALIDATION_ERROR", [["timeout_s"]]),
        ('{"type":"reset","data":{},"options":{}}', "VALIDATION_ERROR", [["options"]]),
        ('{"type":"step","data":{},"request_id":1}', "VALIDATION_ERROR", [["request_id"]]),
        ('{"type":"step"}', "VALIDATION_ERROR", [["data"]]),
        ('{"type":"mcp"}', "VALIDATION_ERROR", [["data"]]),
        ('{"type":"step","data":[]}', "VALIDATION_ERROR", [["data"]]),
        ('{"type":"reset","data":null}', "VALIDATION_ERROR", [["data"]]),
        ('{"type":"step","data":{},"options":[]}', "VALIDATION_ERROR", [["options"]]),
    ],
)
def test_a_wrong_request_becomes_a_fault_that_names_the_field(
    frame: str | bytes, code: str, fields: list[Json]
) -> None:
    assert refusal(frame) == (code, fields)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("{}", "Unknown message type: "),
        ('{"type":"x"}', "Unknown message type: x"),
        ('{"type":5}', "Unknown message type: 5"),
        ('{"type":null}', "Unknown message type: None"),
        ("{nope", "Invalid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"type":"step"}', "Invalid message"),
    ],
)
def test_refusals_are_worded_as_openenv_words_them(frame: str, message: str) -> None:
    fault = read(frame)
    assert isinstance(fault, Fault)
    assert fault.message == message


def test_a_field_is_refused_in_the_words_of_pydantic_without_its_value() -> None:
    error = {"type": "extra_forbidden", "loc": ["token"], "msg": "Extra inputs are not permitted"}
    assert read('{"type":"state","token":"secret"}') == Fault(
        "VALIDATION_ERROR", "Invalid message", {"errors": [error]}
    )


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ('{"type":"reset"}', Reset()),
        ('{"type": "step", "data": {"message": "hi"}}', Step({"message": "hi"})),
        ('{"type":"reset","type":"state"}', GetState()),
        ('{"type":"step","data":{},"timeout_s":null}', Step({})),
        ('{"type":"step","data":{"x":Infinity,"y":-Infinity}}', Step({"x": math.inf, "y": -math.inf})),
        ('{"type":"step","data":{"text":"\\ud800"}}', Step({"text": "\ud800"})),
    ],
)
def test_what_existing_clients_may_send_is_understood(frame: str, request_: Request) -> None:
    assert read(frame) == request_


@pytest.mark.parametrize(
    "number",
    [
        2**63,
        2**64 - 1,
        2**64,
        -(2**63),
        -(2**63) - 1,
        2**100 + 1,
        -(10**40) - 1,
        1234567890123456789,
        0.12345678901234567,
    ],
)
@pytest.mark.parametrize("form", [str, str.encode])
def test_no_integer_is_rounded(number: float, form: Any) -> None:
    assert load_json(form(f'{{"a":[{number}]}}')) == {"a": [number]}


# What cannot be sent, and what must not change on the way.


@pytest.mark.parametrize("value", [object(), {1, 2}, b"\xff", {(1, 2): 3}, [[[[{"deep": object()}]]]]])
def test_what_is_not_json_is_a_local_error(value: object) -> None:
    with pytest.raises(LocalError, match="cannot be sent as JSON"):
        codec.encode_request(Step({"value": value}), 0)


def test_a_request_without_end_is_a_local_error() -> None:
    itself: list[Json] = []
    itself.append(itself)
    deep: list[Json] = []
    for _ in range(100_000):
        deep = [deep]
    for endless in (itself, deep):
        with pytest.raises(LocalError, match="cannot be sent as JSON"):
            codec.encode_request(Step({"endless": endless}), 0)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 2**100, "\ud800", None, {"1": [(None,)]}])
def test_no_value_of_a_request_is_changed_on_the_way(value: Json) -> None:
    sent = Reset({"value": [value], "other": None})
    as_json = json.loads(json.dumps(sent.options))
    assert read(codec.encode_request(sent, 0).decode()) == Reset(as_json)


def test_nan_is_sent_as_existing_clients_send_it() -> None:
    assert codec.encode_request(Step({"x": math.nan}), 0) == b'{"type":"step","data":{"x":NaN}}'


def test_an_action_encoded_before_may_stand_beside_options_only_the_json_module_can_write() -> None:
    step = Step(orjson.Fragment(b'{"x":1e-7,"n":18446744073709551617}'), None, {"seed": 2**70})
    assert read(codec.encode_request(step, 0).decode()) == Step({"x": 1e-7, "n": 2**64 + 1}, None, {"seed": 2**70})


def test_dates_are_sent_beside_long_numbers() -> None:
    day = datetime.date(2024, 1, 2)
    assert read(codec.encode_request(Reset({"day": day, "seed": 2**70}), 0).decode()) == Reset(
        {"day": "2024-01-02", "seed": 2**70}
    )


def test_a_fault_can_always_be_said() -> None:
    fault = Fault("EXECUTION_ERROR", "cannot open '\udcff'", {"what": object(), "seed": 2**70, "at": {1, 2}})
    _, said = codec.decode_reply(codec.encode_reply(fault, None))
    assert isinstance(said, Fault)
    assert said.message == fault.message
    assert said.details["seed"] == 2**70
    assert said.details["what"].startswith("<object object at")


# Replies that make no sense.


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        ("", "not JSON"),
        (b"\xe2\x82", "not JSON"),
        pytest.param("[" * 100_000, r"nested too deeply\): '\[+'\.\.\.$", id="deep"),
        ("null", r"without a data object: 'null'"),
        ("[]", "without a data object"),
        ('{"type":"state"}', "without a data object"),
        ('{"type":"state","data":[]}', "without a data object"),
        ('{"type":"step","data":{}}', "unknown type 'step'"),
        ('{"data":{}}', "unknown type None"),
        ('{"type":[],"data":{}}', "unknown type 'list'"),
        ('{"type":{},"data":{}}', "unknown type 'dict'"),
        ('{"type":"observation","data":{"reward":1.0}}', "without an observation"),
    ],
)
def test_a_reply_that_makes_no_sense_is_the_peers_error(frame: str | bytes, complaint: str) -> None:
    with pytest.raises(PeerError, match=complaint):
        codec.decode_reply(frame)


@given(FRAMES)
def test_reading_a_request_never_raises_and_its_refusal_can_be_sent(frame: str | bytes) -> None:
    incoming = codec.decode_request(frame)
    assert isinstance(incoming, ServerCall)
    if isinstance(incoming.request, Fault):
        codec.decode_reply(codec.encode_reply(incoming.request, None))


@given(FRAMES)
def test_reading_a_reply_raises_nothing_but_peer_errors(frame: str | bytes) -> None:
    try:
        _, reply = codec.decode_reply(frame)
    except PeerError:
        return
    assert isinstance(reply, Reply)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON), st.none() | st.floats(1e-3, 1e6), st.dictionaries(st.text(), JSON))
def test_every_json_value_survives_the_way(action: Json, limit: float | None, options: Json) -> None:
    for request in (Step(action, limit, options), Reset(options, limit), JsonRpc(action)):
        arrived = read(codec.encode_request(request, 0).decode())
        assert repr(arrived) == repr(request)  # NaN does not equal itself
