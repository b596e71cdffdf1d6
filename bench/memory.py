"""How much memory do 100,000 series take? Redis and one worker's view, beside the pushgateway.

Groups of 10 samples; resident memory after a scrape, for the pushgateway too, which holds less before its first. Of
our worker counts what it has grown by since it was ready, which is its view and its caches; the whole of it stands
beside that. Each round starts new servers.

    python bench/memory.py [smoke|quick|full]
"""

from contextlib import closing
from statistics import median
from typing import NamedTuple

from lab import Lab, fill
from processes import resident
from question import Findings, Plot, Question, Size
from scraper import Scraper
from spread import ratios, shown

MEGABYTE = 1 << 20
WANTED = 0.75
COLUMNS = (
    "series",
    "what",
    "MB: median (least..most)",
    "bytes a series",
    "share of the pushgateway: measured",
    "wanted",
)
REDIS, VIEW, WORKER, BOTH, WHOLE, THEIRS = (
    "Redis",
    "view of a worker",
    "a whole worker",
    "Redis and view",
    "Redis and a whole worker",
    "pushgateway",
)


class Plan(NamedTuple):
    """How much of it."""

    groups: int
    rounds: int


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare both."""
    found: dict[str, list[float]] = {name: [] for name in (REDIS, VIEW, WORKER, BOTH, WHOLE, THEIRS)}
    for _ in range(plan.rounds):
        figures = ours(lab, plan.groups) | theirs(lab, plan.groups)
        for name, value in figures.items():
            found[name].append(value)
    rows = [row_of(name, found, plan.groups) for name in found]
    bars = {name: median(found[name]) / MEGABYTE for name in (REDIS, VIEW, BOTH, WHOLE, THEIRS)}
    return Findings(COLUMNS, rows, Plot("", f"MB for {10 * plan.groups:,} series", bars=bars), found)


def ours(lab: Lab, groups: int) -> dict[str, float]:
    """What our processes hold."""
    with lab.pgw(workers=1) as server:
        [worker], [redis] = server.fronts(), server.redis()
        empty = resident(worker)
        fill(server, groups)
        scrape(server.port)
        view, whole, stored = resident(worker) - empty, resident(worker), resident(redis)
    return {REDIS: stored, VIEW: view, WORKER: whole, BOTH: stored + view, WHOLE: stored + whole}


def theirs(lab: Lab, groups: int) -> dict[str, float]:
    """What the pushgateway holds; filled without its check, which takes no memory."""
    with lab.unchecked_pushgateway(groups) as server:
        scrape(server.port)
        return {THEIRS: resident(server.pid)}


def scrape(port: int) -> None:
    """As Prometheus would."""
    with closing(Scraper(port)) as scraper:
        scraper.scrape()


def row_of(name: str, found: dict[str, list[float]], groups: int) -> list[str]:
    """One row."""
    return [
        f"{10 * groups:,}",
        name,
        shown([each / MEGABYTE for each in found[name]]),
        f"{median(found[name]) / (10 * groups):,.0f}",
        shown(ratios(found[name], found[THEIRS])) if name in (BOTH, WHOLE) else "",
        f"<= {WANTED}" if name == BOTH else "",
    ]


QUESTION = Question(
    "memory",
    "Resident memory for 100,000 series",
    {Size.SMOKE: Plan(50, 1), Size.QUICK: Plan(10_000, 1), Size.FULL: Plan(10_000, 3)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
