"""Restoring groups: as they were in another gateway, or when they were exported.

In: a group with the times of its pushes, as pgw/cli reads it from either.
Out: nothing, or the reason why it may not stand beside what is stored.
Never: counts as a push: a refused group leaves no failure time, and one that is restored keeps the times it had.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pgw.gateway.commit import Commits
from pgw.gateway.rules import Rules
from pgw.model.family import Exposition
from pgw.model.grouping import GroupingKey
from pgw.store.base import Store, Write


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
    deadline: int = 0
    """When the families expire, or did; 0: never. No setting of this gateway makes it another: it is no push."""


class Restorer:
    """Puts back what was."""

    def __init__(self, store: Store, rules: Rules) -> None:
        """Make a restorer that writes to a store by the rules of its gateway."""
        self._store = store
        self._rules = rules
        self._commits = Commits(store, notes_failures=False)

    async def restore(self, past: Past, *, rehearsal: bool = False) -> None:
        """Let the group hold these families, since these times, and no others.

        Args:
            past: the group.
            rehearsal: only look whether it could be done, beside what is stored now.

        Raises:
            PushError, OverLimit: it would have been refused as a push.
            StoreError: not stored, or nobody knows.
        """
        families = self._rules.consistent(past.key, self._rules.bounded(past.key, past.pushed))
        write = self._rules.write(past.key, families)
        moments = [past.moments[name] for name in write.mold.types]
        write = write._replace(mold=write.mold._replace(moments=moments))

        async def commit(write: Write) -> Mapping[str, str]:
            return await self._store.restore(
                write, past.pushed_at, past.failed_at, deadline=past.deadline, rehearsal=rehearsal
            )

        await self._commits.run(commit, write, lambda: families)
