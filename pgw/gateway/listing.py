"""A page of the list of groups: which are wanted, in which order, and where the page begins.

In: the entries of a catalogue, a Query.
Out: the entries of one page and how many there are in all.
Never: holds the event loop for longer than a slice, however many groups there are.

A word is looked for in label names, label values and family names, in any case; all words have to be found. A selector
is Prometheus' own, on the labels of the grouping key; `__name__` stands for the families of the group, and their
`_bucket`, `_sum` and `_count`.
"""

import asyncio
import enum
import heapq
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

from pgw.gateway.catalogue import LOOK, Entry, Pace
from pgw.model.group import MICROSECONDS
from pgw.model.selector import NAME_LABEL, Matcher, Operator, Selector

PAGE_GROUPS = 50
"""Groups on a page: what a person looks over, and some 60 KB."""
RUN = 1_000
"""Entries sorted at once, below a millisecond; the runs are merged as far as the page needs them."""

_SELECTOR = re.compile(r"\s*(?:[a-zA-Z_:][a-zA-Z0-9_:]*\s*)?\{")
_SUFFIXES = ("", "_bucket", "_sum", "_count")


class Only(enum.StrEnum):
    """Which groups are wanted."""

    ALL = "all"
    FAILED = "failed"
    STALE = "stale"
    EXPIRING = "expiring"


class Order(enum.StrEnum):
    """What the list is sorted by, each from the end that is asked for first."""

    NAME = "name"
    AGE = "age"
    EXPIRY = "expiry"
    SERIES = "series"
    SIZE = "size"


class Query(NamedTuple):
    """What is asked for."""

    words: tuple[str, ...] = ()
    """In lower case."""
    selector: Selector | None = None
    only: Only = Only.ALL
    stale_after: float = 0.0
    """Seconds since the last push after which a group is stale."""
    order: Order = Order.NAME
    reverse: bool = False
    page: int = 1

    @classmethod
    def read(cls, text: str) -> "Query":
        """Read what was typed into the search box: a selector, or words.

        Raises:
            SelectorError: it begins like a selector and is none.
        """
        if _SELECTOR.match(text):
            return cls(selector=Selector.read(text.strip()))
        return cls(words=tuple(text.lower().split()))


class Listing(NamedTuple):
    """One page of the list."""

    entries: Sequence[Entry]
    found: int
    """How many groups are wanted in all."""
    page: int
    pages: int


_Wants = Callable[[Entry], bool]
_ORDERS: dict[Order, Callable[[Entry], Any]] = {
    Order.NAME: lambda entry: entry.name,
    Order.AGE: lambda entry: (-entry.pushed_at, entry.name),
    Order.EXPIRY: lambda entry: (not entry.expires_at, entry.expires_at, entry.name),
    Order.SERIES: lambda entry: (-entry.series, entry.name),
    Order.SIZE: lambda entry: (-entry.size, entry.name),
}


async def listed(entries: Iterable[Entry], query: Query, now: float) -> Listing:
    """Find the page of a query.

    Args:
        entries: all there are.
        query: what is asked for; a page beyond the last one means that.
        now: unix time in seconds.
    """
    key, pace = _ORDERS[query.order], Pace()
    runs, found = await _sorted_runs(list(entries), _wanted(query, now), key, pace, reverse=query.reverse)
    pages = max(1, -(-found // PAGE_GROUPS))
    page = min(max(query.page, 1), pages)
    merged = heapq.merge(*runs, key=key, reverse=query.reverse)
    before = (page - 1) * PAGE_GROUPS
    while before:
        skipped = min(before, LOOK)
        before -= sum(1 for _ in islice(merged, skipped))
        await pace.breathe()
    return Listing(list(islice(merged, PAGE_GROUPS)), found, page, pages)


async def _sorted_runs(
    entries: Sequence[Entry], wanted: _Wants, key: Callable[[Entry], Any], pace: Pace, *, reverse: bool
) -> tuple[list[list[Entry]], int]:
    runs: list[list[Entry]] = []
    run: list[Entry] = []
    for start in range(0, len(entries), LOOK):
        run += filter(wanted, entries[start : start + LOOK])
        if len(run) >= RUN:
            runs.append(sorted(run, key=key, reverse=reverse))
            run = []
        await pace.breathe()
    runs.append(sorted(run, key=key, reverse=reverse))
    await asyncio.sleep(0)
    return runs, sum(map(len, runs))


def _wanted(query: Query, now: float) -> _Wants:
    tests: list[_Wants] = []
    if query.only is Only.FAILED:
        tests.append(lambda entry: entry.failed_at > entry.pushed_at)
    if query.only is Only.STALE:
        oldest = int((now - query.stale_after) * MICROSECONDS)
        tests.append(lambda entry: entry.pushed_at < oldest)
    if query.only is Only.EXPIRING:
        tests.append(lambda entry: entry.expires_at > 0)
    tests += map(_has_word, query.words)
    if query.selector is not None:
        tests.append(_is_selected(query.selector))
    match tests:
        case []:
            return lambda _entry: True
        case [test]:
            return test
        case _:
            return lambda entry: all(test(entry) for test in tests)


def _has_word(word: str) -> _Wants:
    known: dict[tuple[str, ...], bool] = {}

    def has_family(families: tuple[str, ...]) -> bool:
        found = known.get(families)
        if found is None:
            found = known[families] = any(word in family.lower() for family in families)
        return found

    return lambda entry: word in entry.text or has_family(entry.families)


def _is_selected(selector: Selector) -> _Wants:
    names = Selector(tuple(each for each in selector.matchers if each.name == NAME_LABEL))
    labels = [(each.name, each.accepts) for each in _quick_first(selector.matchers) if each.name != NAME_LABEL]
    known: dict[tuple[str, ...], bool] = {}

    def has_family(families: tuple[str, ...]) -> bool:
        found = known.get(families)
        if found is None:
            found = known[families] = any(
                names.selects({NAME_LABEL: family + suffix}) for family in families for suffix in _SUFFIXES
            )
        return found

    def has_labels(entry: Entry) -> bool:
        found = labels_of(entry.name)
        for name, accepts in labels:  # noqa: SIM110  twice as fast as a generator in all(), and there are many
            if not accepts(found.get(name, "")):
                return False
        return True

    if not names.matchers:
        return has_labels
    return lambda entry: has_family(entry.families) and has_labels(entry)


def _quick_first(matchers: Iterable[Matcher]) -> list[Matcher]:
    """Comparisons before patterns, so that few values are held against a pattern."""
    return sorted(matchers, key=lambda each: each.operator in (Operator.MATCH, Operator.NOT_MATCH))


def labels_of(name: str) -> dict[str, str]:
    """The labels that the name of a group is made of, job first."""
    parts = name.split("/")
    if "%" in name:
        parts = [unquote(part, errors="surrogateescape") for part in parts]
    return dict(zip(parts[::2], parts[1::2], strict=True))
