"""Several servers under the same load, in rounds that alternate, because machines have moods.

In: running servers and what each is sent.
Out: what was measured in each round; rows that compare each with ours, round by round.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from closed_loop import Load, Measured, at_its_best, saturate
from lab import Lab, Server
from processes import busy_share
from spread import ratios, shown

OURS, CHECKED, UNCHECKED = "pgw", "pushgateway", "pushgateway, unchecked"
BARE, VICTORIA = "bare Falcon", "VictoriaMetrics"
ALL = (OURS, CHECKED, UNCHECKED, BARE, VICTORIA)
Rounds = dict[str, list[Measured]]

QUIET_SHARE = 0.1
"""Of all processors: what servers that are not asked anything may use together; they use some percent."""
QUIET_LOOK, QUIET_AT_LAST = 0.2, 20.0
"""Seconds that one look takes, and after which a round begins anyway: to write the file of 100,000 groups anew takes
Redis some seconds."""


def servers(lab: Lab, running: ExitStack, groups: int = 0, names: Sequence[str] = ALL) -> dict[str, Server]:
    """Start servers, each holding so many groups; VictoriaMetrics only where it is installed."""
    started = {name: start(lab, name, groups) for name in names if name != VICTORIA or lab.has("victoria-metrics")}
    return {name: running.enter_context(server) for name, server in started.items()}


def start(lab: Lab, name: str, groups: int) -> AbstractContextManager[Server]:
    """Start one of them."""
    starts: dict[str, Callable[[int], AbstractContextManager[Server]]] = {
        OURS: lab.pgw,
        CHECKED: lab.pushgateway,
        UNCHECKED: lab.unchecked_pushgateway,
        BARE: lab.bare,
        VICTORIA: lab.victoria,
    }
    return starts[name](groups)


Contest = dict[str, tuple[Server, Load]]
"""Running servers, each with what it is sent."""


def suited(lab: Lab, started: Mapping[str, Server], load: Load, rounds: int) -> Contest:
    """Find for each server the number of connections that suits it, unless it is only a trial of one round."""
    if rounds == 1:
        return {name: (server, load) for name, server in started.items()}
    return {name: (server, at_its_best(lab, server, load)) for name, server in started.items()}


def compare(lab: Lab, contest: Contest, seconds: float, rounds: int) -> Rounds:
    """All rounds: name -> what was measured in each."""
    found: Rounds = {name: [] for name in contest}
    for _ in range(rounds):
        for name, (server, load) in contest.items():
            _wait_until_quiet()
            found[name].append(saturate(lab, server, load, seconds))
    return found


def _wait_until_quiet() -> None:
    """Let the servers finish what they do about the rounds before: the collection of garbage, Redis' file written anew.
    It would take the processors of whoever comes next. What of it falls into a round counts there, and nowhere else.
    """
    begun = time.monotonic()
    while busy_share(QUIET_LOOK) > QUIET_SHARE and time.monotonic() - begun < QUIET_AT_LAST:
        pass


COLUMNS = (
    "server",
    "connections",
    "{}/s: median (least..most)",
    "server CPU, µs a push",
    "Redis CPU",
    "pgw / it: measured",
    "wanted",
)


def columns(unit: str) -> list[str]:
    """The head of the table."""
    return [column.format(unit) for column in COLUMNS]


def rows(rounds: Rounds, wanted: Mapping[str, float], unit: int = 1) -> list[list[str]]:
    """A row for each server; a push is so many units."""
    return [row(name, rounds, wanted.get(name), unit) for name in rounds]


def row(name: str, rounds: Rounds, wanted: float | None, unit: int) -> list[str]:
    """One server's row."""
    measured = rounds[name]
    compared = shown(ratios([each.rate for each in rounds[OURS]], [each.rate for each in measured]))
    return [
        name,
        str(measured[0].connections),
        shown([each.rate * unit for each in measured]),
        shown([each.front_us for each in measured]),
        shown([each.redis_us for each in measured]),
        "" if name == OURS else compared,
        "" if wanted is None else f">= {wanted}",
    ]


def raw(rounds: Rounds) -> dict[str, Any]:
    """All figures."""
    return {name: [each._asdict() for each in measured] for name, measured in rounds.items()}
