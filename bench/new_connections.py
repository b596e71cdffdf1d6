"""How many pushes of 10 samples a second, if each comes over a connection of its own, as those of batch jobs do?

Closed loop (wrk with `Connection: close`), one group stored; rounds alternate.

    python bench/new_connections.py [smoke|quick|full]
"""

from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from closed_loop import Load
from contest import ALL, BARE, CHECKED, OURS, columns, compare, raw, rows, servers
from lab import Lab
from question import Findings, Plot, Question, Size

WANTED = {CHECKED: 2.5}


class Plan(NamedTuple):
    """How much of it."""

    seconds: float
    rounds: int
    names: tuple[str, ...] = ALL


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare all."""
    with ExitStack() as running:
        load = Load(new_connections=True)
        contest = {name: (server, load) for name, server in servers(lab, running, 1, plan.names).items()}
        found = compare(lab, contest, plan.seconds, plan.rounds)
    bars = {name: median(each.rate for each in measured) for name, measured in found.items()}
    plot = Plot("", "pushes a second, a new connection each", bars=bars)
    return Findings(columns("pushes"), rows(found, WANTED), plot, raw(found))


QUESTION = Question(
    "new_connections",
    "Pushes of 10 samples a second, a new connection each",
    {Size.SMOKE: Plan(1, 1, (OURS, BARE)), Size.QUICK: Plan(3, 3), Size.FULL: Plan(8, 5)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
