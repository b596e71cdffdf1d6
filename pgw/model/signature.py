"""A short name for the set of series that a push holds.

In: the families of a push and the key of its group.
Out: 16 bytes. If the group was last written as a whole under the same bytes, then this push adds no series, takes
none away and changes no type, so nothing has to be checked or indexed again.
Never: depends on values; a batch job that pushes the same series with new numbers keeps its signature.
"""

from collections.abc import Iterable
from hashlib import blake2b

from pgw.model.family import Family
from pgw.model.grouping import GroupingKey

SIZE = 16
"""Bytes: enough that nobody finds two sets of series with one signature."""


def signature(families: Iterable[Family], key: GroupingKey, *, checked: bool, sizes: Iterable[int] = ()) -> bytes:
    """Name the series of `families` in the group; `checked` and unchecked pushes never share a name.

    Args:
        families: what is pushed.
        key: the group.
        checked: whether it was compared with what is stored.
        sizes: how many sample lines each family has; histograms of the same series may have other buckets.
    """
    lines = ["checked" if checked else "unchecked", " ".join(map(str, sizes))]
    for family in families:
        lines.append(f"{family.type:d} {family.name}")
        lines += [metric[0].template(key) for metric in family.metrics]
    return blake2b("\n".join(lines).encode(), digest_size=SIZE).digest()
