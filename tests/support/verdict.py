"""What a load saw while things died: what was acknowledged, and whether any page ever contradicted it.

In: pushes as they were answered, pages as they were scraped.
Out: a Verdict: one line of numbers, and examples of what went wrong.
Never: forgives; what a fault may cost is said by the test, before it happens.

Every push sets all families of its group to one rising number, so that a page tells by itself whether it shows a push
in half (torn), and the ledger whether it shows one that is too old (stale: older than what was acknowledged before the
scrape began; reverted: older than what another page had shown already).
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple

from pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Tell = Callable[["Verdict"], "Verdict"]

EXAMPLES = 5
"""Of each kind of harm; the first ones say most."""
SHARED = "all"
"""The group that all writers set, with all its families; whose number is the newest nobody knows."""
MERGED = "merged"
"""The group in which each writer has a family of its own."""
POSTED, REPLACED = ("a", "b", "c", "d", "e"), ("a", "b", "c")
SAMPLE = re.compile(r'load_(\w+)\{instance="",job="load",writer="(\w+)"\} (\S+)')


class Series(NamedTuple):
    """What rises: the families of a group, or one family of the merged group."""

    group: str
    family: str = ""


@dataclass
class Verdict:
    """How a load went."""

    acknowledged: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """By status."""
    unanswered: int = 0
    """Connections that broke before an answer."""
    unreached: int = 0
    """Connections that were refused: nothing was sent."""
    hung: int = 0
    """Answers that did not come within the client's patience."""
    lost: int = 0
    """Series that show less in the end than what was acknowledged."""
    torn: int = 0
    stale: int = 0
    reverted: int = 0
    invalid: int = 0
    """Pages that are not valid."""
    pages: int = 0
    longest: float = 0.0
    """Seconds that the slowest answer took."""
    curt: int = 0
    """Answers of 503 without Retry-After."""
    examples: list[str] = field(default_factory=list)

    @property
    def harm(self) -> dict[str, int]:
        """What must never happen, where it did."""
        names = ("lost", "torn", "stale", "reverted", "invalid", "hung", "curt")
        return {name: count for name in names if (count := getattr(self, name))}

    def note(self, kind: str, example: str) -> None:
        """Count one more of a kind of harm."""
        setattr(self, kind, getattr(self, kind) + 1)
        if sum(each.startswith(kind) for each in self.examples) < EXAMPLES:
            self.examples.append(f"{kind}: {example}")

    def columns(self) -> dict[str, str]:
        """Names and values for a table."""
        found = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "examples"}
        found["refused"] = " ".join(f"{count}x{status}" for status, count in sorted(self.refused.items())) or 0
        found["longest"] = f"{self.longest:.2f} s"
        return {name: str(value) for name, value in found.items()}

    def __str__(self) -> str:
        line = ", ".join(f"{name} {value}" for name, value in self.columns().items())
        return "\n  ".join([line, *self.examples])


class Ledger:
    """What each series must show at least."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self._acknowledged: dict[Series, int] = {}
        self._shown: dict[Series, int] = {}
        self._amnesty = -math.inf

    @contextmanager
    def amnesty(self) -> Iterator[None]:
        """Data is being thrown away: nothing that began before the end of this is held against anybody."""
        self._amnesty = math.inf
        yield
        self._acknowledged.clear()
        self._shown.clear()
        self._amnesty = time.monotonic()

    def acknowledge(self, series: Series | None, number: int, sent_at: float) -> None:
        """A push was answered well; no series if nobody knows whose number counts."""
        self.verdict.acknowledged += 1
        if series is not None and sent_at > self._amnesty:
            self._acknowledged[series] = max(number, self._acknowledged.get(series, 0))

    def floor(self) -> tuple[float, Mapping[Series, int], Mapping[Series, int]]:
        """What a page that is asked for now must show: the time, what was acknowledged, what was shown before."""
        return time.monotonic(), dict(self._acknowledged), dict(self._shown)

    def judge(self, text: str, floor: tuple[float, Mapping[Series, int], Mapping[Series, int]], who: str) -> None:
        """Look at a page that was asked for when the floor was what it is."""
        self.verdict.pages += 1
        try:
            page = Page(text)
        except (AssertionError, ValueError) as error:
            self.verdict.note("invalid", f"{who}: {error}")
            return
        found = self._read(page, who)
        began, acknowledged, shown = floor
        if began <= self._amnesty:
            return
        for series, number in found.items():
            self._shown[series] = max(number, self._shown.get(series, 0))
        for series in sorted({*acknowledged, *shown}):
            self._compare(series, found.get(series, 0), acknowledged.get(series, 0), shown.get(series, 0), who)

    def audit(self, text: str, who: str) -> None:
        """Look at a page after all pushes were answered, and count what it lacks as lost."""
        found = self._read(Page(text), who)
        for series, number in sorted(self._acknowledged.items()):
            if found.get(series, 0) < number:
                self.verdict.note("lost", f"{who}: {series} shows {found.get(series, 0)}, acknowledged was {number}")

    def _compare(self, series: Series, found: int, acknowledged: int, shown: int, who: str) -> None:
        if found < acknowledged:
            self.verdict.note("stale", f"{who}: {series} shows {found}, acknowledged was {acknowledged}")
        elif found < shown:
            self.verdict.note("reverted", f"{who}: {series} shows {found}, shown was {shown}")

    def _read(self, page: Page, who: str) -> dict[Series, int]:
        """The number of each series; groups that were not pushed like that are torn."""
        groups: dict[str, dict[str, int]] = {}
        for family in page.families:
            for line in family.samples:
                if match := SAMPLE.fullmatch(line):
                    groups.setdefault(match[2], {})[match[1]] = int(float(match[3]))
        merged = groups.pop(MERGED, {})
        for name, values in groups.items():
            number = max(values.values())
            if values != dict.fromkeys(families_of(number), number):
                self.verdict.note("torn", f"{who}: {name} shows {values}")
        numbers = {Series(name): min(values.values()) for name, values in groups.items() if name != SHARED}
        return numbers | {Series(MERGED, name): number for name, number in merged.items()}


def families_of(number: int) -> tuple[str, ...]:
    """The families that a group has after its push of that number: an even one is posted, an odd one replaces."""
    return REPLACED if number % 2 else POSTED


def table(rows: Iterable[tuple[str, Verdict]]) -> list[str]:
    """Verdicts as the lines of a table in Markdown."""
    lines: list[str] = []
    for name, verdict in rows:
        columns = {"fault": name, **verdict.columns()}
        if not lines:
            lines += [_row(columns), _row(["---"] * len(columns))]
        lines.append(_row(columns.values()))
    return lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
