"""Gymnasium environments for tests: one with every kind of value, and some that misbehave."""

from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium import spaces

from openenv import Action, Environment, Observation, State
from openenv.gym import InSpace

__all__ = ["ALL_SPACES", "Cart", "Misbehaving", "Mixed", "Push", "Seen", "Unbounded", "make_mixed"]

_Any: Any = spaces  # whose stubs take fewer arguments than the classes do
ALL_SPACES: list[gymnasium.Space[Any]] = [
    spaces.Box(-1.0, 1.0, (3,), np.float32),
    spaces.Box(np.array([0.1, -np.inf]), np.array([np.inf, 7e300]), dtype=np.float64),
    spaces.Box(-np.inf, np.inf, (), np.float16),
    spaces.Box(0, 255, (4, 3, 3), np.uint8),
    spaces.Box(-np.inf, 5, (2,), np.int64),
    spaces.Box(np.array([-(2**53) - 1, 3]), np.array([2**53 + 1, 2**60 + 1]), dtype=np.int64),
    spaces.Box(np.array([0], np.uint64), np.array([2**64 - 1], np.uint64), dtype=np.uint64),
    spaces.Box(0, 1, (2,), np.bool_),
    spaces.Box(0.0, 1.0, (0, 4)),
    spaces.Discrete(5, start=-2),
    spaces.Discrete(3, dtype=np.int32),
    spaces.MultiBinary(4),
    spaces.MultiBinary([2, 3]),
    spaces.MultiDiscrete([3, 2], start=[1, -1]),
    _Any.MultiDiscrete([[3, 2], [4, 5]], dtype=np.int32),
    spaces.Text(5, min_length=0, charset='zaé"\\'),
    spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, (2,))]),
    spaces.Dict([("z", spaces.Discrete(2)), ("a", spaces.Dict(x=spaces.MultiBinary(2)))]),
    spaces.Sequence(spaces.Discrete(7)),
    spaces.Sequence(spaces.Box(0, 1, (2,)), stack=True),
    spaces.Sequence(spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(0, 1, (2,))), stack=True),
    spaces.Graph(spaces.Box(-1, 1, (2,)), spaces.Discrete(4)),
    spaces.Graph(spaces.Discrete(3), None),
    spaces.OneOf([spaces.Discrete(2), spaces.Box(0, 1, (2,))]),
]


class Mixed(gymnasium.Env[Any, Any]):
    """Values of many kinds, all drawn at random; each episode ends within some steps, now and then in both ways."""

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 7}  # noqa: RUF012  # as Gymnasium has it

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.action_space = spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,), np.float32)])
        self.observation_space = spaces.Dict(
            image=spaces.Box(0, 255, (12, 8, 3), np.uint8),
            pose=spaces.Tuple([spaces.Box(-np.inf, np.inf, (2,), np.float64), spaces.Discrete(5, start=-2)]),
            bits=spaces.MultiBinary(3),
            word=spaces.Text(4),
        )
        self._frame = np.zeros((12, 8, 3), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._observed(0.0), {"options": options or {}, "started": True}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        turn, push = action
        ends, cut = bool(self.np_random.random() < 0.1), bool(self.np_random.random() < 0.1)
        info = {
            "mask": self.np_random.integers(0, 2, 4).astype(np.int8),
            "nested": {"pair": (int(turn), float(push[0])), "small": np.float32(0.1)},
        }
        return self._observed(float(push.sum())), float(push[0]) / 3, ends, cut, info

    def render(self) -> Any:
        return self._frame.copy() if self.render_mode == "rgb_array" else "a <b>\n& c"

    def _observed(self, push: float) -> dict[str, Any]:
        self._frame = self.np_random.integers(0, 256, (12, 8, 3), np.uint8)
        return {
            "image": self._frame.copy(),
            "pose": (self.np_random.normal(size=2) + push, int(self.np_random.integers(-2, 3))),
            "bits": self.np_random.integers(0, 2, 3).astype(np.int8),
            "word": "".join(self.np_random.choice(list("abc"), 2)),
        }


class Misbehaving(gymnasium.Env[Any, Any]):
    """Does at each step what its action is the number of."""

    def __init__(self) -> None:
        self.action_space = spaces.Discrete(10)
        self.observation_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: int) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        fine = np.full(2, 0.5, np.float32)
        match action:
            case 0:
                return fine, 1.0, False, False, {}
            case 1:
                raise RuntimeError("the motor is on fire")
            case 2:
                return np.array([0.5, np.nan], np.float32), 0.0, False, False, {}
            case 3:
                return fine, float("nan"), False, False, {}
            case 4:
                return np.zeros(3, np.float32), 0.0, False, False, {}
            case 5:
                return fine, 0.0, True, True, {}
            case 6:
                return fine, 0.0, False, False, {"fine": 1, "bad": float("inf"), "deep": {"odd": object(), 3: 4}}
            case 7:  # outside its bounds, and of another type: what many an environment does
                return np.array([2.0, -3.0]), np.float32(0.1), np.bool_(True), np.bool_(False), {}
            case _:
                return "no array", 0.0, False, False, {}


class Unbounded(gymnasium.Env[Any, Any]):
    """Takes infinities, and rewards what is one."""

    def __init__(self) -> None:
        self.action_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.observation_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 1, float(np.isinf(action).sum()), False, False, {}


class Push(Action):
    """An action that declares its space."""

    force: Annotated[Any, InSpace(spaces.Box(-1, 1, (2,)))]


class Seen(Observation):
    """An observation that does."""

    place: Annotated[Any, InSpace(spaces.Box(-np.inf, np.inf, (2,)))]


class Cart(Environment[Push, Seen, State]):
    """No environment of Gymnasium's, but one that declares its spaces: it is where the forces on it have pushed it."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self.place = np.zeros(2, np.float32)

    def reset(self) -> Seen:
        self.place = np.zeros(2, np.float32)
        return Seen(place=self.place)

    def step(self, action: Push) -> Seen:
        self.place = self.place + action.force
        return Seen(place=self.place)

    @property
    def state(self) -> State:
        return State()


def make_mixed(**kwargs: Any) -> Mixed:
    """An entry point."""
    return Mixed(**kwargs)


gymnasium.register("Mixed-v0", make_mixed)
