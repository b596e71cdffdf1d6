"""What a list of all groups needs of each, its name, its times and its size; and under which signature it is known.

In: each group as it changes.
Out: entries, and sums over them.
Never: holds samples, or anything that only a search needs.

Every worker keeps one from the start, so that no page has to wait until it is made. So what matters is what an entry
takes, and what it takes to put one: each change to a group pays for it, also where nobody looks.
"""

import sys
from collections.abc import ValuesView
from operator import itemgetter
from typing import Final, NamedTuple

from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model.group import Group

LOOK = 64
"""Entries between two looks at the clock: some 50 µs."""


class Entry(NamedTuple):
    """One group, as a list shows it."""

    name: str
    pushed_at: int
    """The last successful push, in microseconds since 1970; 0: never."""
    failed_at: int
    """The last failed push, likewise."""
    families: tuple[str, ...]
    """Without the push times; groups that hold the same families share one tuple."""
    series: int
    """Sample lines of these families."""
    size: int
    """Bytes of these lines."""
    expires_at: int = 0
    """When its families expire or, where they have, the rest of it, likewise; 0: never."""
    signature: bytes = b""
    """Of all series that it holds, see model/signature.py; empty if it is not known."""

    @property
    def failed(self) -> bool:
        """Whether the last push failed."""
        return self.failed_at > self.pushed_at


Row = tuple[str, int, int, tuple[str, ...], int, int, int, bytes]
"""An entry as it is kept: a plain tuple, because those that hold no other containers are left alone by the garbage
collector from its first look at them on. Of a named tuple it would walk through all, again and again; `gc.freeze`
spares it only those that were never replaced since."""
NAME: Final = 0
PUSHED_AT: Final = 1
FAILED_AT: Final = 2
FAMILIES: Final = 3
SERIES: Final = 4
SIZE: Final = 5
EXPIRES_AT: Final = 6
SIGNATURE: Final = 7


class Sums(NamedTuple):
    """What all groups come to."""

    groups: int = 0
    series: int = 0
    size: int = 0
    failed: int = 0
    expiring: int = 0
    """Those that have a deadline."""
    last_failed: Entry | None = None
    """The group to which a push failed last, of those there are."""


class Catalogue:
    """The entries of all groups."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._failures: dict[str, Row] = {}
        """Those to which a push ever failed."""
        self._families: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._series = self._size = self._failed = self._expiring = 0

    def rows(self) -> ValuesView[Row]:
        """All entries, in no order."""
        return self._rows.values()

    def holds(self, name: str) -> bool:
        """Whether there is such a group."""
        return name in self._rows

    def failed_at(self, name: str) -> int:
        """When a push to a group failed last, in microseconds since 1970; 0: never."""
        return self._rows[name][FAILED_AT]

    def signature(self, name: str) -> bytes:
        """The signature of a group; empty if it is not known, or there is no such group."""
        row = self._rows.get(name)
        return row[SIGNATURE] if row is not None else b""

    def sums(self) -> Sums:
        """What they come to."""
        last = max(self._failures.values(), key=itemgetter(FAILED_AT), default=None)
        counts = (len(self._rows), self._series, self._size, self._failed, self._expiring)
        return Sums(*counts, last and Entry._make(last))

    def put(self, name: str, group: Group, expires_at: int = 0) -> None:
        """Note a group as it is now, and when the next of it expires."""
        before = self._rows.get(name)
        if before is not None:
            name = before[NAME]  # one string for all that is held of a group, not one for each change
            self._count(before, -1)
        families, series, size = [], 0, 0
        for family, _, _, text, _, _, _ in group.fragments:
            if family not in PUSH_TIMES:
                families.append(family)
                series += text.count(b"\n")
                size += len(text)
        held = self._shared(tuple(families))
        row = (name, group.pushed_at, group.failed_at, held, series, size, expires_at, group.signature)
        self._rows[name] = row
        self._count(row, 1)

    def renew(self, name: str, pushed_at: int, failed_at: int, size: int, expires_at: int) -> None:
        """Note a group that holds the same series as before; `size` is that of their lines now."""
        before = self._rows[name]
        name, _, _, families, series, _, _, signature = before
        row = (name, pushed_at, failed_at, families, series, size, expires_at, signature)
        self._rows[name] = row
        self._count(before, -1)
        self._count(row, 1)

    def drop(self, name: str) -> None:
        """Forget a group."""
        row = self._rows.pop(name, None)
        if row is not None:
            self._count(row, -1)

    def _count(self, row: Row, sign: int) -> None:
        name, pushed_at, failed_at, _, series, size, expires_at, _ = row
        self._series += sign * series
        self._size += sign * size
        if expires_at:
            self._expiring += sign
        if failed_at:
            self._failed += sign * (failed_at > pushed_at)
            if sign > 0:
                self._failures[name] = row
            else:
                del self._failures[name]

    def _shared(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The families of a group, sorted: one tuple for all groups that hold the same."""
        found = self._families.get(names)
        if found is None:
            if len(self._families) > len(self._rows) + LOOK:  # more than there can be in use
                self._families.clear()
            found = tuple(map(sys.intern, sorted(names)))
            found = self._families.setdefault(found, found)
            self._families[names] = found
        return found
