"""Worlds: made from a random generator, and solved. Pure: the game is in `textgrid_env_environment.py`.

A world is a maze of rooms. Its doors are on the only way from the start to the goal, and each one's key lies before it, so
every world can be won. Lava is in dead ends only, where nothing is to be found.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from random import Random

__all__ = ["DIRECTIONS", "LEVELS", "Level", "Passage", "Room", "World", "generate", "neighbour", "solve"]

Room = tuple[int, int]
"""Column and row, from the north-west."""
Passage = frozenset[Room]
"""The two rooms that it joins."""

DIRECTIONS: Mapping[str, Room] = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
_COLOURS = ("red", "blue", "green", "gold")
_KINDS = ("library", "kitchen", "cellar", "gallery", "workshop", "chapel", "armoury", "greenhouse", "study", "vault")
_MOODS = ("dusty", "narrow", "vaulted", "silent", "draughty", "candle-lit", "abandoned", "echoing", "damp", "tidy")


@dataclass(frozen=True)
class Level:
    """How hard a world is: its size, and how much is in it."""

    width: int
    height: int
    doors: int
    lava: int


LEVELS: Mapping[str, Level] = {
    "easy": Level(3, 3, doors=1, lava=0),
    "medium": Level(4, 4, doors=2, lava=2),
    "hard": Level(6, 5, doors=3, lava=4),
}


@dataclass(frozen=True)
class World:
    """What there is, and where.

    Attributes:
        names: What each room is.
        passages: Which rooms are joined.
        doors: Colours of the passages that are locked.
        keys: Colours of the keys, by the room where they lie.
        lava: Rooms that nobody leaves.
    """

    level: Level
    names: Mapping[Room, str]
    passages: frozenset[Passage]
    doors: Mapping[Passage, str]
    keys: Mapping[Room, str]
    lava: frozenset[Room]
    start: Room
    goal: Room

    def exits(self, room: Room) -> dict[str, Room]:
        """The rooms that one can go to, by direction."""
        beside = {name: neighbour(room, name) for name in DIRECTIONS}
        return {name: other for name, other in beside.items() if frozenset((room, other)) in self.passages}


def neighbour(room: Room, direction: str) -> Room:
    """The place in a direction, be it a room or not."""
    dx, dy = DIRECTIONS[direction]
    return room[0] + dx, room[1] + dy


def generate(level: Level, random: Random) -> World:
    """Make a world; the same state of the generator makes the same one."""
    rooms = [(x, y) for y in range(level.height) for x in range(level.width)]
    tree = _maze(rooms, random)
    start = random.choice(rooms)
    ways = _ways(start, tree)
    goal = max(rooms, key=lambda room: len(ways[room]))
    way = ways[goal]
    steps = [frozenset(pair) for pair in pairwise(way)]
    locked = sorted(random.sample(range(len(steps)), min(level.doors, len(steps))))
    doors = {steps[index]: colour for index, colour in zip(locked, _COLOURS, strict=False)}
    keys: dict[Room, str] = {}
    for colour in doors.values():
        unlocked = {door for door, other in doors.items() if other in keys.values()}
        within = _ways(start, tree - (doors.keys() - unlocked))
        places = [room for room in rooms if room in within and room not in (*keys, start, goal)]
        keys[random.choice(places or [start])] = colour
    ends = [room for room in rooms if sum(room in passage for passage in tree) == 1]
    free = [room for room in ends if room not in (*keys, start, goal)]
    lava = frozenset(random.sample(free, min(level.lava, len(free))))
    names = {room: f"{random.choice(_MOODS)} {random.choice(_KINDS)}" for room in rooms}
    return World(level, names, tree | _loops(rooms, tree, doors, lava, random), doors, keys, lava, start, goal)


def solve(world: World) -> list[str]:
    """Find the shortest way to win, as commands; breadth first over rooms and keys."""
    first = (world.start, frozenset[str]())
    came: dict[tuple[Room, frozenset[str]], list[str]] = {first: []}
    waiting = deque([first])
    while waiting:
        room, keys = state = waiting.popleft()
        if room == world.goal:
            return came[state]
        found = [("take", (room, keys | {world.keys[room]}))] if room in world.keys else []
        for direction, other in world.exits(room).items():
            door = world.doors.get(frozenset((room, other)))
            if other not in world.lava and (door is None or door in keys):
                found.append((f"go {direction}", (other, keys)))
        for command, after in found:
            if after not in came:
                came[after] = [*came[state], command]
                waiting.append(after)
    raise ValueError("this world cannot be won")


def _maze(rooms: list[Room], random: Random) -> frozenset[Passage]:
    """Join all rooms by a random tree: walk until there is nowhere to go, then go back."""
    found: set[Passage] = set()
    walked = [random.choice(rooms)]
    seen = set(walked)
    while walked:
        beside = [neighbour(walked[-1], direction) for direction in DIRECTIONS]
        if new := [room for room in beside if room in rooms and room not in seen]:
            room = random.choice(new)
            found.add(frozenset((walked[-1], room)))
            seen.add(room)
            walked.append(room)
        else:
            walked.pop()
    return frozenset(found)


def _ways(start: Room, passages: Iterable[Passage]) -> dict[Room, list[Room]]:
    """Find a shortest way from the start to each room that can be reached."""
    joined = set(passages)
    ways = {start: [start]}
    waiting = deque([start])
    while waiting:
        room = waiting.popleft()
        for direction in DIRECTIONS:
            other = neighbour(room, direction)
            if frozenset((room, other)) in joined and other not in ways:
                ways[other] = [*ways[room], other]
                waiting.append(other)
    return ways


def _loops(
    rooms: list[Room], tree: frozenset[Passage], doors: Iterable[Passage], lava: frozenset[Room], random: Random
) -> frozenset[Passage]:
    """Join some more rooms, but never around a door, nor to lava."""
    undoored = tree - set(doors)
    found = set()
    for room in rooms:
        for other in (neighbour(room, "east"), neighbour(room, "south")):
            if other in rooms and not {room, other} & lava and random.random() < 0.2 and other in _ways(room, undoored):
                found.add(frozenset((room, other)))
    return frozenset(found)
