"""Groups in outline: what a listing shows of each.

In: groups.
Out: a line of a table, or an object for JSON.
Never: shows samples.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pgw.cli.console import expiry, moment, table, timestamp
from pgw.model.group import Fragment, Group


class Outline(NamedTuple):
    """One group without its samples."""

    name: str
    labels: Mapping[str, str]
    families: int
    series: int
    text_bytes: int
    """Of the sample lines, as they are scraped."""
    redis_bytes: int | None
    """What Redis spends on all of it; None where it was not asked."""
    pushed_at: int
    failed_at: int
    last_push_successful: bool
    deadline: int
    """When the families expire; 0: never."""

    @classmethod
    def of(cls, group: Group, redis_bytes: int | None = None) -> "Outline":
        """Outline a group."""
        parts = group.fragments
        series, total = sum(each.lines for each in parts), sum(map(size_of, parts))
        return cls(
            group.key.name,
            dict(group.key.labels),
            len(parts),
            series,
            total,
            redis_bytes,
            group.pushed_at,
            group.failed_at,
            group.last_push_successful,
            group.deadline,
        )

    @property
    def weight(self) -> int:
        """How large it is: in Redis, or at least as text."""
        return self.text_bytes if self.redis_bytes is None else self.redis_bytes

    def as_json(self) -> dict[str, Any]:
        """The outline for programs."""
        asked = {} if self.redis_bytes is None else {"redis_bytes": self.redis_bytes}
        return {
            "group": self.name,
            "labels": self.labels,
            "family_count": self.families,
            "series": self.series,
            "bytes": self.text_bytes,
            **asked,
            "last_push": timestamp(self.pushed_at),
            "last_failure": timestamp(self.failed_at),
            "last_push_successful": self.last_push_successful,
            "expires_at": timestamp(self.deadline),
        }

    def row(self, now: float) -> tuple[str, ...]:
        """The outline as a row of a table; `now` is in seconds since 1970."""
        failed = "" if self.last_push_successful else f"  FAILED {moment(self.failed_at, now)}"
        expires = f"  expires {expiry(self.deadline, now)}" if self.deadline else ""
        return (self.name, str(self.families), str(self.weight), moment(self.pushed_at, now) + failed + expires)


NUMBERS = (1, 2)


def outline_table(outlines: Iterable[Outline], now: float) -> str:
    """Groups, one a line; bytes are those of the text, or those in Redis where these were asked for."""
    rows = list(outlines)
    weight = "BYTES" if any(outline.redis_bytes is None for outline in rows) else "IN REDIS"
    return table([("GROUP", "FAMILIES", weight, "LAST PUSH"), *(outline.row(now) for outline in rows)], NUMBERS)


def size_of(fragment: Fragment) -> int:
    """Bytes of its sample lines."""
    return len(fragment.text)
