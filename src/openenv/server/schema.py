"""What the server says about itself in JSON schema: `/schema`, and the request bodies in `/openapi.json`."""

import dataclasses
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, create_model
from pydantic.json_schema import models_json_schema

from openenv.env import EnvironmentSpec
from openenv.env.http_models import ResetRequest, ResetResponse, StepRequest, StepResponse
from openenv.env.mcp.types import CallToolObservation
from openenv.env.signature import ANY_RESET, LenientJsonSchema, reset_schema
from openenv.server.client_names import client_names
from openenv.types import Observation, State

__all__ = ["Schemas", "document"]


class Schemas:
    """What one environment takes and gives, in JSON schema; each is made once, when first asked for.

    Args:
        action_class: What actions are validated against.
        observation_class: What `reset` and `step` return.
        spec: Gives what is known of the environment's class; a bare factory's is known only once it has built one.
        state_class: The state's class, when the environment's annotations do not say.
        reset_observation_class: What `reset` returns, where that is another class than what `step` returns.

    Attributes:
        server_capabilities: What the server adds to the capabilities of the class.
        page: What the page at `/web` is to know besides; left out where it is empty.
    """

    def __init__(
        self,
        action_class: type[BaseModel],
        observation_class: type[BaseModel],
        spec: Callable[[], EnvironmentSpec | None],
        *,
        state_class: type[BaseModel] | None = None,
        reset_observation_class: type[BaseModel] | None = None,
    ) -> None:
        self._action_class = action_class
        self._observation_class = observation_class
        self._spec = spec
        self._state_class = state_class
        if reset_observation_class is None and observation_class is CallToolObservation:
            reset_observation_class = Observation  # which calls no tool
        self._reset_observation_class = reset_observation_class
        self.server_capabilities: tuple[str, ...] = ()
        self.page: dict[str, Any] = {}

    @cached_property
    def action(self) -> dict[str, Any]:
        """Schema of an action."""
        return self._action_class.model_json_schema(schema_generator=LenientJsonSchema)

    @cached_property
    def observation(self) -> dict[str, Any]:
        """Schema of an observation, `reward` and `done` included, which travel beside it."""
        return self._observation_class.model_json_schema(schema_generator=LenientJsonSchema)

    @cached_property
    def reset_observation(self) -> dict[str, Any] | None:
        """Schema of what `reset` returns; None where it is that of every observation."""
        given = self._reset_observation_class
        return None if given is None else given.model_json_schema(schema_generator=LenientJsonSchema)

    @property
    def state(self) -> dict[str, Any]:
        """Schema of the state."""
        spec = self._spec()
        state_class: type[BaseModel] = self._state_class or (spec.state_class if spec else State)
        return state_class.model_json_schema(schema_generator=LenientJsonSchema)

    @property
    def reset(self) -> dict[str, Any]:
        """Schema of the options of `reset`."""
        spec = self._spec()
        return ANY_RESET if spec is None else reset_schema(spec)

    @property
    def capabilities(self) -> list[str]:
        """What the environment can do beyond reset, step and state: `view`, `mcp`, `gradio`."""
        spec = self._spec()
        return [*(spec.capabilities if spec else ()), *self.server_capabilities]

    @property
    def client(self) -> dict[str, str] | None:
        """What the environment's own client is called; None for one that cannot be named, and while that is unknown."""
        spec = self._spec()
        return None if spec is None else _client(spec.environment_class, self._action_class)

    def described(self) -> dict[str, Any]:
        """Say all of it, as `/schema` does."""
        names = ("action", "observation", "state", "reset", "capabilities")
        described = {name: getattr(self, name) for name in names}
        optional = {name: getattr(self, name) for name in ("reset_observation", "client", "page")}
        return {**described, **{name: value for name, value in optional.items() if value}}

    def bodies(self) -> dict[str, Any]:
        """Schemas of the bodies of requests, the action's own fields included, and of answers, by name."""
        step = create_model("StepRequest", __base__=StepRequest, action=(self._action_class, ...))
        observed = self._observation_class
        begun = self._reset_observation_class or observed
        _, found = models_json_schema(
            [
                (ResetRequest, "validation"),
                (step, "validation"),
                (create_model("ResetResponse", __base__=ResetResponse, observation=(begun, ...)), "validation"),
                (create_model("StepResponse", __base__=StepResponse, observation=(observed, ...)), "validation"),
            ],
            ref_template="#/components/schemas/{model}",
            schema_generator=LenientJsonSchema,
        )
        definitions: dict[str, Any] = found["$defs"]
        return definitions


@cache  # files are read
def _client(environment_class: type, action_class: type) -> dict[str, str] | None:
    names = client_names(environment_class, action_class)
    return None if names is None else dataclasses.asdict(names)


def document(app: FastAPI, schemas: Schemas) -> None:
    """Make the app's OpenAPI document show what the routes take and give, beside what it says of its own."""
    inner = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = inner()
            described.setdefault("components", {}).setdefault("schemas", {}).update(schemas.bodies())
            app.openapi_schema = described
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
