"""`make_vec`: many environments on a server as one `gymnasium.vector.VectorEnv`, as `SyncVectorEnv` would be it.

A server that has a vector itself is driven by `served_vector`, the others lane by lane by the class that stands here.
Which lanes are reset or stepped and what `info` is made of follow Gymnasium's description of the three autoreset modes.
How lanes are driven is the business of `LaneSet`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from openenv.client.endpoint import shown
from openenv.errors import ConfigurationError, UsageError
from openenv.gym.client import GymClient
from openenv.gym.declared import About, Declared, Transition, declared_by, fetch_schema
from openenv.gym.frames import frame_from_html
from openenv.gym.lanes import LaneSet
from openenv.gym.remote import Maker, metadata_of, spec_for
from openenv.gym.served_vector import ServedVectorEnv, check_vector
from openenv.gym.vector_calls import Stepped, check_turn, mask_in, seeds_for

__all__ = ["RemoteVectorEnv", "make_vec"]


def make_vec(
    url: str,
    num_envs: int | None = None,
    *,
    autoreset_mode: str | AutoresetMode | None = None,
    render_mode: str | None = None,
    **client_options: Any,
) -> "RemoteVectorEnv | ServedVectorEnv":
    """Make a vector of environments that a server has: of single ones, each a session there, or of its own vector.

    Args:
        url: Where the server is, such as `http://localhost:8000`; it must have room for that many sessions.
        num_envs: Lanes. Of a server that has a vector, None or as many as that has, which is one session.
        autoreset_mode: What happens when an episode ends, as in Gymnasium: `NextStep`, the default, `SameStep` or
            `Disabled`. Of a server that has a vector, None or that vector's.
        render_mode: As of `make`.
        client_options: As of `make`.

    Raises:
        ConfigurationError, ConnectFailed, PeerError, Refused: As of `make`. The first also when the server's vector is
            another than is asked for.
        AtCapacity: The server has no room for so many, for as long as it lets clients queue.
    """
    if num_envs is not None and num_envs < 1:
        raise ConfigurationError(f"num_envs={num_envs}: must be 1 or more")
    mode = None if autoreset_mode is None else AutoresetMode(autoreset_mode)
    client = GymClient(url, **client_options)
    declared = declared_by(fetch_schema(client._endpoint), shown(url))
    spec = spec_for(declared, Maker(url, client_options), render_mode)
    env: RemoteVectorEnv | ServedVectorEnv
    if declared.about is not None and (vector := declared.about.vector) is not None:
        check_vector(vector, num_envs, mode, shown(url))
        env = ServedVectorEnv(client, declared, vector)
    elif num_envs is None:
        raise ConfigurationError(
            f"the server at {shown(url)} has single environments; say how many to make, by num_envs="
        )
    else:
        lanes = LaneSet(url, num_envs, **client_options)
        env = RemoteVectorEnv(lanes, declared, num_envs, mode or AutoresetMode.NEXT_STEP)
    env.spec = spec
    return env


class RemoteVectorEnv(VectorEnv[Any, Any, np.ndarray[Any, Any]]):
    """Environments on a server, side by side. What one lane raises is raised when all lanes have answered."""

    def __init__(self, lanes: LaneSet, declared: Declared, num_envs: int, autoreset_mode: AutoresetMode) -> None:
        about = declared.about or About()
        self._lanes = lanes
        self._declared = declared
        self._mode = autoreset_mode
        self.num_envs = num_envs
        self.single_action_space = declared.action_space
        self.single_observation_space = declared.observation_space
        self.action_space = batch_space(declared.action_space, num_envs)
        self.observation_space = batch_space(declared.observation_space, num_envs)
        self.render_mode = about.render_mode
        self.metadata = {**metadata_of(about), "autoreset_mode": autoreset_mode}
        self._observations: list[Any] = [None] * num_envs
        self._rewards = np.zeros(num_envs, dtype=np.float64)
        self._terminations = np.zeros(num_envs, dtype=np.bool_)
        self._truncations = np.zeros(num_envs, dtype=np.bool_)
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes in all lanes, or in those of `options["reset_mask"]`.

        Args:
            seed: One for each lane, or the first one's, from which the others count up.
            options: Those of each lane's `reset`.
        """
        seeds = seeds_for(seed, self.num_envs)
        options = None if options is None else dict(options)
        mask = mask_in(options, self.num_envs, has_begun=self._observations[0] is not None)
        if options is not None:
            options.pop("reset_mask", None)
        indices = [int(index) for index in np.flatnonzero(mask)]
        asked = [self._declared.reset_options(seeds[index], options) for index in indices]
        results = self._lanes.reset(indices, asked, fresh=True)
        infos: dict[str, Any] = {}
        for index, result in zip(indices, results, strict=True):
            arrived = self._declared.read(result)
            self._observations[index] = arrived.observation
            infos = self._add_info(infos, arrived.info, index)
        for flags in (self._terminations, self._truncations, self._ended):
            flags[mask] = False
        return self._batch(), infos

    def step(self, actions: Any) -> Stepped:
        """Carry out one action in each lane, or begin its next episode, as the autoreset mode says."""
        check_turn(self._mode, self._ended, has_begun=self._observations[0] is not None)
        given = list(iterate(self.action_space, actions))
        if len(given) != self.num_envs:
            raise UsageError(f"{len(given)} actions were given for {self.num_envs} environments")
        resting = [int(i) for i in np.flatnonzero(self._ended)] if self._mode is AutoresetMode.NEXT_STEP else []
        asleep = set(resting)
        moving = [index for index in range(self.num_envs) if index not in asleep]
        sent = [self._declared.action(given[index]) for index in moving]  # first: nothing has happened if one is wrong
        begun = self._begin(resting)
        results = self._lanes.step(moving, sent) if moving else []
        moved = {index: self._declared.read(result) for index, result in zip(moving, results, strict=True)}
        ended = [index for index, arrived in moved.items() if arrived.terminated or arrived.truncated]
        again = self._begin(ended) if self._mode is AutoresetMode.SAME_STEP else {}
        infos: dict[str, Any] = {}
        for index in range(self.num_envs):
            infos = self._take(index, begun.get(index), moved.get(index), again.get(index), infos)
        self._ended = np.logical_or(self._terminations, self._truncations)
        return self._batch(), self._rewards.copy(), self._terminations.copy(), self._truncations.copy(), infos

    def render(self) -> tuple[Any, ...] | None:
        """Fetch each lane's frame; None when the server does not render."""
        if self.render_mode is None:
            return None
        return tuple(frame_from_html(view) for view in self._lanes.views(range(self.num_envs)))

    def close_extras(self, **kwargs: Any) -> None:
        """End the sessions; the server goes on."""
        self._lanes.close()

    def _begin(self, indices: Sequence[int]) -> dict[int, Transition]:
        """Begin the next episode of some lanes, with the random numbers that they are at."""
        if not indices:
            return {}
        results = self._lanes.reset(indices, [{}] * len(indices), fresh=False)
        return {index: self._declared.read(result) for index, result in zip(indices, results, strict=True)}

    def _take(
        self,
        index: int,
        begun: Transition | None,
        moved: Transition | None,
        again: Transition | None,
        infos: dict[str, Any],
    ) -> dict[str, Any]:
        """Take in one lane: a new episode, or a step, or a step that ended one and the beginning of the next."""
        latest = begun or moved
        assert latest is not None  # each lane was either reset or stepped
        self._rewards[index] = latest.reward
        self._terminations[index] = latest.terminated
        self._truncations[index] = latest.truncated
        if again is not None:
            infos = self._add_info(infos, {"final_obs": latest.observation, "final_info": latest.info}, index)
            latest = again
        self._observations[index] = latest.observation
        return self._add_info(infos, latest.info, index)

    def _batch(self) -> Any:
        space = self.single_observation_space
        room: Any = create_empty_array(space, self.num_envs, np.zeros)
        return concatenate(space, self._observations, room)
