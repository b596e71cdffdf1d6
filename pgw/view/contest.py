"""Who is shown where pushes that nobody checked clash: the newest, and the others lose what is in its way.

In: the fragments of the families in question, of all groups that hold them.
Out: the lines that may stand, fragment by fragment, and the types of the families that are left.
Never: needed while the consistency check is on; then no two fragments clash.

NOTE(pushgateway): the original answers every scrape with 500 until the clash is gone.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pgw.model.consistency import SUFFIXES
from pgw.model.family import Type
from pgw.view.pieces import Place


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
    seen: set[bytes] = set()
    texts: dict[Place, bytes] = {}
    for _, place, kind, text in sorted(contenders, key=lambda each: (each.pushed_at, each.place), reverse=True):
        family = place[0]
        stands = types.get(family, kind) is kind and _names_are_free(family, kind, types, taken)
        if stands:
            types[family] = kind
            taken.update((family + suffix, family) for suffix in SUFFIXES.get(kind, ()))
        lines = [line for line in text.splitlines(keepends=True) if stands and _series(line) not in seen]
        seen.update(map(_series, lines))
        texts[place] = b"".join(lines)
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


def _series(line: bytes) -> bytes:
    return line.rpartition(b" ")[0]
