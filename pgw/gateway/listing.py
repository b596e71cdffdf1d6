"""A page of the list of groups: which are wanted, in which order, and where the page begins.

In: the entries of a catalogue, a Query.
Out: the entries of one page and how many there are in all.
Never: holds the event loop for longer than a slice, however many groups there are.

A word is looked for in label names, label values and family names, in any case; all words have to be found. A selector
is Prometheus' own, on the labels of the grouping key; `__name__` stands for the families of the group, and their
`_bucket`, `_sum` and `_count`.
"""

import enum
import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from pgw.gateway.catalogue import (
    EXPIRES_AT,
    FAILED_AT,
    FAMILIES,
    LOOK,
    NAME,
    PUSHED_AT,
    SERIES,
    SIZE,
    Entry,
    Row,
)
from pgw.gateway.pace import Pace, give_way
from pgw.model.group import MICROSECONDS
from pgw.model.selector import NAME_LABEL, Matcher, Operator, Selector

PAGE_GROUPS = 50
"""Groups on a page: what a person looks over, and some 60 KB."""
RUN = 1_000
"""Entries sorted at once, below a millisecond; the runs are merged as far as the page needs them."""

REMEMBERED = 1_000
"""Values of a label about which a search remembers whether they will do: such labels as `job` have no more."""

_SELECTOR = re.compile(r"\s*(?:[a-zA-Z_:][a-zA-Z0-9_:]*\s*)?\{")
_BETWEEN_PARTS = re.compile(r'[="/]')
"""What stands between label names and values in the text of a group or in its name; none of it is a blank."""
_CHARACTERS = {f"{code:02X}": chr(code) for code in range(128)}
"""What percent-encoding stands for, as far as that is one byte."""
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


_Wants = Callable[[Row], bool]
_ORDERS: dict[Order, Callable[[Row], Any]] = {
    Order.NAME: itemgetter(NAME),
    Order.AGE: lambda row: (-row[PUSHED_AT], row[NAME]),
    Order.EXPIRY: lambda row: (not row[EXPIRES_AT], row[EXPIRES_AT], row[NAME]),
    Order.SERIES: lambda row: (-row[SERIES], row[NAME]),
    Order.SIZE: lambda row: (-row[SIZE], row[NAME]),
}


async def listed(rows: Iterable[Row], query: Query, now: float) -> Listing:
    """Find the page of a query.

    Args:
        rows: all entries there are.
        query: what is asked for; a page beyond the last one means that.
        now: unix time in seconds.
    """
    key, pace = _ORDERS[query.order], Pace()
    runs, found = await _sorted_runs(list(rows), _wanted(query, now), key, pace, reverse=query.reverse)
    pages = max(1, -(-found // PAGE_GROUPS))
    page = min(max(query.page, 1), pages)
    before = (page - 1) * PAGE_GROUPS
    size = min(PAGE_GROUPS, found - before)
    behind = found - before - size
    if before <= behind:
        shown = await _cut(heapq.merge(*runs, key=key, reverse=query.reverse), before, size, pace)
    else:  # from the other end, which is nearer
        merged = heapq.merge(*(run[::-1] for run in runs), key=key, reverse=not query.reverse)
        shown = (await _cut(merged, behind, size, pace))[::-1]
    return Listing(list(map(Entry._make, shown)), found, page, pages)


async def _cut(merged: Iterator[Row], skipped: int, size: int, pace: Pace) -> list[Row]:
    """Take so many entries behind those that are skipped."""
    while skipped:
        some = min(skipped, LOOK)
        skipped -= sum(1 for _ in islice(merged, some))
        await pace.breathe()
    return list(islice(merged, size))


async def _sorted_runs(
    rows: Sequence[Row], wanted: _Wants, key: Callable[[Row], Any], pace: Pace, *, reverse: bool
) -> tuple[list[list[Row]], int]:
    runs: list[list[Row]] = []
    run: list[Row] = []
    for start in range(0, len(rows), LOOK):
        run += filter(wanted, rows[start : start + LOOK])
        if len(run) >= RUN:
            runs.append(sorted(run, key=key, reverse=reverse))
            run = []
        await pace.breathe()
    runs.append(sorted(run, key=key, reverse=reverse))
    await give_way()
    return runs, sum(map(len, runs))


def _wanted(query: Query, now: float) -> _Wants:
    tests: list[_Wants] = []
    if query.only is Only.FAILED:
        tests.append(lambda row: row[FAILED_AT] > row[PUSHED_AT])
    if query.only is Only.STALE:
        oldest = int((now - query.stale_after) * MICROSECONDS)
        tests.append(lambda row: row[PUSHED_AT] < oldest)
    if query.only is Only.EXPIRING:
        tests.append(lambda row: row[EXPIRES_AT] > 0)
    if query.words:
        tests.append(_has_words(query.words))
    if query.selector is not None:
        tests.append(_is_selected(query.selector))
    match tests:
        case []:
            return lambda _row: True
        case [test]:
            return test
        case _:
            return lambda row: all(test(row) for test in tests)


def _has_words(words: Iterable[str]) -> _Wants:
    known: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}

    def outside(families: tuple[str, ...]) -> tuple[list[str], list[str]]:
        """What the labels have to hold, because no family does: pieces of values, and words across several."""
        text = "\n".join(families).lower()
        missing = [word for word in words if word not in text]
        pieces = [piece for word in missing for piece in _BETWEEN_PARTS.split(word) if piece]
        return pieces, [word for word in missing if _BETWEEN_PARTS.search(word)]

    def has_words(row: Row) -> bool:
        found = known.get(row[FAMILIES])
        if found is None:
            found = known[row[FAMILIES]] = outside(row[FAMILIES])
        pieces, across = found
        plain = _unescaped(row[NAME]).lower()
        for piece in pieces:  # twice as fast as a generator in all(), and there are many
            if piece not in plain:
                return False
        return not across or all(map(_text_of(row[NAME]).__contains__, across))

    return has_words


def _is_selected(selector: Selector) -> _Wants:
    names = Selector(tuple(each for each in selector.matchers if each.name == NAME_LABEL))
    labels = [
        (quote(each.name, safe="", errors="surrogateescape"), _remembered(each.accepts))
        for each in _quick_first(selector.matchers)
        if each.name != NAME_LABEL
    ]
    known: dict[tuple[str, ...], bool] = {}

    def has_family(families: tuple[str, ...]) -> bool:
        found = known.get(families)
        if found is None:
            found = known[families] = any(
                names.selects({NAME_LABEL: family + suffix}) for family in families for suffix in _SUFFIXES
            )
        return found

    def has_labels(row: Row) -> bool:
        parts = row[NAME].split("/")
        held = parts[::2]
        for label, accepts in labels:  # noqa: SIM110  as above
            if not accepts(parts[2 * held.index(label) + 1] if label in held else ""):
                return False
        return True

    if not names.matchers:
        return has_labels
    return lambda row: has_family(row[FAMILIES]) and has_labels(row)


def _remembered(accepts: Callable[[str], bool]) -> Callable[[str], bool]:
    """Tell of a value as it stands in a name whether it will do; most labels have few values."""
    known: dict[str, bool] = {}

    def accepts_part(part: str) -> bool:
        found = known.get(part)
        if found is None:
            found = accepts(_unescaped(part))
            if len(known) < REMEMBERED:
                known[part] = found
        return found

    return accepts_part


def _quick_first(matchers: Iterable[Matcher]) -> list[Matcher]:
    """Comparisons before patterns, so that few values are held against a pattern."""
    return sorted(matchers, key=lambda each: each.operator in (Operator.MATCH, Operator.NOT_MATCH))


def labels_of(name: str) -> dict[str, str]:
    """The labels that the name of a group is made of, job first."""
    parts = [_unescaped(part) for part in name.split("/")]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _text_of(name: str) -> str:
    """The labels in the name of a group as `name="value"`, one a line, in lower case: what words are looked for in."""
    return "\n".join(f'{label}="{value}"' for label, value in labels_of(name).items()).lower()


def _unescaped(text: str) -> str:
    """Undo the percent-encoding of a name, or of a part of one; of ASCII five times as quick as `unquote`."""
    if "%" not in text:
        return text
    first, *others = text.split("%")
    try:
        return first + "".join([_CHARACTERS[other[:2]] + other[2:] for other in others])
    except KeyError:
        return unquote(text, errors="surrogateescape")
