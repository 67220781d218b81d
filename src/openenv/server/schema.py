"""What the server says about itself in JSON schema: `/schema`, and the request bodies in `/openapi.json`."""

import dataclasses
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import models_json_schema

from openenv.env import EnvironmentSpec
from openenv.env.signature import ANY_RESET, LenientJsonSchema, reset_schema
from openenv.server.client_names import client_names
from openenv.types import State

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
    """What one environment takes and gives, in JSON schema; each is made once, when first asked for.

    Args:
        action_class: What actions are validated against.
        observation_class: What `reset` and `step` return.
        spec: Gives what is known of the environment's class; a bare factory's is known only once it has built one.
        state_class: The state's class, when the environment's annotations do not say.

    Attributes:
        server_capabilities: What the server adds to the capabilities of the class.
    """

    def __init__(
        self,
        action_class: type[BaseModel],
        observation_class: type[BaseModel],
        spec: Callable[[], EnvironmentSpec | None],
        *,
        state_class: type[BaseModel] | None = None,
    ) -> None:
        self._action_class = action_class
        self._observation_class = observation_class
        self._spec = spec
        self._state_class = state_class
        self.server_capabilities: tuple[str, ...] = ()

    @cached_property
    def action(self) -> dict[str, Any]:
        """Schema of an action."""
        return self._action_class.model_json_schema(schema_generator=LenientJsonSchema)

    @cached_property
    def observation(self) -> dict[str, Any]:
        """Schema of an observation, `reward` and `done` included, which travel beside it."""
        return self._observation_class.model_json_schema(schema_generator=LenientJsonSchema)

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
        return {**described, **({"client": client} if (client := self.client) else {})}

    def bodies(self) -> dict[str, Any]:
        """Schemas of the request bodies, the action's own fields included, by name."""
        step = create_model("StepRequest", __base__=StepRequest, action=(self._action_class, ...))
        _, found = models_json_schema(
            [(ResetRequest, "validation"), (step, "validation")],
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
