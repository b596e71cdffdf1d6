"""The families that a group has of itself: when a push to it last succeeded, when one last failed, and, if what was
pushed has expired, when.

In: a stored group.
Out: its fragments of `push_time_seconds`, `push_failure_time_seconds` and `push_expired_time_seconds`.
Never: takes them from a push.

NOTE(pushgateway): the original stores a pushed `push_failure_time_seconds` of an existing group, with whatever type,
and knows no `push_expired_time_seconds`.
"""

from collections.abc import Iterator

from pgw.formats.numbers import format_float
from pgw.model.family import Type
from pgw.model.group import MICROSECONDS, Fragment, Group
from pgw.model.series import Series, notation

PUSH_TIME = "push_time_seconds"
FAILURE_TIME = "push_failure_time_seconds"
EXPIRED_TIME = "push_expired_time_seconds"
NAMES = frozenset({PUSH_TIME, FAILURE_TIME, EXPIRED_TIME})

_HELP = "Last Unix time when changing this group in the Pushgateway {}."
_FAMILIES = ((PUSH_TIME, _HELP.format("succeeded")), (FAILURE_TIME, _HELP.format("failed")))
_EXPIRED = (EXPIRED_TIME, "Unix time when what was pushed to this group expired.")
_SERIES = Series(PUSH_TIME, ())
"""All three have the labels of their group, and no others."""


def push_times(group: Group, *, expired: bool = False) -> Iterator[Fragment]:
    """Write the two; 0 stands for never. The third is there only where something has expired."""
    rows = list(zip(_FAMILIES, (group.pushed_at, group.failed_at), strict=True))
    if expired:
        rows.append((_EXPIRED, group.deadline))
    labels = _SERIES.template(group.key) % group.key.values
    for (name, text_help), moment in rows:
        text = f"{notation(name, labels)} {format_float(moment / MICROSECONDS)}\n"
        yield Fragment(name, Type.GAUGE, text_help, text.encode(), pushed_at=moment)


def as_shown(group: Group, now: int, linger: int) -> Group | None:
    """The group as pages and the API show it at a moment: without what has expired, and with its push times.

    Args:
        group: as it is stored.
        now: microseconds since 1970 by the clock of Redis.
        linger: microseconds that it stays without its families; then it is None.
    """
    shown = group.at(now, linger)
    if shown is None:
        return None
    return shown._replace(fragments=(*shown.fragments, *push_times(group, expired=group.is_expired(now))))
