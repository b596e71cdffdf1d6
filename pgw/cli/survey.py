"""A survey of the store: what is in it, all in all, and what stands out.

In: groups, a slice at a time.
Out: a summary, as values and as text.
Never: keeps more than a few groups, and a few numbers for each family.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from pgw import __version__
from pgw.cli.console import counted, size, table
from pgw.cli.outline import Outline, outline_table, size_of
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.store.base import Feed, Server

SHOWN = 10
"""Rows of each table of what stands out: they are to be read."""
SHARDS = 1
"""store/keys.py knows of more, but nothing is spread over them yet."""


class Ranking(NamedTuple):
    """Groups that stand out for one reason."""

    title: str
    name: str
    """What it is called in JSON."""
    rank: Callable[[Outline], int | None]
    """What the groups are sorted by, the largest first; None: it does not belong here."""


RANKINGS = (
    Ranking("LARGEST GROUPS", "largest_groups", lambda group: group.weight),
    Ranking("OLDEST PUSHES", "oldest_pushes", lambda group: -group.pushed_at if group.pushed_at else None),
    Ranking("FAILED PUSHES", "failed_pushes", lambda group: None if group.last_push_successful else group.failed_at),
    Ranking("EARLIEST DEADLINES", "earliest_deadlines", lambda group: -group.deadline if group.deadline else None),
)
"""A row for each table of groups."""


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
        self.series += fragment.lines
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


class Context(NamedTuple):
    """What is known of the store as a whole."""

    feed: Feed
    server: Server
    rest: int | None
    """Bytes of Redis beside the groups; None if we may not ask."""


class Survey:
    """What was found, group by group."""

    def __init__(self) -> None:
        self.groups = 0
        self.series = 0
        self.failed = 0
        self.text_bytes = 0
        self.redis_bytes = 0
        self._families: dict[str, FamilyTotal] = {}
        self._ranked: dict[str, list[Outline]] = {ranking.name: [] for ranking in RANKINGS}

    def add(self, groups: Sequence[Group], spent: Sequence[int] | None) -> None:
        """Take in a slice of groups, and how many bytes Redis spends on each if that is known."""
        sizes: Sequence[int | None] = spent or [None] * len(groups)
        outlines = [Outline.of(group, spent_on_it) for group, spent_on_it in zip(groups, sizes, strict=True)]
        for group in groups:
            for fragment in group.fragments:
                self._families.setdefault(fragment.name, FamilyTotal(fragment.name)).add(fragment)
        self.groups += len(outlines)
        self.series += sum(outline.series for outline in outlines)
        self.failed += sum(not outline.last_push_successful for outline in outlines)
        self.text_bytes += sum(outline.text_bytes for outline in outlines)
        self.redis_bytes += sum(outline.redis_bytes or 0 for outline in outlines)
        for ranking in RANKINGS:
            self._ranked[ranking.name] = _largest([*self._ranked[ranking.name], *outlines], ranking)

    def as_json(self, context: Context) -> dict[str, Any]:
        """The summary for programs."""
        return {
            "groups": self.groups,
            "failed_groups": self.failed,
            "families": len(self._families),
            "series": self.series,
            "bytes": self.text_bytes,
            "redis_bytes": None if context.rest is None else self.redis_bytes + context.rest,
            "redis_used_memory": context.server.used_memory,
            "epoch": context.feed.epoch,
            "version": context.feed.version,
            "shards": SHARDS,
            "server": context.server.version,
            "pgw": __version__,
            "largest_families": [family.as_json() for family in self._largest_families()],
            **{name: [outline.as_json() for outline in found] for name, found in self._ranked.items()},
        }

    def as_text(self, context: Context, now: float) -> str:
        """The summary for people; `now` is in seconds since 1970."""
        parts = [table(self._facts(context))]
        if self._families:
            parts.append(self._family_table())
        for ranking in RANKINGS:
            found = self._ranked[ranking.name]
            if found:
                parts.append(f"{ranking.title}\n{outline_table(found, now)}")
        return "\n\n".join(parts)

    def _facts(self, context: Context) -> Iterable[tuple[str, str]]:
        failed = f", of {self.failed} the last push failed" if self.failed else ""
        used = f"the server uses {size(context.server.used_memory)} in all"
        if context.rest is None:
            redis = f"{used} (what of it is ours, this user may not ask: MEMORY USAGE)"
        else:
            redis = f"{size(self.redis_bytes)} for groups, {size(context.rest)} for indexes and counters; {used}"
        yield "groups", f"{self.groups}{failed}"
        yield "families", str(len(self._families))
        yield "series", f"{self.series}, {size(self.text_bytes)} of text"
        yield "in Redis", redis
        yield "changes", f"{context.feed.version}, in store {context.feed.epoch or '-'}, {counted(SHARDS, 'shard')}"
        yield "versions", f"pgw {__version__}, {context.server.version}"

    def _largest_families(self) -> Sequence[FamilyTotal]:
        return heapq.nlargest(SHOWN, self._families.values(), key=lambda family: family.size)

    def _family_table(self) -> str:
        rows = [
            (family.name, family.words, str(family.groups), str(family.series), str(family.size))
            for family in self._largest_families()
        ]
        return "LARGEST FAMILIES\n" + table([("FAMILY", "TYPE", "GROUPS", "SERIES", "BYTES"), *rows], (2, 3, 4))


def _largest(outlines: Iterable[Outline], ranking: Ranking) -> list[Outline]:
    ranked = [(rank, outline) for outline in outlines if (rank := ranking.rank(outline)) is not None]
    return [outline for _, outline in heapq.nlargest(SHOWN, ranked, key=lambda pair: pair[0])]
