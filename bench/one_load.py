"""All servers under one load: what large_pushes and new_connections have in common.

In: the load, how many groups each server holds before it, and what is wanted.
Out: a row and a bar for each server.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from closed_loop import Load
from contest import ALL, OURS, columns, compare, raw, rows, servers, suited
from lab import Lab
from question import Findings, Plot, Size


class Plan(NamedTuple):
    """How much of it."""

    seconds: float
    rounds: int
    names: tuple[str, ...] = ALL


class OneLoad(NamedTuple):
    """A comparison."""

    load: Load
    stored: int
    """Groups."""
    wanted: Mapping[str, float]
    """Our rate, by theirs."""
    unit: str
    """What is counted."""
    each: int
    """Units in a push."""
    title: str
    """Of the plot's axis."""

    def measure(self, lab: Lab, plan: Plan) -> Findings:
        """Compare all."""
        with ExitStack() as running:
            contest = suited(lab, servers(lab, running, self.stored, plan.names), self.load, plan.rounds)
            found = compare(lab, contest, plan.seconds, plan.rounds)
        bars = {name: median(each.rate for each in measured) * self.each for name, measured in found.items()}
        plot = Plot("", self.title, bars=bars)
        return Findings(columns(self.unit), rows(found, self.wanted, self.each), plot, raw(found))


def sizes(beside: str) -> dict[Size, Plan]:
    """How much of it; the smallest has only one beside ours."""
    return {Size.SMOKE: Plan(1, 1, (OURS, beside)), Size.QUICK: Plan(3, 3), Size.FULL: Plan(8, 5)}
