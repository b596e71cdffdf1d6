"""Committing a write: in one step where nothing can clash, else once it was compared with what it could clash with.

In: a write, its families, and the call of the store that commits it.
Out: nothing, or the reason why it was not stored.
Never: decides whether the write may be stored by itself; that is done before (rules.py).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from pgw.errors import InconsistentPush, StoreConflict
from pgw.model.family import Family
from pgw.model.grouping import GroupingKey
from pgw.model.overlap import marks, rivals
from pgw.store.base import Guard, Store, Write

ATTEMPTS = 10
"""How often a write is compared with groups that keep changing. One attempt takes two round trips; that ten in a row
are crossed by pushes to the very groups it could collide with does not happen by chance."""

Commit = Callable[[Write], Awaitable[Mapping[str, str]]]
"""Store.push or one of its like: returns nothing if it has stored the write, else what that has to be compared with."""


class Commits:
    """The commits of one worker."""

    def __init__(self, store: Store, *, notes_failures: bool) -> None:
        """Make them; `notes_failures` tells whether a write that clashes leaves the failure time of its group."""
        self._store = store
        self._notes_failures = notes_failures

    async def run(self, commit: Commit, write: Write, families: Callable[[], Sequence[Family]]) -> None:
        """Commit a write.

        Args:
            commit: what is to be done with it.
            write: as it goes to the store.
            families: tells what it was made of, which is asked only if some of them live in groups of other shapes too,
                where a series could be twice.

        Raises:
            PushError, OverLimit: refused.
            StoreError: not stored, or nobody knows.
        """
        shapes = await commit(write)
        if shapes:
            await self._run_compared(commit, write, families(), shapes)

    async def _run_compared(
        self, commit: Commit, write: Write, families: Sequence[Family], shapes: Mapping[str, str]
    ) -> None:
        for _ in range(ATTEMPTS):
            shapes = await commit(write._replace(guard=await self._guard(write, families, shapes)))
            if not shapes:
                return
        raise StoreConflict(write.key.name, ATTEMPTS)

    async def _guard(self, write: Write, families: Iterable[Family], shapes: Mapping[str, str]) -> Guard:
        try:
            return Guard(shapes, await self._compare(families, write.key, shapes))
        except InconsistentPush:
            if self._notes_failures:
                await self._store.fail(write.key, write.lifetime)
            raise

    async def _compare(
        self, families: Iterable[Family], key: GroupingKey, shapes: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Compare with the groups that could hold a series of the write.

        Returns:
            These groups and their versions, for the store to see that they are still the same at the commit.

        Raises:
            InconsistentPush: one of them does hold such a series.
        """
        mixed = [family for family in families if family.name in shapes]
        wanted = {
            (group, family.name): series
            for family in mixed
            for group, series in rivals(family, key, shapes[family.name].split(" ")).items()
        }
        copies = await self._store.copies(list(wanted))
        for ((group, family_name), series), copy in zip(wanted.items(), copies, strict=True):
            twice = series & marks(copy.fragment.text.decode()) if copy.fragment else set()
            if twice:
                raise InconsistentPush(
                    f'collected metric "{family_name}" {min(twice)} was collected before '
                    f"with the same name and label values, in the group {group}"
                )
        return {group: copy.version for (group, _), copy in zip(wanted, copies, strict=True)}
