"""The numbers to hold, and whether a run held them: pure, from figures to lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import client, vectors
from benchmarks.figures import Figures
from benchmarks.servers import FLOOR, PEER, PLAIN, SERVE

__all__ = ["Line", "targets"]

_TIMES_PEER = {1: 5.5, 16: 6.0, 256: 8.0, 1024: 10.0}
_TIMES_PEER_PLAIN = 3.0
_SHARE_OF_FLOOR = 0.5
_TIMES_PEER_BATCHED = 20.0
_SHARE_OF_LOCAL = 0.55
_TIMES_RLMESH = 3.0
_TIMES_BARE = 1.5
_MAX_SESSION_BYTES = 16 * 1024
_MAX_MANY_BYTES = 400 * 10**6
_MAX_HEALTHY_S, _MAX_IMPORT_S, _MAX_HELP_S = 1.0, 0.2, 0.4
_MAX_DISTRIBUTIONS, _MAX_INSTALLED_BYTES = 25, 60 * 10**6


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number to hold: what it is of, its bound and the figure as text, and whether it was held."""

    what: str
    bound: str
    figure: str
    is_held: bool


def targets(figures: Figures) -> list[Line]:
    """Compare every figure that there is with its bound; peers that were left out leave their lines out."""
    return [*_sockets(figures), *_vectors(figures), *_sessions(figures), *_start(figures)]


def _at_least(what: str, ratio: float, bound: float) -> Line:
    return Line(what=what, bound=f">= {bound:g}x", figure=f"{ratio:.1f}x", is_held=ratio >= bound)


def _share(what: str, ratio: float, bound: float) -> Line:
    return Line(what=what, bound=f">= {bound:.0%}", figure=f"{ratio:.0%}", is_held=ratio >= bound)


def _at_most(what: str, figure: float, bound: float, unit: str) -> Line:
    return Line(
        what=what,
        bound=f"<= {bound:g} {unit}".rstrip(),
        figure=f"{figure:.3g} {unit}".rstrip(),
        is_held=figure <= bound,
    )


def _sockets(figures: Figures) -> Iterator[Line]:
    rates = figures.rates
    for server, name in ((SERVE, "`openenv serve`"), (PLAIN, "plain `uvicorn`")):
        for count, peer in rates.get(PEER, {}).items():
            bound = _TIMES_PEER.get(count, min(_TIMES_PEER.values())) if server == SERVE else _TIMES_PEER_PLAIN
            what = f"steps/s of {name} to OpenEnv 0.10.0's, connections: {count}"
            yield _at_least(what, rates[server][count] / peer, bound)
    for count, floor in rates[FLOOR].items():
        what = f"steps/s of `openenv serve` to a bare echo's, connections: {count}"
        yield _share(what, rates[SERVE][count] / floor, _SHARE_OF_FLOOR)


def _vectors(figures: Figures) -> Iterator[Line]:
    found = figures.vectors
    batched = found[vectors.ECHO_VECTOR]
    theirs = [*figures.rates.get(PEER, {}).values(), *(found[name] for name in [vectors.ECHO_PEER] if name in found)]
    if theirs:
        yield _at_least("batched steps/s to the best of OpenEnv 0.10.0", batched / max(theirs), _TIMES_PEER_BATCHED)
    yield _share("batched steps/s to the same objects in process", batched / found[vectors.ECHO_LOCAL], _SHARE_OF_LOCAL)
    alike = {"lanes": vectors.CARTPOLE_REMOTE, "vector": vectors.CARTPOLE_VECTOR}
    for kind, name in vectors.CARTPOLE_RLMESH.items():
        if name in found:
            ratio = found[alike[kind]] / found[name]
            yield _at_least(f"remote CartPole, 256 at once, to RLMesh 0.1.0 (both {kind})", ratio, _TIMES_RLMESH)
    if (name := vectors.CARTPOLE_RLMESH["lanes"]) in found:
        ratio = found[vectors.CARTPOLE_VECTOR] / found[name]
        yield _at_least("remote CartPole, 256 at once, to RLMesh 0.1.0 (our vector, its lanes)", ratio, _TIMES_RLMESH)


def _sessions(figures: Figures) -> Iterator[Line]:
    ratio = figures.clients[client.OURS] / figures.clients[client.BARE]
    yield _at_most("a step of the sync client to a bare round trip", ratio, _TIMES_BARE, "x")
    kib = figures.session_bytes[SERVE] / 1024
    yield _at_most("memory of an idle session, `BLOCKING = False`", kib, _MAX_SESSION_BYTES / 1024, "KiB")
    if (many := figures.many) is not None:
        what = f"memory of a server with {many.sessions:,} sessions that step once a second"
        yield _at_most(what, many.held_bytes / 10**6, _MAX_MANY_BYTES / 10**6, "MB")


def _start(figures: Figures) -> Iterator[Line]:
    ours = figures.start["ours"]
    if ours.healthy_s is not None:
        yield _at_most("`openenv serve` to healthy", ours.healthy_s, _MAX_HEALTHY_S, "s")
    yield _at_most("importing the client and its types", ours.import_s, _MAX_IMPORT_S, "s")
    yield _at_most("`openenv --help`", ours.help_s, _MAX_HELP_S, "s")
    # Our own distribution is not one that it brings.
    yield _at_most("distributions that an installation brings", ours.distributions - 1, _MAX_DISTRIBUTIONS, "")
    yield _at_most("size of an installation", ours.installed_bytes / 10**6, _MAX_INSTALLED_BYTES / 10**6, "MB")
