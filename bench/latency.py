"""How long does a push of 10 samples take, at a constant rate of arrival?

Open loop (bench/open_loop.py): latency counts from the moment at which a push should have been sent. First the rate at
which each server is saturated is found (wrk), then each gets shares of its own; and ours once more what the pushgateway
gets at its highest share. One group stored; rounds alternate. The generator runs on the same processors.

    python bench/latency.py [smoke|quick|full]
"""

from contextlib import ExitStack
from typing import NamedTuple

from closed_loop import Load, at_its_best, saturate
from contest import BARE, CHECKED, OURS, UNCHECKED, servers
from lab import Lab, Server
from open_loop import latencies, pushes
from question import Curve, Findings, Plot, Question, Size
from spread import shown

NAMES = (OURS, CHECKED, UNCHECKED, BARE)
PERCENTILES = (50, 99, 99.9)
COLUMNS = ("server", "of its saturation", "pushes/s", *(f"p{each:g}, ms: median (least..most)" for each in PERCENTILES))


class Plan(NamedTuple):
    """How much of it."""

    shares: tuple[float, ...]
    seconds: float
    rounds: int
    names: tuple[str, ...] = NAMES


class Case(NamedTuple):
    """A server and the rate of arrival."""

    name: str
    share: str
    server: Server
    rate: float


def measure(lab: Lab, plan: Plan) -> Findings:
    """Compare all."""
    with ExitStack() as running:
        started = servers(lab, running, 1, plan.names)
        loads = {name: at_its_best(lab, server, Load()) for name, server in started.items()}
        most = {name: saturate(lab, server, loads[name], plan.seconds).rate for name, server in started.items()}
        cases = cases_of(started, most, plan.shares)
        found: list[list[list[float]]] = [[] for _ in cases]
        for _ in range(plan.rounds):
            for case, rounds in zip(cases, found, strict=True):
                rounds.append(sorted(latencies(case.server.port, pushes(), case.rate, plan.seconds)))
    rows = [row_of(case, rounds) for case, rounds in zip(cases, found, strict=True)]
    curves = [
        Curve(f"{case.name}, {case.rate:,.0f}/s ({case.share})", curve_of(rounds))
        for case, rounds in zip(cases, found, strict=True)
    ]
    highest = [
        curve
        for curve, case in zip(curves, cases, strict=True)
        if case.share == cases[-1].share or case.rate == cases[-1].rate
    ]
    plot = Plot("one push in ... takes longer", "milliseconds", highest or curves, log_x=True, log_y=True)
    raw = [
        {"server": case.name, "share": case.share, "rate": case.rate, "rounds": [figures_of(each) for each in rounds]}
        for case, rounds in zip(cases, found, strict=True)
    ]
    return Findings(
        COLUMNS, rows, plot, {"saturation": most, "cases": raw, "curves": [each._asdict() for each in curves]}
    )


def cases_of(started: dict[str, Server], most: dict[str, float], shares: tuple[float, ...]) -> list[Case]:
    """What to measure: all servers at each share, then ours at the rate that the pushgateway had at the last one."""
    cases = [
        Case(name, f"{share:.0%}", server, most[name] * share) for share in shares for name, server in started.items()
    ]
    rate = most[CHECKED] * shares[-1]
    return [*cases, Case(OURS, f"as {CHECKED} at {shares[-1]:.0%}", started[OURS], rate)]


def row_of(case: Case, rounds: list[list[float]]) -> list[str]:
    """One row; a percentile is taken in each round."""
    found = [shown([1000 * percentile(each, percent) for each in rounds]) for percent in PERCENTILES]
    return [case.name, case.share, f"{case.rate:,.0f}", *found]


def percentile(ordered: list[float], percent: float) -> float:
    """The value that so many percent do not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def figures_of(ordered: list[float]) -> dict[str, float]:
    """What is kept of a round, in milliseconds."""
    found = {f"p{each:g}": 1000 * percentile(ordered, each) for each in (*PERCENTILES, 10, 90)}
    return {"pushes": len(ordered), "most": 1000 * ordered[-1], **found}


def curve_of(rounds: list[list[float]]) -> list[tuple[float, float]]:
    """The distribution over all rounds: one push in x takes longer than y milliseconds."""
    ordered = sorted(latency for each in rounds for latency in each)
    steps = [10 ** (step / 8) for step in range(1, 40)]
    return [(one_in, 1000 * percentile(ordered, 100 - 100 / one_in)) for one_in in steps if one_in <= len(ordered) / 2]


QUESTION = Question(
    "latency",
    "Latency of a push of 10 samples at a constant rate of arrival",
    {
        Size.SMOKE: Plan((0.25,), 0.3, 1, (OURS, CHECKED)),
        Size.QUICK: Plan((0.25, 0.5, 0.75), 3, 3),
        Size.FULL: Plan((0.25, 0.5, 0.75), 10, 5),
    },
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
