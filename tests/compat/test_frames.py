"""The models of frames against the frames of a real server: what it sends they read, and what they write it takes."""

import json
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from websockets.sync.client import ClientConnection, connect

from openenv import create_app
from openenv.compat.frames import (
    WSCloseMessage,
    WSErrorCode,
    WSErrorResponse,
    WSIncomingMessage,
    WSMCPMessage,
    WSMCPResponse,
    WSObservationResponse,
    WSResetMessage,
    WSStateMessage,
    WSStateResponse,
    WSStepMessage,
)
from openenv.protocol import FAULTS
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as address:
        yield address.replace("http", "ws", 1) + "/ws"


@pytest.fixture
def socket(url: str) -> Iterator[ClientConnection]:
    with connect(url) as connection:
        yield connection


def ask(socket: ClientConnection, message: BaseModel) -> str:
    socket.send(message.model_dump_json())
    return str(socket.recv(timeout=10))


def test_the_requests_are_taken_and_the_answers_are_read(socket: ClientConnection) -> None:
    reset = WSObservationResponse.model_validate_json(ask(socket, WSResetMessage(data={"seed": 1})))
    assert reset.data["observation"]["echoed_message"] == "ready"
    step = WSObservationResponse.model_validate_json(ask(socket, WSStepMessage(data={"message": "hi"})))
    assert step.data["observation"]["message_length"] == 2
    assert {"reward", "done"} <= step.data.keys()
    assert "episode_id" in WSStateResponse.model_validate_json(ask(socket, WSStateMessage())).data
    request = {"jsonrpc": "2.0", "id": 1, "method": "no/such/method", "params": {}}
    assert WSMCPResponse.model_validate_json(ask(socket, WSMCPMessage(data=request))).data["id"] == 1
    socket.send(WSCloseMessage().model_dump_json())
    socket.close()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", WSErrorCode.INVALID_JSON),
        ('{"type":"dance"}', WSErrorCode.UNKNOWN_TYPE),
        ('{"type":"step","data":{}}', WSErrorCode.VALIDATION_ERROR),
    ],
)
def test_an_error_is_read_and_its_code_known(socket: ClientConnection, frame: str, code: WSErrorCode) -> None:
    socket.send(frame)
    error = WSErrorResponse.model_validate_json(socket.recv(timeout=10))
    assert error.data["code"] == code
    assert error.data["message"]


def test_whatever_a_client_sends_is_told_apart_by_its_type() -> None:
    incoming: TypeAdapter[BaseModel] = TypeAdapter(WSIncomingMessage)
    for message in (WSResetMessage(), WSStepMessage(data={"a": 1}), WSStateMessage(), WSCloseMessage()):
        assert incoming.validate_json(message.model_dump_json()) == message
    for bad in ({"type": "dance"}, {"type": "state", "data": {}}, {"type": "step"}, {}):
        with pytest.raises(ValidationError):
            incoming.validate_json(json.dumps(bad))


def test_the_codes_are_those_of_the_fault_table_that_are_not_ours_alone() -> None:
    assert [code.value for code in WSErrorCode] == list(FAULTS)[: len(WSErrorCode)]
