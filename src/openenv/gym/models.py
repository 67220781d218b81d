"""The models of a Gymnasium environment's actions and observations, made from its spaces.

Those of a vector are made from its batched spaces, and have three arrays beside the observation, as its `step` has.
They exist in no module, but can be sent to another process all the same: as what they were made from.
"""

import copyreg
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import Space
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from pydantic import Field, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from openenv.errors import ConfigurationError
from openenv.gym.annotation import InSpace
from openenv.gym.schema import SPACE_KEY
from openenv.gym.spaces import space_from_json, space_to_json
from openenv.types import Action, Observation

__all__ = [
    "BESIDE",
    "ENVIRONMENT_KEY",
    "AnyEnv",
    "GymAction",
    "GymModels",
    "GymObservation",
    "gives_frames",
    "models_of",
    "space_beside",
]

AnyEnv = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]

ENVIRONMENT_KEY = "x-gym-environment"
"""Key of the observation's schema under which a server says that its environment is one of Gymnasium's, and which."""

BESIDE = {"rewards": np.float64, "terminations": np.bool_, "truncations": np.bool_}
"""Fields of a vector's observations, besides its batch of them: arrays of one value for each of its environments."""

_FRAMES = ("rgb_array", "ansi")
_MAX_KNOWN = 16


class _Portable(type(Action)):  # type: ignore[misc]  # pydantic's metaclass
    """Pickles its classes as their spaces, since no module has them."""


class GymAction(Action, metaclass=_Portable):
    """An action of a Gymnasium environment."""

    space: ClassVar[Space[Any]]


class GymObservation(Observation):
    """An observation of a Gymnasium environment; `metadata` is its `info`."""

    about: ClassVar[dict[str, Any]] = {}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler.resolve_ref_schema(handler(schema))
        return {**described, ENVIRONMENT_KEY: cls.about}


@dataclass(frozen=True)
class GymModels:
    """The classes of an environment's actions and observations."""

    action: type[GymAction]
    observation: type[GymObservation]


_known: list[tuple[Space[Any], Space[Any], GymModels]] = []


def models_of(env: AnyEnv) -> GymModels:
    """Make the models of an environment or a vector of them, once for those that are alike.

    Raises:
        ConfigurationError: It declares no spaces, or such as cannot be sent.
    """
    try:
        action, observation = env.action_space, env.observation_space
    except AttributeError as error:
        raise ConfigurationError(f"{env} declares no action_space or no observation_space") from error
    about = _about(env)
    for known_action, known_observation, models in _known:
        is_alike = _same(known_action, action) and _same(known_observation, observation)
        if is_alike and models.observation.about == about:
            return models
    models = GymModels(_action_class(action), _observation_class(observation, about))
    _known[:] = [*_known[1 - _MAX_KNOWN :], (action, observation, models)]
    return models


def space_beside(name: str, num_envs: int) -> Box:
    """Give the space of one of the fields `BESIDE`."""
    dtype = BESIDE[name]
    return Box(-np.inf, np.inf, (num_envs,), dtype) if dtype is np.float64 else Box(0, 1, (num_envs,), dtype)


def gives_frames(env: AnyEnv) -> bool:
    """Tell whether `render()` gives a frame that can be shown elsewhere."""
    return env.render_mode in _FRAMES


def _action_class(space: Space[Any]) -> type[GymAction]:
    field: Any = (Annotated[Any, InSpace(space)], Field(description="A member of the action space."))
    made: type[GymAction] = create_model("GymAction", __base__=GymAction, __doc__=GymAction.__doc__, action=field)
    made.space = space
    return made


def _observation_class(space: Space[Any], about: dict[str, Any]) -> type[GymObservation]:
    field: Any = (Annotated[Any, InSpace(space)], Field(description="A member of the observation space."))
    fields = {"observation": field}
    if (vector := about.get("vector")) is not None:
        fields |= {name: _field_beside(name, vector["num_envs"]) for name in BESIDE}
    made: type[GymObservation] = create_model(
        "GymObservation", __base__=GymObservation, __doc__=GymObservation.__doc__, **fields
    )
    made.about = about
    return made


def _field_beside(name: str, num_envs: int) -> Any:
    def undeclare(schema: dict[str, Any]) -> None:  # the one space to be found is the observation's
        del schema[SPACE_KEY]

    described = Field(description=f"The {name} of all environments.", json_schema_extra=undeclare)
    return Annotated[Any, InSpace(space_beside(name, num_envs))], described


def _same(one: Space[Any], other: Space[Any]) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _about(env: AnyEnv) -> dict[str, Any]:
    """Say what a client must know to stand in for the environment, besides its spaces."""
    spec, fps = env.spec, (env.metadata or {}).get("render_fps")
    return {
        "id": None if spec is None else spec.id,
        "nondeterministic": False if spec is None else bool(spec.nondeterministic),
        "render_mode": env.render_mode if gives_frames(env) else None,
        "render_fps": fps if isinstance(fps, int | float) else None,
        **({"vector": _about_vector(env)} if isinstance(env, VectorEnv) else {}),
    }


def _about_vector(env: VectorEnv[Any, Any, Any]) -> dict[str, Any]:
    try:
        action, observation, count = env.single_action_space, env.single_observation_space, int(env.num_envs)
    except AttributeError as error:
        raise ConfigurationError(f"{type(env).__name__} is no whole VectorEnv: {error}") from error
    mode = (env.metadata or {}).get("autoreset_mode")
    return {
        "num_envs": count,
        "autoreset_mode": mode.value if isinstance(mode, AutoresetMode) else None,
        "single_action_space": space_to_json(action),
        "single_observation_space": space_to_json(observation),
    }


def _rebuilt(described: dict[str, Any]) -> type[GymAction]:
    return _action_class(space_from_json(described))


def _reduced(action_class: type[GymAction]) -> Any:
    return "GymAction" if action_class is GymAction else (_rebuilt, (space_to_json(action_class.space),))


copyreg.pickle(_Portable, _reduced)
