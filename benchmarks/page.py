"""The page at /web: how soon it is painted, what it weighs, and whether many open tabs slow down stepping clients.

    python -m benchmarks.page [--rounds 10] [--seconds 3] [--tabs 200]

First paint is that of a fresh browser profile on loopback, with nothing cached, beside the first paint of an empty page
from the same server. A tab is what the page holds: a WebSocket with a session in it, which does nothing, or which steps
and asks for the state every two seconds as a person's does. The stepping rate of other clients with the tabs open is
given as a share of the rate without; rounds alternate, since the machine's mood drifts.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from playwright.sync_api import Browser
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.steps import rate, served, take_cores
from tests.support.browser import running_browser

_SERVER = textwrap.dedent("""
    from starlette.responses import HTMLResponse
    from openenv.server import ServerConfig, create_app, run
    from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation

    app = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(max_sessions=4096, web=True))
    empty = "<!doctype html><title>Empty</title><link rel=icon href='data:,'><p>Empty"
    app.add_route("/empty", lambda request: HTMLResponse(empty))
    run(app, port=0, log_level="error", on_bound=lambda url: print(url, flush=True))
""")
_RESET = '{"type":"reset","data":{}}'
_PLAY = ('{"type":"step","data":{"message":"Hello"}}', '{"type":"state"}')
_PACE_S = 2.0
_CLIENTS = 4
_PAINT = """() => new Promise((done) => new PerformanceObserver((seen) => {
    const paint = seen.getEntriesByName("first-contentful-paint")[0];
    if (paint) done(paint.startTime);
}).observe({type: "paint", buffered: true}))"""
_WEIGHT = """() => Object.fromEntries(performance.getEntries().filter((each) => each.decodedBodySize).map(
    (each) => [new URL(each.name).pathname, each.decodedBodySize]))"""


def first_paint_ms(browser: Browser, url: str) -> float:
    """Open a page in a new profile and give the time from the start of the navigation to its first content."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    painted: float = page.evaluate(_PAINT)
    context.close()
    return painted


def weight_bytes(browser: Browser, url: str) -> dict[str, int]:
    """Say how many bytes a visitor loads before doing anything, by path, uncompressed."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="networkidle")
    weights: dict[str, int] = page.evaluate(_WEIGHT)
    context.close()
    return weights


@contextmanager
def open_tabs(url: str, count: int, *, played: bool) -> Iterator[None]:
    """Hold so many tabs' sessions, in a process of its own so that they do not slow down who measures."""
    spawn = multiprocessing.get_context("spawn")
    opened, over = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=_hold, args=(url, count, played, opened, over))
    holder.start()
    try:
        if not opened.wait(60):
            raise SystemExit("the tabs could not be opened; the output says why")
        yield
    finally:
        over.set()
        holder.join(30)


def _hold(url: str, count: int, played: bool, opened: Event, over: Event) -> None:
    asyncio.run(_hold_tabs(url, count, played, opened, over))


async def _hold_tabs(url: str, count: int, played: bool, opened: Event, over: Event) -> None:
    address = f"ws://{urlsplit(url).netloc}/ws"
    tabs = [await connect(address, compression=None, proxy=None) for _ in range(count)]
    for tab in tabs:
        await _ask(tab, _RESET)
    players = [asyncio.create_task(_play(tab, _PACE_S * place / count)) for place, tab in enumerate(tabs) if played]
    opened.set()
    await asyncio.to_thread(over.wait)
    for player in players:
        player.cancel()
    await asyncio.gather(*players, return_exceptions=True)
    await asyncio.gather(*(tab.close() for tab in tabs))


async def _play(tab: ClientConnection, delay_s: float) -> None:
    """Step as a person does, until cancelled."""
    await asyncio.sleep(delay_s)
    while True:
        for frame in _PLAY:
            await _ask(tab, frame)
        await asyncio.sleep(_PACE_S)


async def _ask(tab: ClientConnection, frame: str) -> None:
    await tab.send(frame)
    await tab.recv()


def stepping(url: str, tabs: int, seconds: float, *, played: bool) -> float:
    """Measure the rate of stepping clients with so many tabs open."""
    with open_tabs(url, tabs, played=played):
        return asyncio.run(rate(url, _CLIENTS, seconds))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--tabs", type=int, default=200)
    args = parser.parse_args()
    core = take_cores()
    with served(_SERVER, core) as url:
        with running_browser() as browser:
            paints = {
                path: statistics.median(first_paint_ms(browser, f"{url}{path}") for _ in range(args.rounds))
                for path in ("/empty", "/web")
            }
            weights = weight_bytes(browser, f"{url}/web")
        rates: dict[str, list[float]] = {"none": [], "idle": [], "played": []}
        for _ in range(max(args.rounds // 2, 1)):
            for kind, found in rates.items():
                tabs = 0 if kind == "none" else args.tabs
                found.append(stepping(url, tabs, args.seconds, played=kind == "played"))
    print(
        f"first paint: {paints['/web']:.0f} ms, of an empty page {paints['/empty']:.0f} ms (medians of {args.rounds})"
    )
    print(f"weight at first sight: {sum(weights.values()) / 1000:.0f} kB uncompressed in {len(weights)} files")
    floor = statistics.median(rates.pop("none"))
    for kind, found in rates.items():
        share = statistics.median(found) / floor
        print(f"{_CLIENTS} stepping clients beside {args.tabs} {kind} tabs: {share:.0%} of {floor:,.0f} steps/s")


if __name__ == "__main__":
    main()
