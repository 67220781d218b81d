"""`openenv.server.schema`: what the server says about actions, observations, states and bodies."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import Field

from openenv import Action, Observation, State
from openenv.env import EnvironmentSpec, spec_of
from openenv.env.mcp import CallToolObservation
from openenv.env.signature import ANY_RESET
from openenv.server.schema import Schemas, document
from tests.server.peers import http
from tests.server.stage import app_of
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


class Board(State):
    cells: list[int] = Field(default_factory=list, description="Row by row.")


class Opaque:
    """A type that JSON schema has no word for."""


class Painting(Observation):
    canvas: Opaque | None = None


class Checkers(EchoEnvironment):
    def reset(self, size: int = 8) -> EchoObservation:  # type: ignore[override]
        return super().reset()

    def web_actions(self, observation: Any) -> list[tuple[str, EchoAction]]:
        return [("Say hi", EchoAction(message="hi"))]

    def handle_json_rpc(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": request["id"], "result": {"tools": []}}

    @property
    def state(self) -> Board:
        return Board(cells=[1, 2])


def of(action: Any = EchoAction, observation: Any = EchoObservation, state: Any = State) -> Schemas:
    return Schemas(action, observation, lambda: None, state_class=state)


def test_schemas_are_those_of_the_classes() -> None:
    schemas = of(state=Board)
    assert schemas.action["required"] == ["message"]
    assert {"echoed_message", "message_length", "reward", "done"} <= schemas.observation["properties"].keys()
    assert schemas.state["properties"]["cells"]["description"] == "Row by row."
    assert schemas.action is schemas.action  # made once


def test_what_an_environment_of_tools_begins_with_calls_none() -> None:
    schemas = of(observation=CallToolObservation)
    assert "tool_name" in schemas.observation["required"]
    assert schemas.described()["reset_observation"]["title"] == "Observation"
    given = Schemas(EchoAction, CallToolObservation, lambda: None, reset_observation_class=EchoObservation)
    assert given.described()["reset_observation"]["title"] == "EchoObservation"


def test_class_of_the_environment_may_be_known_later() -> None:
    known: list[EnvironmentSpec | None] = [None]
    schemas = Schemas(EchoAction, EchoObservation, lambda: known[-1])
    schemas.server_capabilities += ("gradio",)
    assert "cells" not in schemas.state["properties"]
    assert (schemas.reset, schemas.capabilities) == (ANY_RESET, ["gradio"])
    known.append(spec_of(Checkers))
    assert "cells" in schemas.state["properties"]
    assert list(schemas.reset["properties"]) == ["size"]
    assert schemas.capabilities == ["view", "mcp", "gradio"]


def test_state_class_that_was_given_goes_before_the_annotations() -> None:
    assert Schemas(EchoAction, EchoObservation, lambda: spec_of(Checkers), state_class=State).state["title"] == "State"


def test_field_without_a_word_in_json_schema_is_anything() -> None:
    assert "canvas" in of(observation=Painting).observation["properties"]


def test_bodies_show_the_actions_own_fields() -> None:
    class Move(Action):
        """One move."""

        square: int = Field(ge=0, le=63)

    bodies = of(action=Move).bodies()
    assert bodies["StepRequest"]["properties"]["action"]["$ref"] == "#/components/schemas/Move"
    assert bodies["Move"]["properties"]["square"]["maximum"] == 63
    assert {"seed", "episode_id", "timeout_s"} == bodies["ResetRequest"]["properties"].keys()


def test_document_is_made_once() -> None:
    app = FastAPI()
    document(app, of())
    assert app.openapi() is app.openapi()
    assert "EchoAction" in app.openapi()["components"]["schemas"]


@pytest.fixture(scope="module")
def checkers() -> Iterator[str]:
    with serving(app_of(Checkers), log_config=None) as url:
        yield url


@pytest.fixture
def pages(checkers: str) -> Iterator[httpx.Client]:
    with http(checkers) as client:
        yield client


def test_schema_route_has_the_real_state(pages: httpx.Client) -> None:
    answer = pages.get("/schema").json()
    assert set(answer) == {"action", "observation", "state", "reset", "capabilities"}
    assert answer["state"]["title"] == "Board"
    assert answer["reset"]["properties"]["size"] == {"type": "integer", "default": 8}
    assert answer["capabilities"] == ["view", "mcp"]


def test_factory_without_a_promise_is_described_once_it_has_built_one() -> None:
    with serving(app_of(lambda: Checkers()), log_config=None) as url, http(url) as client:
        assert client.get("/schema").json()["reset"] == ANY_RESET
        assert client.post("/reset").status_code == 200
        assert client.get("/schema").json()["capabilities"] == ["view", "mcp"]


def test_openapi_lists_every_route_and_refers_to_nothing_it_lacks(pages: httpx.Client) -> None:
    answer = pages.get("/openapi.json")
    described = answer.json()
    assert {"/reset", "/step", "/state", "/session", "/schema", "/metadata", "/health"} <= described["paths"].keys()
    assert described["info"]["version"] == "1.0.0"
    assert described["paths"]["/step"]["post"]["requestBody"]["required"] is True
    known = described["components"]["schemas"]
    referred = {part.partition('"')[0] for part in answer.text.split("#/components/schemas/")[1:]}
    assert "EchoAction" in referred <= known.keys()
    assert "message" in known["EchoAction"]["properties"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_for_people_answer(pages: httpx.Client, path: str) -> None:
    answer = pages.get(path)
    assert (answer.status_code, "text/html" in answer.headers["content-type"]) == (200, True)
