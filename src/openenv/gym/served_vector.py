"""A vector that lives on a server as one session, as the `gymnasium.vector.VectorEnv` that it is there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from openenv.errors import ConfigurationError
from openenv.gym.client import GymClient
from openenv.gym.declared import About, Declared, ServedVector
from openenv.gym.frames import frames_from_html
from openenv.gym.remote import metadata_of
from openenv.gym.vector_calls import Stepped, check_turn, mask_in, seeds_for

__all__ = ["ServedVectorEnv", "check_vector"]


def check_vector(vector: ServedVector, num_envs: int | None, mode: AutoresetMode | None, url: str) -> None:
    """Raise ConfigurationError when a server's vector is another than is asked for."""
    if num_envs not in (None, vector.num_envs):
        raise ConfigurationError(
            f"num_envs={num_envs} was asked for, but the server at {url} has a vector of {vector.num_envs}; leave "
            f"num_envs out, or start the server with another"
        )
    if mode not in (None, vector.autoreset_mode):
        has = "says of none" if vector.autoreset_mode is None else f"has {vector.autoreset_mode.value!r}"
        raise ConfigurationError(
            f"autoreset_mode={mode.value!r} was asked for, but the vector of the server at {url} {has}"
        )


class ServedVectorEnv(VectorEnv[Any, Any, np.ndarray[Any, Any]]):
    """A vector on a server. What it raises there, in whichever lane, is the error of the whole call.

    Its random numbers are the server's: those of `np_random` here are never used.
    """

    def __init__(self, client: GymClient, declared: Declared, vector: ServedVector) -> None:
        about = declared.about or About()
        self._client = client
        self._declared = declared
        self._mode = vector.autoreset_mode
        self.num_envs = vector.num_envs
        self.single_action_space = vector.single_action_space
        self.single_observation_space = vector.single_observation_space
        self.action_space = declared.action_space
        self.observation_space = declared.observation_space
        self.render_mode = about.render_mode
        mode = {} if self._mode is None else {"autoreset_mode": self._mode}
        self.metadata = {**metadata_of(about), **mode}
        self._has_begun = False
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        client.connect()

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all lanes, or in those of `options["reset_mask"]`. Raises as `EnvClient.reset` does.

        Args:
            seed: What the vector makes lanes' seeds of; or one for each, if the vector takes that.
            options: The vector's.
        """
        mask = mask_in(options, self.num_envs, has_begun=self._has_begun)
        one = seed if seed is None or isinstance(seed, int | np.integer) else None
        asked = self._declared.reset_options(one, options)
        if seed is not None and one is None:
            asked["seeds"] = [None if each is None else int(each) for each in seeds_for(seed, self.num_envs)]
        arrived = self._declared.read_vector(self._client.reset(**asked), self.num_envs)
        self._has_begun = True
        self._ended = np.logical_and(self._ended, ~mask)
        return arrived.observations, arrived.infos

    def step(self, actions: Any) -> Stepped:
        """Carry out a batch of actions. Raises as `EnvClient.step` does, and LocalError for what is no batch at all."""
        check_turn(self._mode, self._ended, has_begun=self._has_begun)
        result = self._client.step(self._declared.action(actions))
        arrived = self._declared.read_vector(result, self.num_envs)
        self._ended = np.logical_or(arrived.terminations, arrived.truncations)
        return arrived[:]  # no named tuple, whose kind some wrappers mind

    def render(self) -> tuple[Any, ...] | None:
        """Fetch each lane's frame; None when the server does not render."""
        return None if self.render_mode is None else frames_from_html(self._client.view(), self.num_envs)

    def close_extras(self, **kwargs: Any) -> None:
        """End the session; the server goes on."""
        self._client.close()
