"""How long does a scrape take, by how much has changed since the last one?

Groups of 10 samples, gzip, the whole answer. Before each scrape nothing, one percent or all of the groups are pushed
again with other values; the time of these pushes is not counted. Our workers catch up with pushes now and then between
scrapes, every five seconds at most, as they do in operation: while all groups are pushed that may take a part of the
scrape's work ahead. The pushgateway runs without its check, which only pushes notice. Rounds alternate.

    python bench/scrape.py [smoke|quick|full]
"""

import sys
from contextlib import ExitStack, closing
from statistics import median
from typing import NamedTuple

from contest import OURS, UNCHECKED, servers
from lab import Lab
from question import Curve, Findings, Plot, Question, Size
from scraper import Scraper
from sender import Sender
from spread import ratios, shown

WANTED = {(10_000, 0.0): 50, (10_000, 0.01): 10, (10_000, 1.0): 2}
COLUMNS = (
    "groups",
    "changed",
    "pgw, ms: median (least..most)",
    "pushgateway, ms",
    "pgw, kB",
    "pushgateway, kB",
    "pushgateway / pgw: measured",
    "wanted",
)
SHARES = (0.0, 0.01, 1.0)
Times = dict[str, list[tuple[float, int]]]


class Plan(NamedTuple):
    """How much of it."""

    groups: tuple[int, ...]
    rounds: int


class Peer(NamedTuple):
    """A server, as somebody sees it who pushes and scrapes."""

    sender: Sender
    scraper: Scraper


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare, one number of groups after the other."""
    found: dict[tuple[int, float], Times] = {}
    for groups in plan.groups:
        with ExitStack() as running:
            peers = {
                name: Peer(
                    running.enter_context(closing(Sender(server.port))),
                    running.enter_context(closing(Scraper(server.port))),
                )
                for name, server in servers(lab, running, groups, (OURS, UNCHECKED)).items()
            }
            require_same(peers, groups)
            for share in SHARES:
                found[groups, share] = compare(peers, groups, share, plan.rounds)
    rows = [row_of(groups, share, times) for (groups, share), times in found.items()]
    raw = [{"groups": groups, "share": share, **times} for (groups, share), times in found.items()]
    return Findings(COLUMNS, rows, plot_of(found), raw)


def require_same(peers: dict[str, Peer], groups: int) -> None:
    """See that both show all that was pushed; it is the first scrape, which is not counted."""
    for name, peer in peers.items():
        series = peer.scraper.series()
        if series != 10 * groups:
            sys.exit(f"{name} shows {series} series of {10 * groups}")


def compare(peers: dict[str, Peer], groups: int, share: float, rounds: int) -> Times:
    """All rounds of one share."""
    times: Times = {name: [] for name in peers}
    for number in range(rounds):
        for name, peer in peers.items():
            changed = round(groups * share)
            step = max(1, groups // changed) if changed else 1
            peer.scraper.scrape()  # so that it is "since the last one"
            peer.sender.push(range(0, changed * step, step), variant=number % 8 + 1)
            times[name].append(peer.scraper.scrape())
    return times


def row_of(groups: int, share: float, times: Times) -> list[str]:
    """One row."""
    (ours, mine), (theirs, other) = (zip(*times[name], strict=True) for name in (OURS, UNCHECKED))
    wanted = WANTED.get((groups, share))
    return [
        f"{groups:,}",
        f"{share:.0%}",
        shown([1000 * each for each in ours]),
        shown([1000 * each for each in theirs]),
        f"{median(mine) / 1000:,.0f}",
        f"{median(other) / 1000:,.0f}",
        shown(ratios(theirs, ours)),
        "" if wanted is None else f">= {wanted}",
    ]


def plot_of(found: dict[tuple[int, float], Times]) -> Plot:
    """Times against series, a curve for each share."""
    curves = [
        Curve(
            f"{name}, {share:.0%} changed",
            [
                (10 * groups, 1000 * median(seconds for seconds, _ in times[name]))
                for (groups, each), times in found.items()
                if each == share
            ],
        )
        for name in (OURS, UNCHECKED)
        for share in SHARES
    ]
    return Plot("series", "milliseconds of a scrape", curves, log_x=True, log_y=True)


QUESTION = Question(
    "scrape",
    "Time of a scrape with gzip, by groups and by the share changed since the last",
    {
        Size.SMOKE: Plan((20,), 1),
        Size.QUICK: Plan((1_000, 10_000), 3),
        Size.FULL: Plan((100, 1_000, 10_000), 9),
    },
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
