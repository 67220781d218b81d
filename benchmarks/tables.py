"""From figures to what docs/performance.md shows of them: pure."""

import re
from collections.abc import Iterable, Sequence

from benchmarks import client, vectors
from benchmarks.figures import Figures
from benchmarks.servers import FLOOR, PEER, PLAIN, SERVE
from benchmarks.targets import targets
from openenv.testing.chart import bars

__all__ = ["charts", "parts", "rewritten"]

_MEASURED = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
_SHOWN = {FLOOR: "bare echo", SERVE: "openenv serve", PLAIN: "plain uvicorn", PEER: "OpenEnv 0.10.0"}
"""The servers in the picture, by names short enough for its legend."""


def parts(figures: Figures) -> list[str]:
    """Write the measured parts of the document, in their order."""
    return [_machine(figures), _targets(figures), _sockets(figures), _vectors(figures), _sessions(figures)]


def charts(figures: Figures) -> dict[str, str]:
    """Draw the pictures, by the names of their files."""
    counts = figures.rates[FLOOR]
    shown = {short: figures.rates[name] for name, short in _SHOWN.items() if name in figures.rates}
    sockets = {_connections(count): {short: row[count] for short, row in shown.items()} for count in counts}
    vector = {name: {"steps/s": rate} for name, rate in figures.vectors.items()}
    return {
        "performance-sockets.svg": bars("Echo over sockets, one server core", sockets, unit="steps/s"),
        "performance-vectors.svg": bars("256 environments stepped together", vector, unit="steps/s"),
    }


def rewritten(document: str, measured: Sequence[str]) -> str:
    """Replace the measured parts of the document.

    Raises:
        ValueError: It has more of them, or fewer.
    """
    found = len(_MEASURED.findall(document))
    if found != len(measured):
        raise ValueError(f"the document has {found} measured parts, {len(measured)} were measured; mark one for each")
    left = iter(measured)
    return _MEASURED.sub(lambda match: f"{match[1]}\n{next(left)}\n\n{match[2]}", document)


def _machine(figures: Figures) -> str:
    known = figures.machine
    where = f"{known['processor'] or 'an unnamed processor'}, {known['cores']} cores, {known['system']}"
    return f"{where}, Python {known['python']}; {figures.seconds:g} s a cell."


def _targets(figures: Figures) -> str:
    lines = [(line.what, line.bound, line.figure, "yes" if line.is_held else "**no**") for line in targets(figures)]
    return _table(("what", "bound", "measured", "reached"), lines)


def _sockets(figures: Figures) -> str:
    floor = figures.rates[FLOOR]
    rows = [
        (name, *(f"{rate:,.0f} ({rate / floor[count]:.0%})" for count, rate in row.items()))
        for name, row in figures.rates.items()
    ]
    if peer := figures.rates.get(PEER):
        for name in (SERVE, PLAIN):
            ratios = (f"{rate / peer[count]:.1f}x" for count, rate in figures.rates[name].items())
            rows.append((f"{name}, to OpenEnv 0.10.0", *ratios))
    return _table(("steps/s (share of the bare echo)", *map(_connections, floor)), rows)


def _vectors(figures: Figures) -> str:
    found = figures.vectors
    rows = []
    for name, rate in found.items():
        is_echo = name.startswith("echo")
        alike = vectors.CARTPOLE_VECTOR if name == vectors.CARTPOLE_RLMESH["vector"] else vectors.CARTPOLE_REMOTE
        ours = found[vectors.ECHO_VECTOR if is_echo else alike]
        local = found[vectors.ECHO_LOCAL if is_echo else vectors.CARTPOLE_SYNC]
        rows.append((name, f"{rate:,.0f}", f"{rate / local:.2f}", f"{ours / rate:.2f}"))
    return _table(("256 environments", "steps/s", "to one process", "ours to it"), rows)


def _sessions(figures: Figures) -> str:
    bare = figures.clients[client.BARE]
    clients = [(name, f"{1e6 * took_s:.0f} us", f"{took_s / bare:.2f}") for name, took_s in figures.clients.items()]
    sizes = [(name, f"{size / 1024:.1f} KiB") for name, size in figures.session_bytes.items()]
    begun = [
        (
            name,
            f"{start.import_s:.2f} s",
            f"{start.help_s:.2f} s",
            "-" if start.healthy_s is None else f"{start.healthy_s:.2f} s",
            f"{start.distributions}",
            f"{start.installed_bytes / 10**6:.0f} MB",
        )
        for name, start in figures.start.items()
    ]
    tables = [
        _table(("a step of one session", "time", "to the bare round trip"), clients),
        _table((f"memory of each of {figures.idle:,} idle sessions", "grows by"), sizes),
        _table(("", "import", "`openenv --help`", "serving", "distributions", "installed"), begun),
    ]
    if (many := figures.many) is not None:
        tables.append(
            f"{many.sessions:,} sessions opened in {many.opened_s:.1f} s and stepped once a second each: "
            f"{many.steps:,} steps in {many.stepped_s:.1f} s, none lost. The slowest took {many.slowest_s:.2f} s, the "
            f"slowest of the median session {many.slowest_of_median_session_s:.2f} s; "
            f"{many.held_bytes / 10**6:.0f} MB in all."
        )
    return "\n\n".join(tables)


def _connections(count: int) -> str:
    return f"{count} connection{'' if count == 1 else 's'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
