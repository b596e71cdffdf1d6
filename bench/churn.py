"""Does a worker's memory stay flat while label values come that have never been there?

For minutes, at saturation, wrk pushes ten samples at a time into one group, each with a label value of its own; what a
worker remembers of series is bounded, so its memory has to stop growing. Wanted: after the first half, in which the
caches fill, no worker grows by more than 5 %.

    python bench/churn.py [smoke|quick|full]
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from closed_loop import Load, Measured, saturate
from lab import Lab, Server
from processes import resident
from question import Curve, Findings, Plot, Question, Size

MEGABYTE = 1 << 20
WANTED_PERCENT = 5
COLUMNS = (
    "seconds",
    "pushes so far, about",
    "workers, MB",
    "Redis, MB",
    "growth in the second half: measured",
    "wanted",
)
ROWS = 10


class Plan(NamedTuple):
    """How much of it."""

    seconds: float
    looks: int
    """How often memory is looked at."""


class Look(NamedTuple):
    """Memory at a moment."""

    seconds: float
    workers: list[int]
    redis: int


def measure(lab: Lab, plan: Plan) -> Findings:
    """Push and look."""
    with lab.pgw() as server, ThreadPoolExecutor(1) as pool:
        pushing = pool.submit(saturate, lab, server, Load(fresh=True), plan.seconds)
        looks = list(watch(server, plan))
        pushed = pushing.result()
    step = max(1, len(looks) // ROWS)
    rows = [row_of(look, pushed) for look in looks[::-step][::-1]]
    rows[-1] = [*rows[-1][:-2], f"{growth(looks):+.1f} %", f"<= {WANTED_PERCENT} %"]
    curves = [
        Curve(f"worker {number + 1}", [(look.seconds, look.workers[number] / MEGABYTE) for look in looks])
        for number in range(len(looks[0].workers))
    ]
    curves.append(Curve("Redis", [(look.seconds, look.redis / MEGABYTE) for look in looks]))
    plot = Plot("seconds of pushes of ever-new label values", "MB resident", curves)
    return Findings(COLUMNS, rows, plot, {"pushes": pushed._asdict(), "looks": [look._asdict() for look in looks]})


def watch(server: Server, plan: Plan) -> list[Look]:
    """Look at the memory, as often as planned."""
    workers, [redis] = server.fronts(), server.redis()
    begun, looks = time.monotonic(), []
    for number in range(plan.looks):
        time.sleep(max(0.0, begun + (number + 1) * plan.seconds / plan.looks - time.monotonic()))
        looks.append(Look(time.monotonic() - begun, [resident(worker) for worker in workers], resident(redis)))
    return looks


def growth(looks: list[Look]) -> float:
    """By how many percent the worker that grew most has grown since the middle."""
    middle, last = looks[(len(looks) - 1) // 2], looks[-1]
    return max(100 * (after / before - 1) for before, after in zip(middle.workers, last.workers, strict=True))


def row_of(look: Look, pushed: Measured) -> list[str]:
    """One row."""
    workers = ", ".join(f"{each / MEGABYTE:,.1f}" for each in look.workers)
    return [
        f"{look.seconds:,.0f}",
        f"{look.seconds * pushed.rate:,.0f}",
        workers,
        f"{look.redis / MEGABYTE:,.1f}",
        "",
        "",
    ]


QUESTION = Question(
    "churn",
    "Memory of workers while ever-new label values are pushed",
    {Size.SMOKE: Plan(1, 2), Size.QUICK: Plan(60, 60), Size.FULL: Plan(600, 120)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
