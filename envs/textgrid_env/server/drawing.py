"""The map at `/web`, as far as it has been walked. Pure: worlds in, SVG out."""

from collections.abc import Collection
from html import escape

from .world import DIRECTIONS, Room, World, neighbour

__all__ = ["draw"]

_SIDE, _GAP = 56, 16
_PITCH = _SIDE + _GAP
_COLOURS = {"red": "#e5484d", "blue": "#3e63dd", "green": "#30a46c", "gold": "#d6a100"}


def draw(world: World, room: Room, visited: Collection[Room], keys: Collection[str], text: str) -> str:
    """Draw the rooms that were visited and the passages that lead out of them; below it what the agent reads."""
    parts = [_passage(world, seen, direction, keys) for seen in sorted(visited) for direction in world.exits(seen)]
    parts += [_room(world, seen, keys, is_here=seen == room) for seen in sorted(visited)]
    width, height = world.level.width * _PITCH + _GAP, world.level.height * _PITCH + _GAP
    return (
        "<style>body { font: 15px/1.5 system-ui, sans-serif; margin: 8px 12px } p { margin: .5em 0 }"
        " svg { max-width: 100%; height: auto } line { stroke: #999; stroke-width: 10 }"
        " rect { fill: Canvas; stroke: #999; stroke-width: 2 } rect.here { stroke: #e93d82; stroke-width: 3 }"
        " rect.lava { fill: #e5484d }</style>"
        f"<svg viewBox='0 0 {width} {height}' width='{width}' height='{height}' role='img' aria-label='map'>"
        f"{''.join(parts)}</svg><p>{escape(text)}</p>"
    )


def _middle(room: Room) -> tuple[int, int]:
    return _GAP + room[0] * _PITCH + _SIDE // 2, _GAP + room[1] * _PITCH + _SIDE // 2


def _passage(world: World, room: Room, direction: str, keys: Collection[str]) -> str:
    (x1, y1), (x2, y2) = _middle(room), _middle(neighbour(room, direction))
    door = world.doors.get(frozenset((room, neighbour(room, direction))))
    dx, dy = DIRECTIONS[direction]
    reach = _SIDE // 2 + _GAP  # a passage to a room that was not visited ends at its wall
    line = f"<line x1='{x1}' y1='{y1}' x2='{x1 + dx * reach}' y2='{y1 + dy * reach}'/>"
    if door is None:
        return line
    dash = " stroke-dasharray='3 3'" if door in keys else ""
    x, y = (x1 + x2) // 2, (y1 + y2) // 2
    return f"{line}<circle cx='{x}' cy='{y}' r='7' fill='{_COLOURS[door]}' stroke='#fff'{dash}/>"


def _room(world: World, room: Room, keys: Collection[str], *, is_here: bool) -> str:
    x, y = _middle(room)
    kind = "lava" if room in world.lava else "here" if is_here else ""
    key = world.keys.get(room)
    place = f"x='{x - _SIDE // 2}' y='{y - _SIDE // 2}' width='{_SIDE}' height='{_SIDE}' rx='8'"
    parts = [f"<rect class='{kind}' {place}><title>{escape(world.names[room])}</title></rect>"]
    if key is not None and key not in keys:
        shape = f"M{x - 4} {y - 12}a7 7 0 1 0 0 4h16v6h-4v-6h-4v4h-4v-4z"
        parts.append(f"<path d='{shape}' fill='{_COLOURS[key]}'><title>{key} key</title></path>")
    if room == world.goal:
        parts.append(f"<path d='{_star(x, y - 10)}' fill='#d6a100'><title>trophy</title></path>")
    if is_here:
        parts.append(f"<circle cx='{x}' cy='{y + 13}' r='9' fill='#e93d82'><title>you</title></circle>")
    return "".join(parts)


def _star(x: int, y: int) -> str:
    return f"M{x} {y - 13}l4 9 10 1-8 6 3 10-9-6-9 6 3-10-8-6 10-1z"
