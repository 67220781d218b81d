"""Vectors for tests: one of Gymnasium's shape with everything in its infos, whose actions say how it misbehaves."""

import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

__all__ = ["CALM", "Flock", "Mute"]

CALM = 0


class Flock(VectorEnv[Any, Any, Any]):
    """Each lane's action says what becomes of the whole call."""

    metadata = {  # noqa: RUF012  # as Gymnasium has it
        "render_modes": ["rgb_array", "ansi"],
        "render_fps": 9,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }
    open = 0
    """How many are open in this process."""

    def __init__(self, num_envs: int = 2, render_mode: str | None = None, hollow: bool = False) -> None:
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.single_action_space = spaces.Discrete(20)
        self.single_observation_space = spaces.Dict(
            seen=spaces.Box(-1, 1, (2, 3), np.float32), count=spaces.Discrete(9)
        )
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        if hollow:
            del self.single_action_space
        Flock.open += 1

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None and not isinstance(seed, int):
            raise TypeError("this vector takes one seed")
        super().reset(seed=seed)
        return self._observed(), {"options": options or {}}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        count = self.num_envs
        observed: Any = self._observed()
        rewards: Any = self.np_random.random(count).astype(np.float32)
        terminations: Any = actions == 1
        truncations: Any = actions == 2
        infos: dict[str, Any] = {}
        for lane, action in enumerate(actions):
            match int(action):
                case 1 | 2:
                    infos = self._add_info(infos, {"final_obs": self._one(), "final_info": {"left": "early"}}, lane)
                case 3:
                    raise RuntimeError(f"bird {lane} has flown into a window")
                case 4:
                    observed = {**observed, "seen": observed["seen"][:1]}
                case 5:
                    observed = observed["seen"]
                case 6:
                    rewards = rewards[:-1]
                case 7:
                    rewards[lane] = np.nan
                case 8:
                    terminations = np.full(count, 2)
                case 9:
                    truncations = [False] * (count + 1)
                case 10:
                    os._exit(4)
                case 11:
                    infos = self._add_info(infos, {"song": "chirp", "weight": np.float32(0.1), "age": 3}, lane)
                case 12:
                    rewards = [1] * count
                    terminations, truncations = [0] * count, np.zeros(count, np.uint8)
                case 13:
                    rewards = ["much"] * count
        return observed, rewards, terminations, truncations, infos

    def render(self) -> Any:
        if self.render_mode == "ansi":
            return [f"bird <{lane}>" for lane in range(self.num_envs)]
        return tuple(np.full((2, 3, 3), lane, np.uint8) for lane in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        Flock.open -= 1

    def _one(self) -> dict[str, Any]:
        return {"seen": self.np_random.uniform(-1, 1, (2, 3)).astype(np.float32), "count": np.int64(3)}

    def _observed(self) -> dict[str, Any]:
        seen = self.np_random.uniform(-1, 1, (self.num_envs, 2, 3)).astype(np.float32)
        return {"seen": np.asfortranarray(seen), "count": self.np_random.integers(0, 9, self.num_envs)}


class Mute(Flock):
    """Does not say what it does when an episode ends."""

    metadata = {}  # noqa: RUF012  # as above


gymnasium.register("Flock-v0", vector_entry_point="tests.gym.flocks:Flock")
