"""Who is shown where pushes that nobody checked clash: the newest, and the others lose what is in its way.

In: the fragments of the families in question, of all groups that hold them.
Out: the lines that may stand, fragment by fragment, and the types of the families that are left.
Never: needed while the consistency check is on; then no two fragments clash.

NOTE(pushgateway): the original answers every scrape with 500 until the clash is gone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pgw.model.consistency import SUFFIXES
from pgw.model.family import Type
from pgw.model.series import notation
from pgw.view.pieces import Place

_LINE = re.compile(rb"[^\n]*\n")


class Contender(NamedTuple):
    """One fragment that may clash with others."""

    pushed_at: int
    """Last push to its group, microseconds; the gateway's own families count as newest."""
    place: Place
    type: Type
    text: bytes


class Settled(NamedTuple):
    """What a contest came to."""

    texts: Mapping[Place, bytes]
    types: Mapping[str, Type]
    """The type of each family that has something to show."""


def settle(contenders: Iterable[Contender]) -> Settled:
    """Decide which sample lines may stand; of equally old fragments the one whose place sorts last counts as newer."""
    types: dict[str, Type] = {}
    taken: dict[str, str] = {}
    shown: set[bytes] = set()
    texts: dict[Place, bytes] = {}
    for _, place, kind, text in sorted(contenders, key=lambda each: (each.pushed_at, each.place), reverse=True):
        family = place[0]
        stands = types.get(family, kind) is kind and _names_are_free(family, kind, types, taken)
        if stands:
            types[family] = kind
            taken.update((family + suffix, family) for suffix in SUFFIXES.get(kind, ()))
        metrics = [each for each in _metrics(family, kind, text) if stands and each.series not in shown]
        shown.update(each.series for each in metrics)
        texts[place] = b"".join(each.text for each in metrics)
    return Settled(texts, types)


def related(family: str) -> set[str]:
    """The names that a family of this name can clash with, as its suffixes or as the owner of its own."""
    suffixes = {suffix for each in SUFFIXES.values() for suffix in each}
    owners = {family.removesuffix(suffix) for suffix in suffixes if family.endswith(suffix)}
    return {family + suffix for suffix in suffixes} | owners - {family, ""}


def _names_are_free(family: str, kind: Type, types: Mapping[str, Type], taken: Mapping[str, str]) -> bool:
    if family in taken:
        return False
    return not any(family + suffix in types for suffix in SUFFIXES.get(kind, ()))


class _Metric(NamedTuple):
    series: bytes
    """What stands before the value, in its last line."""
    text: bytes


def _metrics(family: str, kind: Type, text: bytes) -> Iterator[_Metric]:
    """Divide a fragment into what stands or falls as one.

    A line each; of a histogram or summary all lines up to its count, as buckets of two would read as one.
    """
    last = notation(f"{family}_count", " ").partition(" ")[0].encode() if kind in SUFFIXES else b""
    start = 0
    for line in _LINE.finditer(text):  # not splitlines(): a label value may hold a carriage return
        if line[0].startswith(last):
            yield _Metric(line[0].rpartition(b" ")[0], text[start : line.end()])
            start = line.end()
    if start < len(text):
        yield _Metric(text[start:], text[start:])
