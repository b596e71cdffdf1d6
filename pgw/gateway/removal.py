"""Deletion by selector: of all groups those whose labels are selected, a slice at a time.

In: the names of all groups, selectors, an age.
Out: what was removed, as it goes on, so that somebody can watch.
Never: removes a group that was pushed to since it became too young; the store looks again when it removes.
Follows: prometheus/prometheus, web/api/v1: several selectors are or-ed, each must demand something.

Neither HTTP nor the command line is known here; both are a few lines on top:

    names = await store.names()
    async for step in remove_groups(store, names, Removal(read_selectors(['{job="ci"}']), older_than=86400.0)):
        ...  # step.seen of len(names) are done; step.removed are gone
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from pgw.errors import SelectorError
from pgw.model.group import MICROSECONDS
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Selector, one_selects
from pgw.store.base import Store

SLICE_NAMES = 128
"""Names compared at once: up to 50 µs each for those that are selected, so a few milliseconds of the event loop."""


class Removal(NamedTuple):
    """What is to be removed."""

    selectors: Sequence[Selector]
    """Groups that one of these selects."""
    older_than: float | None = None
    """Only those whose last push was longer ago than so many seconds, by the clock of Redis; None: of any age."""
    dry_run: bool = False
    """Remove nothing, and tell what would be."""


class Step(NamedTuple):
    """What one slice came to."""

    seen: int
    """How many of all names were looked at until now."""
    removed: Sequence[GroupingKey]
    """The groups of this slice that are gone; of a dry run, that would be."""


def read_selectors(texts: Iterable[str]) -> tuple[Selector, ...]:
    """Read selectors of groups.

    Raises:
        SelectorError: one is not Prometheus' syntax, would select everything, or names a metric, which groups are not.
    """
    selectors = tuple(Selector.read(text).require_narrow() for text in texts)
    for selector in selectors:
        if selector.names_metric:
            raise SelectorError(str(selector), 0, "labels only: groups are selected by their grouping key")
    return selectors


async def remove_groups(store: Store, names: Iterable[str], removal: Removal) -> AsyncIterator[Step]:
    """Remove the groups of these names that are selected; others are served between the steps.

    Raises:
        StoreError: Redis is away; what was yielded until then is done. It may be tried again from the beginning.
    """
    older_than = None if removal.older_than is None else round(removal.older_than * MICROSECONDS)
    seen, names = 0, iter(names)
    while part := list(islice(names, SLICE_NAMES)):
        selected = [key for key in map(_key, part) if key is not None and one_selects(removal.selectors, key)]
        removed = await store.remove(selected, older_than=older_than, dry_run=removal.dry_run)
        seen += len(part)
        yield Step(seen, [key for key, is_removed in zip(selected, removed, strict=True) if is_removed])
        await asyncio.sleep(0)  # nothing was awaited where nothing was selected


def _key(name: str) -> GroupingKey | None:
    """Read the name of a group; None for one that no push has made."""
    try:
        key = GroupingKey.from_name(name)
    except ValueError:
        return None
    return key if key.is_utf8 else None
