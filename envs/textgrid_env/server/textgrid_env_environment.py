"""The environment itself: what happens on a reset and on a step. The worlds are made in `world.py`."""

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from openenv import Environment, State

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, textgrid_env.server
    from ..models import TextgridAction, TextgridObservation
    from .drawing import draw
    from .world import DIRECTIONS, LEVELS, Room, generate, solve
else:  # as part of `server`, by `uvicorn server.app:app`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import TextgridAction, TextgridObservation
    from server.drawing import draw
    from server.world import DIRECTIONS, LEVELS, Room, generate, solve

GOAL, LAVA, KEY, DOOR, STEP = 1.0, -1.0, 0.1, 0.1, -0.01
"""Rewards: for the goal, for lava, for each key taken and door opened, and for every step besides."""

_WORDS = {"n": "north", "e": "east", "s": "south", "w": "west"}
_FILLERS = {"go", "walk", "move", "head", "to", "the"}
_TAKING = {"take", "get", "pick", "grab"}


class TextgridEnvironment(Environment[TextgridAction, TextgridObservation, State]):
    """A text game: find the keys, open the doors, keep out of the lava, reach the trophy."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    # A step takes microseconds, and a reset a few milliseconds at most.
    BLOCKING = False
    # What is below in __init__ is all there is, so that sessions can be saved and forked.
    SNAPSHOT_BY_PICKLE = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._begin("easy", seed=0)

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        level: Literal["easy", "medium", "hard"] = "easy",
        **options: Any,
    ) -> TextgridObservation:
        """Begin a new episode.

        Args:
            seed: The same seed and level make the same world.
            episode_id: Names the episode.
            level: How large the world is, and how much is in it.
        """
        if level not in LEVELS:
            raise ValueError(f"there is no level {level!r}; there are {', '.join(LEVELS)}")
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        self._begin(level, seed)
        return self._observe("Find the trophy.", reward=0.0)

    def step(self, action: TextgridAction, timeout_s: float | None = None, **options: Any) -> TextgridObservation:
        """Do as the command says; what it does not understand costs a step as well."""
        if self._is_over:
            return self._observe("The episode is over.", reward=0.0)
        self._state.step_count += 1
        words = [_WORDS.get(word, word) for word in action.command.lower().split()]
        verb = next((word for word in words if word not in _FILLERS), "")
        if verb in DIRECTIONS:
            said, earned = self._go(verb)
        elif verb in _TAKING:
            said, earned = self._take()
        elif verb == "look":
            said, earned = "You look around.", 0.0
        else:
            said, earned = 'I understand "go north", "take" and "look".', 0.0
        return self._observe(said, reward=round(earned + STEP, 4))

    @property
    def state(self) -> State:
        """Which episode this is, and how many steps it has had."""
        return self._state

    def render_web(self, observation: TextgridObservation) -> str:
        """Draw the map."""
        return draw(self._world, self._room, self._visited, self._keys, observation.text)

    def web_actions(self, observation: TextgridObservation) -> list[tuple[str, TextgridAction]]:
        """Offer what can be done here."""
        moves = [(direction.capitalize(), f"go {direction}") for direction in observation.exits]
        takes = [(f"Take the {observation.key} key", "take")] if observation.key else []
        offered = [] if observation.done else [*moves, *takes, ("Look", "look")]
        return [(label, TextgridAction(command=command)) for label, command in offered]

    def _begin(self, level: str, seed: int | None) -> None:
        self._world = generate(LEVELS[level], Random(seed))
        self._limit = 4 * len(solve(self._world)) + 10
        self._room = self._world.start
        self._visited: set[Room] = {self._room}
        self._keys: set[str] = set()
        self._opened: set[str] = set()

    @property
    def _is_lost(self) -> bool:
        return self._room in self._world.lava

    @property
    def _is_won(self) -> bool:
        return self._room == self._world.goal

    @property
    def _is_over(self) -> bool:
        return self._is_won or self._is_lost or self._state.step_count >= self._limit

    def _go(self, direction: str) -> tuple[str, float]:
        there = self._world.exits(self._room).get(direction)
        if there is None:
            return f"There is a wall to the {direction}.", 0.0
        door = self._world.doors.get(frozenset((self._room, there)))
        if door is not None and door not in self._keys:
            return f"The {door} door is locked, and you have no {door} key.", 0.0
        self._room = there
        self._visited.add(there)
        if self._is_lost:
            return "You fall into lava.", LAVA
        said, earned = f"You go {direction}.", 0.0
        if door is not None and door not in self._opened:
            self._opened.add(door)
            said, earned = f"You open the {door} door and go {direction}.", DOOR
        return (f"{said} Here is the trophy!", earned + GOAL) if self._is_won else (said, earned)

    def _take(self) -> tuple[str, float]:
        key = self._key_here()
        if key is None:
            return "There is nothing to take.", 0.0
        self._keys.add(key)
        return f"You take the {key} key.", KEY

    def _key_here(self) -> str | None:
        key = self._world.keys.get(self._room)
        return None if key in self._keys else key

    def _exits(self) -> dict[str, str]:
        found = {}
        for direction, there in self._world.exits(self._room).items():
            door = self._world.doors.get(frozenset((self._room, there)))
            found[direction] = "open" if door is None or door in self._opened else door
        return found

    def _observe(self, said: str, reward: float) -> TextgridObservation:
        exits, key = self._exits(), self._key_here()
        heat = [name for name, there in self._world.exits(self._room).items() if there in self._world.lava]
        left = self._limit - self._state.step_count
        return TextgridObservation(
            text=" ".join([said, *self._sentences(exits, key, heat)]),
            x=self._room[0],
            y=self._room[1],
            exits=exits,
            heat=heat,
            key=key,
            inventory=sorted(self._keys),
            steps_left=left,
            reward=reward,
            done=self._is_over,
            truncated=left <= 0 and not (self._is_won or self._is_lost),
        )

    def _sentences(self, exits: dict[str, str], key: str | None, heat: list[str]) -> list[str]:
        """Put into words what there is."""
        ways = [way if door == "open" else f"{way} (a {door} door)" for way, door in exits.items()]
        sentences = [f"You are in a {self._world.names[self._room]}. You can go {', '.join(ways)}."]
        sentences += [f"Heat comes from the {' and the '.join(heat)}."] if heat else []
        sentences += [f"A {key} key lies here."] if key else []
        sentences += [f"You carry: {', '.join(f'{each} key' for each in sorted(self._keys))}."] if self._keys else []
        return sentences
