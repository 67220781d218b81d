"""A vector of Gymnasium environments as one `Environment`: one session is the whole vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from openenv.gym.environment import UnsavedGymEnvironment
from openenv.gym.frames import frame_to_html
from openenv.gym.info import info_to_metadata
from openenv.gym.models import BESIDE, gives_frames
from openenv.gym.source import GymSource
from openenv.types import Observation

__all__ = ["GymVectorEnvironment", "QuickGymVectorEnvironment"]


class GymVectorEnvironment(UnsavedGymEnvironment):
    """Adapts a `gymnasium.vector.VectorEnv`. Each instance holds one, for all the episodes of its session.

    An action is `{"action": member of the batched action space}`, an observation `{"observation": batch, "rewards":
    array, "terminations": array, "truncations": array}`, and `info` is the metadata. The reward beside it is None, as
    no single number says what many environments did, and it is never done: lanes end, and go on by the autoreset mode.
    """

    def __init__(self, source: GymSource) -> None:
        super().__init__(source)
        self._nothing: dict[str, Any] = {name: np.zeros(self._env.num_envs, dtype) for name, dtype in BESIDE.items()}

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        options: dict[str, Any] | None = None,
        seeds: Sequence[int | None] | None = None,
    ) -> Observation:
        """Begin episodes in all environments, or in those of `options["reset_mask"]`.

        Args:
            seed: The vector's, which makes of it what it does; most count up from it.
            episode_id: A name for the state.
            options: Gymnasium's.
            seeds: One for each environment in place of `seed`, for vectors that take that.
        """
        if options is not None and "reset_mask" in options:
            options = {**options, "reset_mask": np.asarray(options["reset_mask"])}
        observations, info = self._env.reset(seed=seed if seeds is None else seeds, options=options)
        self._episode_id, self._step_count = episode_id, 0
        metadata = info_to_metadata(info)
        return self._observation_class.model_construct(observation=observations, metadata=metadata, **self._nothing)

    def step(self, action: Any) -> Observation:
        """Carry out a batch of actions, whose field `action` is a member of the batched action space."""
        observations, rewards, terminations, truncations, info = self._env.step(action.action)
        self._step_count += 1
        return self._observation_class.model_construct(  # validated when it is written: what is wrong has a field then
            observation=observations,
            rewards=rewards,
            terminations=terminations,
            truncations=truncations,
            metadata=info_to_metadata(info, reward_type=np.asarray(rewards).dtype),
        )

    def render_web(self, observation: Any) -> str | None:
        """Show each environment's frame, when the render mode gives some."""
        frames = self._env.render() if gives_frames(self._env) else None
        shown = [frame_to_html(frame, f"{self._name} {index}") for index, frame in enumerate(frames or ())]
        return "".join(html for html in shown if html is not None) or None


class QuickGymVectorEnvironment(GymVectorEnvironment):
    """As `GymVectorEnvironment`, with the promise that no call takes more than some microseconds."""

    BLOCKING = False
