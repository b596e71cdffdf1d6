"""A stored group: what is kept of the pushes to one grouping key.

In: families stamped with the grouping labels and written as text.
Out: values that the store keeps and the view joins.
Never: parses anything again; a fragment is the bytes of a scrape.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pgw.model.family import Type
from pgw.model.grouping import GroupingKey

MICROSECONDS = 1_000_000
MILLISECOND = 1_000
"""In microseconds, the unit of push times."""


class Fragment(NamedTuple):
    """What one group holds of one family."""

    name: str
    type: Type
    help: str | None
    text: bytes
    """The sample lines, as they are scraped; every line ends in a newline."""
    unchecked: bool = False
    """Pushed with the consistency check off: it may clash with fragments of other groups."""
    pushed_at: int = 0
    """When the push that wrote it was applied: microseconds since 1970 by the clock of Redis."""
    details: tuple[bytes, ...] = ()
    """What the text cannot carry of each metric, in the order of the metrics; nothing if it carries all of all."""

    @property
    def lines(self) -> int:
        """How many sample lines there are: series, as Prometheus counts them."""
        return self.text.count(b"\n")


class Group(NamedTuple):
    """One group as it is stored."""

    key: GroupingKey
    pushed_at: int
    """The last successful push, in microseconds since 1970 by the clock of Redis; 0: never."""
    failed_at: int
    """The last failed push, likewise."""
    fragments: tuple[Fragment, ...]
    deadline: int = 0
    """When the fragments expire, likewise; 0: never."""
    signature: bytes = b""
    """Of all series that it holds, see signature.py; empty if nobody has counted them as a whole."""

    def is_expired(self, now: int) -> bool:
        """Whether the deadline has come, at a moment by the clock of Redis."""
        return 0 < self.deadline <= now

    def at(self, now: int, linger: int) -> "Group | None":
        """The group as it is at a moment, whether anybody has removed yet what has expired or not.

        Args:
            now: microseconds since 1970 by the clock of Redis.
            linger: microseconds that a group stays without its families; then it is None.
        """
        if not self.is_expired(now):
            return self
        return None if self.deadline + linger <= now else self._replace(fragments=(), signature=b"")

    @property
    def last_push_successful(self) -> bool:
        """Whether no push failed since the last one that succeeded."""
        return self.failed_at <= self.pushed_at


class Renewal(NamedTuple):
    """What may have changed of a group that holds the same series still."""

    pushed_at: int
    """The last successful push, in microseconds since 1970 by the clock of Redis: it wrote all families."""
    failed_at: int
    """The last failed push, likewise; 0: never."""
    deadline: int
    """When the families expire, likewise; 0: never."""
    texts: Sequence[tuple[str, bytes]]
    """The families, each with its sample lines as they are scraped."""
