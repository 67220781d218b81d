"""Measure everything in one run, against the peers, and write docs/performance.md and its pictures anew.

    python -m benchmarks.report [--seconds 2] [--peers FOLDER] [--write]

Peers are installed under build/peers, unless FOLDER has them: virtual environments called `openenv` and `rlmesh`.
Without `--write` the measured parts are printed. Takes about five minutes, on a machine that does nothing else.
"""

import argparse
from pathlib import Path

from benchmarks.figures import Figures, measure
from benchmarks.peers import FOLDER, Peers, peers
from benchmarks.tables import charts, parts, rewritten

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


def write(figures: Figures, document: Path) -> None:
    """Write the measured parts of a document anew, and its pictures into `images` beside it."""
    document.write_text(rewritten(document.read_text(), parts(figures)))
    images = document.parent / "images"
    images.mkdir(exist_ok=True)
    for name, drawn in charts(figures).items():
        (images / name).write_text(drawn)


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each cell is measured")
    parser.add_argument("--peers", type=Path, default=FOLDER, metavar="FOLDER")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    parser.add_argument("--idle", type=int, default=4096, help="idle sessions whose memory is measured")
    parser.add_argument("--sessions", type=int, default=10_000, help="sessions that step once a second")
    parser.add_argument("--endure", type=int, default=60, metavar="SECONDS", help="for how long; 0 leaves them out")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its pictures")
    args = parser.parse_args()
    figures = measure(
        Peers() if args.no_peers else peers(args.peers),
        seconds=args.seconds,
        idle=args.idle,
        sessions=args.sessions,
        endure_s=args.endure,
    )
    if args.write:
        write(figures, DOCUMENT)
    else:
        print("\n\n".join(parts(figures)))


if __name__ == "__main__":
    main()
