"""The families that a group has of itself: when a push to it last succeeded, when one last failed, and, if what was
pushed has expired, when.

In: a stored group.
Out: its fragments of `push_time_seconds`, `push_failure_time_seconds` and `push_expired_time_seconds`.
Never: takes them from a push.

NOTE(pushgateway): the original stores a pushed `push_failure_time_seconds` of an existing group, with whatever type,
and knows no `push_expired_time_seconds`.
"""

from functools import lru_cache

from pgw.formats.numbers import format_float
from pgw.model.family import Type
from pgw.model.group import MICROSECONDS, Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.model.series import Series

PUSH_TIME = "push_time_seconds"
FAILURE_TIME = "push_failure_time_seconds"
EXPIRED_TIME = "push_expired_time_seconds"
NAMES = frozenset({PUSH_TIME, FAILURE_TIME, EXPIRED_TIME})

_HELP = "Last Unix time when changing this group in the Pushgateway {}."
_HELPS = {
    PUSH_TIME: _HELP.format("succeeded"),
    FAILURE_TIME: _HELP.format("failed"),
    EXPIRED_TIME: "Unix time when what was pushed to this group expired.",
}

SHAPES_REMEMBERED = 64
"""Sets of label names: of grouping keys, of which a fleet has a handful."""

_FROM = 10**15
"""Microseconds in September 2001: from here on they have 16 digits."""
_BEFORE = 2**33 * MICROSECONDS
"""In the year 2242: up to there each microsecond is nearest to a double of its own."""


def push_times(group: Group, *, expired: bool = False) -> list[Fragment]:
    """Write the two; 0 stands for never. The third is there only where something has expired."""
    labels = _template(group.key.names) % group.key.values
    found = [_fragment(PUSH_TIME, labels, group.pushed_at), _fragment(FAILURE_TIME, labels, group.failed_at)]
    if expired:
        found.append(_fragment(EXPIRED_TIME, labels, group.deadline))
    return found


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


def seconds(moment: int) -> str:
    """Write microseconds as a scrape shows seconds: as `format_float` does, only sooner."""
    if not moment:
        return "0"
    if _FROM <= moment < _BEFORE and moment % 10:
        # The last digit is not 0, and no other 16 digits, nor fewer, read as the same double: they are the shortest.
        return f"{moment / MICROSECONDS:.15e}"
    return format_float(moment / MICROSECONDS)


def _fragment(name: str, labels: str, moment: int) -> Fragment:
    text = f"{name}{{{labels}}} {seconds(moment)}\n"
    return Fragment(name, Type.GAUGE, _HELPS[name], text.encode(), pushed_at=moment)


@lru_cache(SHAPES_REMEMBERED)
def _template(names: tuple[str, ...]) -> str:
    """The labels that these series have in a group, its own and no others, with `%s` for their values."""
    return Series(PUSH_TIME, ()).template(GroupingKey(tuple((name, "") for name in names)))
