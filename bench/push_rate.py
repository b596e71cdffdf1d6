"""How many pushes of 10 samples a second, by how many groups are stored? Over connections that are kept.

Closed loop (wrk, one thread, for each server as many connections as suit it), so it finds saturation and says nothing
of latency. Rounds of all servers alternate, and ratios are taken within a round. Processor time is that of all
processes that answer requests, and of Redis; the bare Falcon endpoint shows what gunicorn and Falcon leave us.

    python bench/push_rate.py [smoke|quick|full]
"""

from contextlib import ExitStack
from statistics import median
from typing import NamedTuple

from closed_loop import Load
from contest import ALL, BARE, CHECKED, OURS, Rounds, columns, compare, raw, rows, servers, suited
from lab import Lab
from question import Curve, Findings, Plot, Question, Size

HOME = "pgw, 1 group"
"""Our own rate at one group, measured in the same rounds."""
MOST_CHECKED = 10_000
"""Groups up to which the pushgateway is asked; a push takes it most of a second then, and seconds with more."""
WANTED: dict[int, dict[str, float]] = {
    1: {CHECKED: 5, BARE: 0.5},
    1_000: {CHECKED: 150},
    10_000: {HOME: 0.9},
    100_000: {HOME: 0.9},
}


class Plan(NamedTuple):
    """How much of it."""

    stored: tuple[int, ...]
    seconds: float
    rounds: int


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare, one number of stored groups after the other."""
    found: dict[int, Rounds] = {}
    with lab.pgw(1) as home:
        for stored in plan.stored:
            names = [name for name in ALL if name != CHECKED or stored <= MOST_CHECKED]
            with ExitStack() as running:
                contest = suited(lab, servers(lab, running, stored, names), Load(stored), plan.rounds)
                if stored > 1:
                    contest[HOME] = home, contest[OURS][1]._replace(groups=1)
                found[stored] = compare(lab, contest, plan.seconds, plan.rounds)
    table = [[f"{stored:,}", *row] for stored, rounds in found.items() for row in rows(rounds, WANTED.get(stored, {}))]
    return Findings(
        ["groups stored", *columns("pushes")],
        table,
        plot_of(found),
        {stored: raw(rounds) for stored, rounds in found.items()},
    )


def plot_of(found: dict[int, Rounds]) -> Plot:
    """Rates against stored groups."""
    curves = [
        Curve(
            name,
            [
                (stored, median(each.rate for each in rounds[name]))
                for stored, rounds in found.items()
                if name in rounds
            ],
        )
        for name in next(iter(found.values()))
        if name != HOME
    ]
    return Plot("groups stored", "pushes of 10 samples a second", curves, log_x=True, log_y=True)


QUESTION = Question(
    "push_rate",
    "Pushes of 10 samples a second, by groups stored; connections kept",
    {
        Size.SMOKE: Plan((1,), 1, 1),
        Size.QUICK: Plan((1, 1_000, 10_000, 100_000), 3, 3),
        Size.FULL: Plan((1, 1_000, 10_000, 100_000), 8, 5),
    },
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
