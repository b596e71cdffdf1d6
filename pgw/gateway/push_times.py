"""The two families that every group has of itself: when a push to it last succeeded, and when one last failed.

In: a stored group.
Out: its fragments of `push_time_seconds` and `push_failure_time_seconds`.
Never: takes them from a push.

NOTE(pushgateway): the original stores a pushed `push_failure_time_seconds` of an existing group, with whatever type.
"""

from collections.abc import Iterator

from pgw.formats.numbers import format_float
from pgw.formats.text_writer import write_samples
from pgw.model.family import Family, Type
from pgw.model.group import MICROSECONDS, Fragment, Group
from pgw.model.series import Series

PUSH_TIME = "push_time_seconds"
FAILURE_TIME = "push_failure_time_seconds"
NAMES = frozenset({PUSH_TIME, FAILURE_TIME})

_HELP = "Last Unix time when changing this group in the Pushgateway {}."
_FAMILIES = (
    (PUSH_TIME, _HELP.format("succeeded"), Series(PUSH_TIME, ())),
    (FAILURE_TIME, _HELP.format("failed"), Series(FAILURE_TIME, ())),
)


def push_times(group: Group) -> Iterator[Fragment]:
    """Write the two; 0 stands for never."""
    for (name, text_help, series), moment in zip(_FAMILIES, (group.pushed_at, group.failed_at), strict=True):
        sample = (series, format_float(moment / MICROSECONDS))
        text = write_samples(Family(name, Type.GAUGE, text_help, [sample]), group.key)
        yield Fragment(name, Type.GAUGE, text_help, text.encode(), pushed_at=moment)


def with_push_times(group: Group) -> Group:
    """The group as pages and the API show it: its push times among its fragments."""
    return group._replace(fragments=(*group.fragments, *push_times(group)))
