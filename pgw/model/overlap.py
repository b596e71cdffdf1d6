"""Where a series could stand twice: in groups whose keys have other label names.

In: a pushed family, its grouping key, and the shapes of the other groups that hold the family.
Out: the few groups that could hold one of its series, and by which text it would be known there.
Never: needed for groups of one shape: the grouping labels override those of the body, so two such groups differ in
a label of every series.

A series in a group carries all labels of the group's key. So for a series and another shape there is exactly one
group that could hold it too: the one whose key is the series' own labels under the names of that shape.
"""

from collections.abc import Iterable

from pgw.model.consistency import SUFFIXES
from pgw.model.family import Family
from pgw.model.grouping import INSTANCE, GroupingKey, names_of
from pgw.model.series import notation


def rivals(family: Family, key: GroupingKey, shapes: Iterable[str]) -> dict[str, set[str]]:
    """Find the groups that could hold a series of the family too.

    Returns:
        Group name -> how the series in question read there (see `marks`).
    """
    found: dict[str, set[str]] = {}
    shape_names = [*map(names_of, shapes)]
    grouping, values = dict(key.labels), key.values
    for metric in family.metrics:
        labels = {INSTANCE: "", **dict(metric[0].labels), **grouping}
        for names in shape_names:
            if all(name in labels for name in names):
                rival = GroupingKey(tuple((name, labels[name]) for name in names))
                found.setdefault(rival.name, set()).add(_mark(family, metric[0].template(key) % values))
    return found


def marks(text: str) -> set[str]:
    """The series that a fragment holds, told from its sample lines: what stands before each value."""
    return {line.rpartition(" ")[0] for line in text.split("\n")}


def _mark(family: Family, labels: str) -> str:
    """How a metric with these labels reads: every histogram and every summary has one line that counts."""
    suffix = "_count" if family.type in SUFFIXES else ""
    return notation(family.name + suffix, labels)
