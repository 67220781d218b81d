"""All figures of one run, and how they are measured."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import client, memory, start, steps, vectors
from benchmarks.peers import Peers
from openenv.testing.bench import machine

__all__ = ["Figures", "measure"]

_CONNECTIONS = (1, 16, 256, 1024)
_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one run found.

    Attributes:
        machine: What it ran on, as `openenv.testing.bench.machine` says it.
        seconds: How long each cell of a table was measured.
        rates: Steps a second, by the server's name and the number of connections.
        vectors: Steps a second of single environments, by the vector's name.
        clients: Seconds of one step, by the client's name.
        session_bytes: Memory that an idle session takes, by the server's name.
        idle: How many such sessions there were.
        many: How many sessions went that step once a second each; None when that was left out.
        start: What comes before the first step, ours and the peer's.
    """

    machine: Mapping[str, Any]
    seconds: float
    rates: steps.Rates
    vectors: Mapping[str, float]
    clients: Mapping[str, float]
    session_bytes: Mapping[str, float]
    idle: int
    many: memory.Endured | None
    start: Mapping[str, start.Start]


def measure(peers: Peers, *, seconds: float, idle: int, sessions: int, endure_s: int) -> Figures:
    """Measure everything, one after another, and say on stderr what is under way.

    Args:
        peers: Those to measure, too.
        seconds: How long each cell is measured.
        idle: Sessions whose memory is measured.
        sessions: Those that step once a second each.
        endure_s: For how long they do; 0 leaves them out.
    """
    _say("steps a second over sockets")
    rates = steps.measure(_CONNECTIONS, seconds, peers.openenv)
    _say("steps a second of vectors")
    found = vectors.measure(seconds, peers.openenv, peers.rlmesh)
    _say("clients")
    clients = client.measure(seconds, peers.openenv)
    _say("memory")
    session_bytes = memory.measure(idle)
    many = memory.measure_many(sessions, endure_s) if endure_s else None
    _say("starting")
    begun = start.measure(_ROUNDS, peers.openenv)
    return Figures(
        machine=machine(),
        seconds=seconds,
        rates=rates,
        vectors=found,
        clients=clients,
        session_bytes=session_bytes,
        idle=idle,
        many=many,
        start=begun,
    )


def _say(what: str) -> None:
    print(f"measuring {what} ...", file=sys.stderr, flush=True)
