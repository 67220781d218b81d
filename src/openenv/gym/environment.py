"""A Gymnasium environment as an `Environment`."""

from typing import Any

import gymnasium
from gymnasium.vector import VectorEnv

from openenv.env import Environment, EnvironmentMetadata
from openenv.gym.frames import frame_to_html
from openenv.gym.info import info_to_metadata
from openenv.gym.models import AnyEnv, gives_frames, models_of
from openenv.gym.saving import restored, saved
from openenv.gym.source import GymSource
from openenv.types import Action, Observation, State

__all__ = ["GymEnvironment", "QuickGymEnvironment", "UnsavedGymEnvironment", "environment_class", "is_quick"]

_QUICK = ("gymnasium.envs.classic_control.", "gymnasium.envs.toy_text.")


class GymEnvironment(Environment[Action, Observation, State]):
    """Adapts a `gymnasium.Env`. Each instance holds one, for all the episodes of its session.

    An action is `{"action": member of the action space}`, an observation `{"observation": ...}`, and `info` is the
    metadata. `reset` takes `options`, Gymnasium's.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, source: GymSource) -> None:
        super().__init__()
        self._env: Any = source.build()  # a `gymnasium.Env`; in a subclass, a vector
        self._observation_class = models_of(self._env).observation
        self._name = source.name
        self._made_of = f"{source.name} {source.kwargs} of gymnasium {gymnasium.__version__}"
        self._episode_id: str | None = None
        self._step_count = 0

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, options: dict[str, Any] | None = None
    ) -> Observation:
        """Begin an episode; without a seed the environment's random numbers go on where they are."""
        observation, info = self._env.reset(seed=seed, options=options)
        self._episode_id, self._step_count = episode_id, 0
        metadata = info_to_metadata(info)
        return self._observation_class.model_construct(observation=observation, metadata=metadata)

    def step(self, action: Any) -> Observation:
        """Carry out an action, whose field `action` is a member of the action space."""
        observation, reward, terminated, truncated, info = self._env.step(action.action)
        self._step_count += 1
        return self._observation_class.model_construct(  # validated when it is written: what is wrong has a field then
            observation=observation,
            reward=reward,
            done=bool(terminated or truncated),
            truncated=bool(truncated),
            metadata=info_to_metadata(info, has_terminated=bool(terminated and truncated)),
        )

    @property
    def state(self) -> State:
        """The episode's name, and how many steps it has had."""
        return State(episode_id=self._episode_id, step_count=self._step_count)

    def render_web(self, observation: Any) -> str | None:
        """Show the frame that the environment renders, when its render mode gives one."""
        return frame_to_html(self._env.render(), self._name) if gives_frames(self._env) else None

    def snapshot(self) -> bytes:
        """Save the environment, its random numbers included, where pickle keeps them."""
        return saved(self._env, self._made_of, (self._episode_id, self._step_count))

    def restore(self, data: bytes) -> None:
        """Go on with an environment that was saved, in place of the present one."""
        env, (self._episode_id, self._step_count) = restored(data, self._made_of)
        self._env, old = env, self._env
        old.close()

    def get_metadata(self) -> EnvironmentMetadata:
        """Describe the environment by the first paragraph of its own docstring."""
        paragraph = (type(self._env.unwrapped).__doc__ or "").strip().split("\n\n")[0]
        description = " ".join(paragraph.split())
        return EnvironmentMetadata(name=self._name, description=description, version=gymnasium.__version__)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


class QuickGymEnvironment(GymEnvironment):
    """As `GymEnvironment`, with the promise that no call takes more than some microseconds."""

    BLOCKING = False


class UnsavedGymEnvironment(GymEnvironment):
    """As `GymEnvironment`, of environments that pickle cannot keep."""

    snapshot = Environment.snapshot
    restore = Environment.restore


class UnsavedQuickGymEnvironment(UnsavedGymEnvironment):
    """Both."""

    BLOCKING = False


_CLASSES: dict[tuple[bool, bool], type[GymEnvironment]] = {
    (False, False): UnsavedGymEnvironment,
    (False, True): GymEnvironment,
    (True, False): UnsavedQuickGymEnvironment,
    (True, True): QuickGymEnvironment,
}


def environment_class(*, quick: bool, savable: bool) -> type[GymEnvironment]:
    """Choose the class that promises what holds. What a class promises holds for all of a server's sessions."""
    return _CLASSES[quick, savable]


def is_quick(env: AnyEnv) -> bool:
    """Tell whether an environment's calls are known to take microseconds: those of Gymnasium's own small ones do.

    Not while they render: a frame takes milliseconds. Nor do those of a vector, which may be of any size.
    """
    is_alone = env.render_mode is None and not isinstance(env, VectorEnv)
    return is_alone and f"{type(env.unwrapped).__module__}.".startswith(_QUICK)
