"""What the server says about itself in JSON schema: `/schema`, and the request bodies in `/openapi.json`."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

__all__ = ["ResetRequest", "Schemas", "StepRequest", "document"]


class ResetRequest(BaseModel):
    """Body of `POST /reset`; further keys go to the environment's `reset`."""

    model_config = ConfigDict(extra="allow")

    seed: int | None = Field(default=None, ge=0, description="The same seed gives the same episode.")
    episode_id: str | None = Field(default=None, max_length=255, description="Names the episode.")
    timeout_s: float | None = Field(
        default=None, gt=0, description="Time limit in seconds; past it the session is lost."
    )


class StepRequest(BaseModel):
    """Body of `POST /step`; further keys go to the environment's `step`."""

    model_config = ConfigDict(extra="allow")

    action: dict[str, Any] = Field(description="The action, as `/schema` describes it.")
    timeout_s: float | None = Field(
        default=None, gt=0, description="Time limit in seconds; past it the session is lost."
    )
    request_id: str | None = Field(default=None, max_length=255, description="Sent back as the header X-Request-Id.")


class Schemas:
    """The JSON schemas of one environment, each made once, when first asked for."""

    def __init__(
        self,
        action_class: type[BaseModel],
        observation_class: type[BaseModel],
        state_class: Callable[[], type[BaseModel]],
    ) -> None:
        self._action_class = action_class
        self._observation_class = observation_class
        self._state_class = state_class

    @cached_property
    def action(self) -> dict[str, Any]:
        """Schema of an action."""
        return self._action_class.model_json_schema(schema_generator=_Lenient)

    @cached_property
    def observation(self) -> dict[str, Any]:
        """Schema of an observation, `reward` and `done` included, which travel beside it."""
        return self._observation_class.model_json_schema(schema_generator=_Lenient)

    @property
    def state(self) -> dict[str, Any]:
        """Schema of the state. Not kept: a bare factory's class is known only once it has built one."""
        return self._state_class().model_json_schema(schema_generator=_Lenient)

    def bodies(self) -> dict[str, Any]:
        """Schemas of the request bodies, the action's own fields included, by name."""
        step = create_model("StepRequest", __base__=StepRequest, action=(self._action_class, ...))
        _, found = models_json_schema(
            [(ResetRequest, "validation"), (step, "validation")],
            ref_template="#/components/schemas/{model}",
            schema_generator=_Lenient,
        )
        definitions: dict[str, Any] = found["$defs"]
        return definitions


class _Lenient(GenerateJsonSchema):
    """Describes fields that JSON schema has no word for, such as arrays of numpy, as "anything"."""

    def handle_invalid_for_json_schema(self, schema: core_schema.CoreSchema, error_info: str) -> JsonSchemaValue:
        """Say nothing about such a field."""
        return {}


def document(app: FastAPI, schemas: Schemas) -> None:
    """Make the app's OpenAPI document show what the routes take."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            described.setdefault("components", {}).setdefault("schemas", {}).update(schemas.bodies())
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
