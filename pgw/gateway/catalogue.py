"""What a list of all groups needs of each: its name, its times and its size, kept by a worker whose page was opened.

In: a view, once; then each group as it changes.
Out: entries, and sums over them.
Never: holds samples, or the event loop for longer than a slice.

It is made from what the view holds already, so that the first page of 100,000 groups does not wait for Redis.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, ValuesView
from typing import NamedTuple
from urllib.parse import unquote

from pgw.gateway.deadlines import Deadlines
from pgw.gateway.push_times import FAILURE_TIME
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model.group import MICROSECONDS, Fragment, Group
from pgw.view.pieces import Piece
from pgw.view.view import View

SLICE_SECONDS = 0.002
"""How long the event loop is held at once. A push takes a handful of turns of the loop, so some 10 ms more at worst."""
_LINE = 1 << 48
"""What a line counts beside a byte, where both are added up in one number: no group holds so many bytes."""
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
    text: str
    """The labels as `name="value"`, one a line, in lower case: what words are looked for in."""
    expires_at: int = 0
    """When its families expire or, where they have, the rest of it, likewise; 0: never."""

    @property
    def failed(self) -> bool:
        """Whether the last push failed."""
        return self.failed_at > self.pushed_at


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


class Pace:
    """Lets others have the event loop every few milliseconds."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def breathe(self) -> None:
        """Give way, if it is time to."""
        if time.perf_counter() - self._since > SLICE_SECONDS:
            await asyncio.sleep(0)
            self._since = time.perf_counter()


class Catalogue:
    """The entries of all groups."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._families: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._series = self._size = self._failed = self._ever_failed = self._expiring = 0
        self._last_failed: Entry | None = None

    def entries(self) -> ValuesView[Entry]:
        """All entries, in no order."""
        return self._entries.values()

    def holds(self, name: str) -> bool:
        """Whether there is such a group."""
        return name in self._entries

    def sums(self) -> Sums:
        """What they come to."""
        if self._last_failed is None and self._ever_failed:
            self._last_failed = max(self._entries.values(), key=lambda entry: entry.failed_at)
        counts = (len(self._entries), self._series, self._size, self._failed, self._expiring)
        return Sums(*counts, self._last_failed)

    def put(self, name: str, group: Group, expires_at: int = 0) -> None:
        """Note a group as it is now, and when the next of it expires."""
        families = self._shared(tuple(fragment.name for fragment in group.fragments))
        series, size = _lines(group.fragments)
        self._put(Entry(name, group.pushed_at, group.failed_at, families, series, size, _text(name), expires_at))

    def drop(self, name: str) -> None:
        """Forget a group."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._count(entry, -1)

    async def read(self, view: View, deadlines: Deadlines) -> None:
        """Note all groups of a view, which must not change meanwhile, and when they expire."""
        pace = Pace()
        held, failures = await _read_pieces(view.pieces, pace)
        for number, (name, pushed_at, families) in enumerate(view.groups()):
            series, size = divmod(held.get(name, 0), _LINE)
            shared = self._shared(tuple(families))
            failed_at, expires_at = failures.get(name, 0), deadlines.of(name)
            self._put(Entry(name, pushed_at, failed_at, shared, series, size, _text(name), expires_at))
            if number % LOOK == 0:
                await pace.breathe()

    def _put(self, entry: Entry) -> None:
        before = self._entries.get(entry.name)
        if before is not None:
            self._count(before, -1)
        self._entries[entry.name] = entry
        self._count(entry, 1)

    def _count(self, entry: Entry, sign: int) -> None:
        self._series += sign * entry.series
        self._size += sign * entry.size
        self._failed += sign * entry.failed
        self._ever_failed += sign * (entry.failed_at > 0)
        self._expiring += sign * (entry.expires_at > 0)
        last = self._last_failed
        if sign < 0 and last is not None and last.name == entry.name:
            self._last_failed = None
        elif sign > 0 and entry.failed_at and last is not None and entry.failed_at >= last.failed_at:
            self._last_failed = entry

    def _shared(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The families of a group, sorted and without the push times: one tuple for all groups that hold the same."""
        found = self._families.get(names)
        if found is None:
            if len(self._families) > len(self._entries) + LOOK:  # more than there can be in use
                self._families.clear()
            found = tuple(map(sys.intern, sorted(set(names) - PUSH_TIMES)))
            found = self._families.setdefault(found, found)
            self._families[names] = found
        return found


async def _read_pieces(pieces: Iterable[Piece], pace: Pace) -> tuple[dict[str, int], dict[str, int]]:
    """Add up what each group holds, in bytes and, times `_LINE`, in lines; and find when a push to it failed."""
    held: defaultdict[str, int] = defaultdict(int)
    failures: dict[str, int] = {}
    for piece in pieces:
        for (family, name), text in zip(piece.places, piece.texts, strict=True):
            if family not in PUSH_TIMES:
                held[name] += len(text) + text.count(b"\n") * _LINE
            elif family == FAILURE_TIME and name and not text.endswith(b" 0\n"):
                failures[name] = _moment(text)
        await pace.breathe()
    return held, failures


def _lines(fragments: Iterable[Fragment]) -> tuple[int, int]:
    texts = [fragment.text for fragment in fragments if fragment.name not in PUSH_TIMES]
    return sum(text.count(b"\n") for text in texts), sum(map(len, texts))


def _text(name: str) -> str:
    parts = name.split("/")
    if "%" in name:
        parts = [unquote(part) for part in parts]
    return "\n".join(map('{}="{}"'.format, parts[::2], parts[1::2])).lower()


def _moment(text: bytes) -> int:
    """The time that the line of a push time shows, in microseconds."""
    return round(float(text[text.rindex(b" ") :]) * MICROSECONDS)
