"""Restoring groups: as they were in another gateway, or when they were exported.

In: a group with the times of its pushes, as pgw/cli reads it from either.
Out: nothing, or the reason why it may not stand beside what is stored.
Never: counts as a push: a refused group leaves no failure time, and one that is restored keeps the times it had.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pgw.errors import StoreConflict, TooManyFamilies
from pgw.gateway.gateway import ATTEMPTS, MOST_FAMILIES, Gateway
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model.family import Exposition, Family
from pgw.model.grouping import GroupingKey
from pgw.store.base import Guard, Write


class Past(NamedTuple):
    """A group as it was; all times in microseconds since 1970."""

    key: GroupingKey
    pushed_at: int
    """The last successful push; 0: never."""
    failed_at: int
    """The last failed push, likewise."""
    pushed: Exposition
    moments: Mapping[str, int]
    """Family -> when the push that wrote it was applied."""


class Restorer(Gateway):
    """A gateway that can also put back what was."""

    async def restore(self, past: Past) -> None:
        """Let the group hold these families, since these times, and no others.

        Raises:
            PushError: it would have been refused as a push.
            StoreError: not stored, or nobody knows.
        """
        families = self.check(past)
        write = self._write(families, past.key)
        dated = [each._replace(pushed_at=past.moments[each.name]) for each in write.fragments]
        write = write._replace(fragments=dated)
        shapes = await self._store.restore(write, past.pushed_at, past.failed_at)
        if shapes:
            await self._restore_compared(past, write, families, shapes)

    def check(self, past: Past) -> list[Family]:
        """Return the families to be stored, if nothing is wrong with them by themselves; raises as `restore`."""
        past.key.require_utf8()
        families = [family for family in past.pushed.families if family.name not in PUSH_TIMES]
        if len(families) > MOST_FAMILIES:
            raise TooManyFamilies(len(families), MOST_FAMILIES)
        return self._checked_families(past.pushed._replace(families=families), past.key)

    async def _restore_compared(
        self, past: Past, write: Write, families: Sequence[Family], shapes: Mapping[str, str]
    ) -> None:
        """Restore a group some of whose families live in groups of other shapes too; see Gateway."""
        for _ in range(ATTEMPTS):
            witnesses = await self._compare(families, past.key, shapes)
            guarded = write._replace(guard=Guard(shapes, witnesses))
            shapes = await self._store.restore(guarded, past.pushed_at, past.failed_at)
            if not shapes:
                return
        raise StoreConflict(past.key.name, ATTEMPTS)
