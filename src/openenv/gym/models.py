"""The models of a Gymnasium environment's actions and observations, made from its spaces.

They exist in no module, but can be sent to another process all the same: as what they were made from.
"""

import copyreg
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import gymnasium
from gymnasium import Space
from pydantic import Field, GetJsonSchemaHandler, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from openenv.errors import ConfigurationError
from openenv.gym.annotation import InSpace
from openenv.gym.spaces import space_from_json, space_to_json
from openenv.types import Action, Observation

__all__ = ["ENVIRONMENT_KEY", "GymAction", "GymModels", "GymObservation", "gives_frames", "models_of"]

ENVIRONMENT_KEY = "x-gym-environment"
"""Key of the observation's schema under which a server says that its environment is one of Gymnasium's, and which."""

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


def models_of(env: gymnasium.Env[Any, Any]) -> GymModels:
    """Make the models of an environment, once for those that are alike.

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


def gives_frames(env: gymnasium.Env[Any, Any]) -> bool:
    """Tell whether `render()` gives a frame that can be shown elsewhere."""
    return env.render_mode in _FRAMES


def _action_class(space: Space[Any]) -> type[GymAction]:
    field: Any = (Annotated[Any, InSpace(space)], Field(description="A member of the action space."))
    made: type[GymAction] = create_model("GymAction", __base__=GymAction, __doc__=GymAction.__doc__, action=field)
    made.space = space
    return made


def _observation_class(space: Space[Any], about: dict[str, Any]) -> type[GymObservation]:
    field: Any = (Annotated[Any, InSpace(space)], Field(description="A member of the observation space."))
    made = create_model("GymObservation", __base__=GymObservation, __doc__=GymObservation.__doc__, observation=field)
    made.about = about
    return made


def _same(one: Space[Any], other: Space[Any]) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _about(env: gymnasium.Env[Any, Any]) -> dict[str, Any]:
    """Say what a client must know to stand in for the environment, besides its spaces."""
    spec, fps = env.spec, (env.metadata or {}).get("render_fps")
    return {
        "id": None if spec is None else spec.id,
        "nondeterministic": False if spec is None else bool(spec.nondeterministic),
        "render_mode": env.render_mode if gives_frames(env) else None,
        "render_fps": fps if isinstance(fps, int | float) else None,
    }


def _rebuilt(described: dict[str, Any]) -> type[GymAction]:
    return _action_class(space_from_json(described))


def _reduced(action_class: type[GymAction]) -> Any:
    return "GymAction" if action_class is GymAction else (_rebuilt, (space_to_json(action_class.space),))


copyreg.pickle(_Portable, _reduced)
