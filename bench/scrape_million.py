"""How long does a scrape of a million series take of which 1 % have changed, and how long do pushes wait because of it?

Groups of 10 samples, gzip, two workers. Meanwhile a hundred pushes a second go to ours in an open loop over 64
connections, so that all workers get some; the longest of them stands beside the longest of as many seconds without a
scrape. The pushgateway runs without its check, and is sent no pushes meanwhile: with a million series it could not take
them. Rounds alternate.

    python bench/scrape_million.py [smoke|quick|full]
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from statistics import median
from typing import NamedTuple

from contest import OURS, UNCHECKED, servers
from lab import ROOT, Lab, Server
from question import Findings, Plot, Question, Size
from scraper import Scraper
from sender import Sender
from spread import ratios, shown

SHARE = 0.01
WANTED_RATIO, WANTED_MS = 10, 50
PUSHES_A_SECOND = 100
LEAD_SECONDS = 0.5
"""For the program that pushes to begin."""
COLUMNS = ("series", "what", "pgw: median (least..most)", "pushgateway", "measured", "wanted")


class Plan(NamedTuple):
    """How much of it."""

    groups: int
    rounds: int
    seconds: float
    """Of pushes, which a scrape comes into; and of pushes without."""


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare both."""
    times: dict[str, list[float]] = {OURS: [], UNCHECKED: []}
    idle: list[float] = []
    busy: list[float] = []
    with ExitStack() as running:
        started = servers(lab, running, plan.groups, (OURS, UNCHECKED))
        for server in started.values():  # the first scrape of each is not counted
            with closing(Scraper(server.port)) as scraper:
                if scraper.series() != 10 * plan.groups:
                    sys.exit(f"not all of {10 * plan.groups} series are shown")
        for number in range(plan.rounds):
            idle.append(longest_push(started[OURS], plan.seconds))
            for name, server in started.items():
                change(server, plan, number)
                with (
                    pushing(server if name == OURS else None, plan.seconds, busy),
                    closing(Scraper(server.port)) as page,
                ):
                    times[name].append(page.scrape()[0])
    ours, theirs = times[OURS], times[UNCHECKED]
    series = f"{10 * plan.groups:,}"
    compared = shown(ratios(theirs, ours))
    rows = [
        [series, "scrape, ms", in_ms(ours), in_ms(theirs), f"{compared} x faster", f">= {WANTED_RATIO}"],
        [series, "longest push without a scrape, ms", in_ms(idle), "", "", ""],
        [
            series,
            "longest push during scrapes, ms",
            in_ms(busy),
            "",
            f"{1000 * max(busy):,.1f} ms",
            f"<= {WANTED_MS} ms",
        ],
    ]
    bars = {name: 1000 * median(each) for name, each in times.items()}
    plot = Plot("", f"milliseconds of a scrape of {series} series, 1 % changed", bars=bars, log_y=True)
    raw = {"seconds": times, "longest push idle": idle, "longest push busy": busy}
    return Findings(COLUMNS, rows, plot, raw)


def change(server: Server, plan: Plan, number: int) -> None:
    """Push one group in a hundred again with other values."""
    with closing(Sender(server.port)) as sender:
        sender.push(range(0, plan.groups, round(1 / SHARE)), variant=number % 8 + 1)


def longest_push(server: Server, seconds: float) -> float:
    """Seconds of the longest push while nothing else goes on."""
    longest: list[float] = []
    with pushing(server, seconds, longest):
        pass
    return longest[0]


@contextmanager
def pushing(server: Server | None, seconds: float, longest: list[float]) -> Iterator[None]:
    """Push for so long, and add the seconds of the longest push; what is done meanwhile begins a little later."""
    if server is None:
        yield
        return
    words = [sys.executable, str(ROOT / "bench" / "open_loop.py"), str(server.port), str(PUSHES_A_SECOND), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        time.sleep(LEAD_SECONDS)
        yield
        output, _ = process.communicate()
    if process.returncode:
        sys.exit("the pushes besides failed")
    longest.append(max(json.loads(output)))


def in_ms(seconds: list[float]) -> str:
    """Seconds as milliseconds."""
    return shown([1000 * each for each in seconds])


QUESTION = Question(
    "scrape_million",
    "A scrape of a million series, 1 % changed, and the longest push meanwhile",
    {Size.SMOKE: Plan(100, 1, 0.1), Size.QUICK: Plan(10_000, 3, 3), Size.FULL: Plan(100_000, 5, 8)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
