"""`openenv.server.route_config`: plain GET routes from a table."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel
from starlette.testclient import TestClient

from openenv.server.route_config import GetEndpointConfig, register_get_endpoints


class Weather(BaseModel):
    degrees: float


def config(path: str, handler: Any, model: Any) -> GetEndpointConfig:
    return GetEndpointConfig(path, handler, model, "Weather", "How warm it is", "In degrees Celsius.")


def test_each_path_has_its_own_handler_and_model() -> None:
    app = FastAPI()
    register_get_endpoints(
        app,
        [
            config("/warm", lambda: Weather(degrees=30), Weather),
            config("/cold", lambda: {"degrees": -5, "more": 1}, Weather),
            config("/any", lambda: {"anything": [1]}, dict),
            config("/wrong", lambda: {"degrees": "mild"}, Weather),
        ],
    )
    with TestClient(app) as client:
        assert client.get("/warm").json() == {"degrees": 30}
        assert client.get("/cold").json() == {"degrees": -5}
        assert client.get("/any").json() == {"anything": [1]}
        with pytest.raises(ResponseValidationError):
            client.get("/wrong")
        described = client.get("/openapi.json").json()["paths"]["/warm"]["get"]
    assert (described["tags"], described["summary"]) == (["Weather"], "How warm it is")
    assert described["description"] == "In degrees Celsius."
