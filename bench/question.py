"""What a question of the bench is, and how a file of it is run.

In: a question and the size of the run: smoke (seconds, for the tests), quick (minutes) or full.
Out: a markdown table on stdout; the table, what to plot, the figures of all rounds and the commands as JSON.
"""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from lab import Lab
from machine import commit, versions

Plan = TypeVar("Plan")


class Size(StrEnum):
    """How long a run may take."""

    SMOKE = "smoke"
    QUICK = "quick"
    FULL = "full"


class Curve(NamedTuple):
    """A line of a plot."""

    label: str
    points: Sequence[tuple[float, float]]


class Plot(NamedTuple):
    """A plot of lines, or of bars where x is the names of the bars."""

    x: str
    y: str
    curves: Sequence[Curve] = ()
    bars: Mapping[str, float] = {}
    log_x: bool = False
    log_y: bool = False


class Findings(NamedTuple):
    """The answer."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    plot: Plot
    raw: Any
    """The figures of all rounds, as they were measured."""


@dataclasses.dataclass(frozen=True)
class Question(Generic[Plan]):
    """One question: a file of the bench."""

    name: str
    title: str
    plans: Mapping[Size, Plan]
    measure: Callable[[Lab, Plan], Findings]

    def run(self) -> None:
        """Answer it as the command line says."""
        parser = argparse.ArgumentParser(description=self.title)
        parser.add_argument("size", nargs="?", type=Size, choices=list(Size), default=Size.QUICK)
        parser.add_argument("--json", type=Path, help="where to keep the figures")
        arguments = parser.parse_args()
        lab, begun = Lab(), time.time()
        findings = self.measure(lab, self.plans[arguments.size])
        print(table(findings.columns, findings.rows), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(self._report(arguments.size, findings, lab, begun), indent=1) + "\n")

    def _report(self, size: Size, findings: Findings, lab: Lab, begun: float) -> dict[str, Any]:
        plot = findings.plot._asdict() | {"curves": [curve._asdict() for curve in findings.plot.curves]}
        return {
            "name": self.name,
            "title": self.title,
            "size": size,
            "plan": repr(self.plans[size]),
            "command": f"python bench/{Path(sys.argv[0]).name} {size}",
            "commit": commit(),
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(begun)),
            "seconds": round(time.time() - begun),
            "versions": versions(),
            "columns": findings.columns,
            "rows": findings.rows,
            "commands": list(lab.commands),
            "plot": plot,
            "raw": findings.raw,
        }


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
