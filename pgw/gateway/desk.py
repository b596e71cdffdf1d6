"""What a person asks the gateway: which groups are there, what is in one, and how is all of it?

In: queries and grouping keys.
Out: a page of the list, a group, an overview.
Never: changes anything, or costs anything while nobody asks.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from pgw.errors import StoreError
from pgw.gateway.catalogue import Sums
from pgw.gateway.listing import Listing, Query, listed
from pgw.gateway.mirror import Mirror
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.gateway.push_times import with_push_times
from pgw.model.group import Group
from pgw.model.grouping import GroupingKey
from pgw.store.base import Store
from pgw.telemetry.shared import OWN_TYPES, pushes

NOT_PUSHED = PUSH_TIMES | OWN_TYPES.keys()


class Overview(NamedTuple):
    """How all of it is."""

    sums: Sums
    families: int
    pushes_per_second: float | None
    """Over all replicas, refused ones included; None as long as there is nothing to compare with."""
    redis_seconds: float | None
    """How long Redis took to answer; None: it did not."""
    trouble: str
    """Why what is shown may be old; empty: it is not."""
    now: float
    """Unix time in seconds, by the clock of Redis."""


class Desk:
    """Where questions are answered."""

    def __init__(self, store: Store, mirror: Mirror) -> None:
        self._store = store
        self._mirror = mirror

    async def listing(self, query: Query) -> tuple[Listing, Overview]:
        """Find the page of a query, and how all groups are.

        Raises:
            StoreUnavailable: Redis is away, and was since this worker began.
        """
        catalogue, trouble = await self._mirror.catalogue()
        now = self._mirror.clock()
        listing = await listed(catalogue.entries(), query, now)
        seconds, away = await self._ping()
        families = len(self._mirror.view.families() - NOT_PUSHED)
        return listing, Overview(catalogue.sums(), families, self._rate(), seconds, away or trouble, now)

    async def group(self, key: GroupingKey) -> Group | None:
        """Read a group, its push times among its fragments; None if there is no such group."""
        [group] = await self._store.groups([key.name])
        return None if group is None else with_push_times(group)

    def clock(self) -> float:
        """Unix time in seconds, by the clock of Redis."""
        return self._mirror.clock()

    async def _ping(self) -> tuple[float | None, str]:
        started = time.perf_counter()
        try:
            await self._store.ping()
        except StoreError as error:
            return None, str(error)
        return time.perf_counter() - started, ""

    def _rate(self) -> float | None:
        (sums, then), now = self._mirror.earlier, self._mirror.now
        return _difference(self._mirror.sums, sums) / (now - then) if then and now > then else None


def _difference(after: Mapping[str, float], before: Mapping[str, float]) -> float:
    return max(0.0, pushes(after) - pushes(before))
