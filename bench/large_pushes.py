"""How many samples a second in pushes of 1,000 samples each? The same series with other values, into one group.

Closed loop (wrk, 16 connections that are kept); rounds alternate.

    python bench/large_pushes.py [smoke|quick|full]
"""

from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from closed_loop import Load
from contest import ALL, CHECKED, OURS, UNCHECKED, columns, compare, raw, rows, servers
from lab import Lab
from question import Findings, Plot, Question, Size

SAMPLES = 1_000
WANTED = {CHECKED: 3, UNCHECKED: 1.3}


class Plan(NamedTuple):
    """How much of it."""

    seconds: float
    rounds: int
    names: tuple[str, ...] = ALL


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare all."""
    with ExitStack() as running:
        load = Load(samples=SAMPLES)
        contest = {name: (server, load) for name, server in servers(lab, running, 0, plan.names).items()}
        found = compare(lab, contest, plan.seconds, plan.rounds)
    bars = {name: median(each.rate for each in measured) * SAMPLES for name, measured in found.items()}
    plot = Plot("", "samples a second in pushes of 1,000", bars=bars)
    return Findings(columns("samples"), rows(found, WANTED, SAMPLES), plot, raw(found))


QUESTION = Question(
    "large_pushes",
    "Samples a second in pushes of 1,000 samples, one group",
    {Size.SMOKE: Plan(1, 1, (OURS, UNCHECKED)), Size.QUICK: Plan(3, 3), Size.FULL: Plan(8, 5)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
