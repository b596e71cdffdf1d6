"""A survey of the store: what is in it, all in all, and what stands out.

In: groups, a slice at a time.
Out: a summary, as values and as text.
Never: keeps more than a few groups, and a few numbers for each family.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pgw import __version__
from pgw.cli.console import counted, moment, size, table, timestamp
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.store.base import Feed, Server

SHOWN = 10
"""Rows of each table of what stands out: they are to be read."""


class Outline(NamedTuple):
    """One group without its samples."""

    name: str
    labels: Mapping[str, str]
    families: int
    series: int
    size: int
    """Bytes of all that it holds: names, helps, sample lines, and what these cannot carry. What Redis spends on
    keeping them comes on top."""
    pushed_at: int
    failed_at: int

    @property
    def last_push_successful(self) -> bool:
        """As Group.last_push_successful."""
        return self.failed_at <= self.pushed_at

    @classmethod
    def of(cls, group: Group) -> "Outline":
        """Outline a group."""
        parts = group.fragments
        series, total = sum(map(series_of, parts)), sum(map(size_of, parts))
        labels = dict(group.key.labels)
        return cls(group.key.name, labels, len(parts), series, total, group.pushed_at, group.failed_at)

    def as_json(self) -> dict[str, Any]:
        """The outline for programs."""
        return {
            "group": self.name,
            "labels": self.labels,
            "family_count": self.families,
            "series": self.series,
            "bytes": self.size,
            "last_push": timestamp(self.pushed_at),
            "last_failure": timestamp(self.failed_at),
            "last_push_successful": self.last_push_successful,
        }

    def row(self, now: float) -> tuple[str, ...]:
        """The outline as a row of a table."""
        failed = "" if self.last_push_successful else f"  FAILED {moment(self.failed_at, now)}"
        numbers = (str(self.families), str(self.series), str(self.size))
        return (self.name, *numbers, moment(self.pushed_at, now) + failed)


HEAD = ("GROUP", "FAMILIES", "SERIES", "BYTES", "LAST PUSH")
NUMBERS = (1, 2, 3)


def outline_table(outlines: Iterable[Outline], now: float) -> str:
    """Groups, one a line."""
    return table([HEAD, *(outline.row(now) for outline in outlines)], NUMBERS)


def series_of(fragment: Fragment) -> int:
    """How many series a fragment holds, as Prometheus counts them: one for each line."""
    return fragment.text.count(b"\n")


def size_of(fragment: Fragment) -> int:
    """How many bytes a fragment holds."""
    text_help = fragment.help or ""
    return len(fragment.name) + len(text_help.encode()) + len(fragment.text) + sum(map(len, fragment.details))


class FamilyTotal:
    """One family over all groups."""

    __slots__ = ("groups", "name", "series", "size", "types")

    def __init__(self, name: str) -> None:
        self.name = name
        self.types: set[Type] = set()
        self.groups = 0
        self.series = 0
        self.size = 0

    def add(self, fragment: Fragment) -> None:
        """Take in what one group holds of it."""
        self.types.add(fragment.type)
        self.groups += 1
        self.series += series_of(fragment)
        self.size += size_of(fragment)

    @property
    def words(self) -> str:
        """Its type, or its types where nobody checked."""
        return ",".join(sorted(kind.name.lower() for kind in self.types))

    def as_json(self) -> dict[str, Any]:
        """The family for programs."""
        return {
            "family": self.name,
            "type": self.words,
            "groups": self.groups,
            "series": self.series,
            "bytes": self.size,
        }


class Survey:
    """What was found, group by group."""

    def __init__(self) -> None:
        self.groups = 0
        self.series = 0
        self.size = 0
        self.failed = 0
        self.families: dict[str, FamilyTotal] = {}
        self._largest: list[Outline] = []
        self._oldest: list[Outline] = []
        self._failures: list[Outline] = []

    def add(self, groups: Iterable[Group]) -> None:
        """Take in a slice of groups."""
        outlines = [Outline.of(group) for group in groups]
        for group in groups:
            for fragment in group.fragments:
                self.families.setdefault(fragment.name, FamilyTotal(fragment.name)).add(fragment)
        failed = [outline for outline in outlines if not outline.last_push_successful]
        self.groups += len(outlines)
        self.series += sum(outline.series for outline in outlines)
        self.size += sum(outline.size for outline in outlines)
        self.failed += len(failed)
        pushed = [outline for outline in outlines if outline.pushed_at]
        self._largest = heapq.nlargest(SHOWN, [*self._largest, *outlines], key=lambda outline: outline.size)
        self._oldest = heapq.nsmallest(SHOWN, [*self._oldest, *pushed], key=lambda outline: outline.pushed_at)
        self._failures = heapq.nlargest(SHOWN, [*self._failures, *failed], key=lambda outline: outline.failed_at)

    def as_json(self, feed: Feed, server: Server) -> dict[str, Any]:
        """The summary for programs."""
        return {
            "groups": self.groups,
            "failed_groups": self.failed,
            "families": len(self.families),
            "series": self.series,
            "bytes": self.size,
            "shards": 1,
            "epoch": feed.epoch,
            "version": feed.version,
            "server": server.version,
            "server_used_memory": server.used_memory,
            "pgw": __version__,
            "largest_groups": [outline.as_json() for outline in self._largest],
            "largest_families": [family.as_json() for family in self._largest_families()],
            "oldest_pushes": [outline.as_json() for outline in self._oldest],
            "failed_pushes": [outline.as_json() for outline in self._failures],
        }

    def text(self, feed: Feed, server: Server, now: float) -> str:
        """The summary for people."""
        facts = [
            ("groups", f"{self.groups}" + (f", of {self.failed} the last push failed" if self.failed else "")),
            ("families", str(len(self.families))),
            ("series", str(self.series)),
            ("holds", f"{size(self.size)}; Redis uses {size(server.used_memory)} for all that it keeps"),
            ("changes", f"{feed.version}, in store {feed.epoch or '-'}; {counted(1, 'shard')}"),
            ("versions", f"pgw {__version__}, {server.version}"),
        ]
        parts = [table(facts)]
        if self.groups:
            parts += [f"LARGEST GROUPS\n{outline_table(self._largest, now)}", self._family_table()]
        if self._oldest:
            parts.append(f"OLDEST PUSHES\n{outline_table(self._oldest, now)}")
        if self._failures:
            parts.append(f"FAILED PUSHES\n{outline_table(self._failures, now)}")
        return "\n\n".join(parts)

    def _largest_families(self) -> Sequence[FamilyTotal]:
        return heapq.nlargest(SHOWN, self.families.values(), key=lambda family: family.size)

    def _family_table(self) -> str:
        rows = [
            (family.name, family.words, str(family.groups), str(family.series), str(family.size))
            for family in self._largest_families()
        ]
        return "LARGEST FAMILIES\n" + table([("FAMILY", "TYPE", "GROUPS", "SERIES", "BYTES"), *rows], (2, 3, 4))
