"""What a person asks the gateway: which groups are there, what is in one, and how is all of it?

In: queries and grouping keys.
Out: a page of the list, a group, an overview.
Never: changes anything.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pgw.errors import StoreError
from pgw.gateway.catalogue import Catalogue, Entry, Sums
from pgw.gateway.listing import Listing, Query, listed
from pgw.gateway.mirror import Mirror
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model.group import MICROSECONDS, Group
from pgw.model.grouping import GroupingKey
from pgw.store.base import Refusal, Signs, Store
from pgw.telemetry.shared import OWN_TYPES, pushes

NOT_PUSHED = PUSH_TIMES | OWN_TYPES.keys()


PATIENCE = 1.0
"""Seconds that a page waits for signs of life."""


class Failure(NamedTuple):
    """A push that failed."""

    group: str
    at: int
    """In microseconds since 1970."""
    reason: str
    """Empty: not known."""
    exists: bool
    """Whether there is such a group."""


class Overview(NamedTuple):
    """How all of it is."""

    sums: Sums
    families: int
    pushes_per_second: float | None
    """Over all replicas, refused ones included; None as long as there is nothing to compare with."""
    failure: Failure | None
    """The last one."""
    replicas: Sequence[str]
    """Those that were heard of within the last seconds."""
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
        listing = await listed(catalogue.rows(), query, now)
        seconds, signs, away = await self._signs()
        pushed = self._mirror.view.families()
        families = len(pushed) - sum(name in pushed for name in NOT_PUSHED)  # no set of them: they may be very many
        sums = catalogue.sums()
        failure = _last_failure(catalogue, sums.last_failed, signs.refusal)
        overview = Overview(sums, families, self._rate(), failure, signs.replicas, seconds, away or trouble, now)
        return listing, overview

    async def refusal_of(self, key: GroupingKey) -> str:
        """Why the last push that was refused was, if that was one to this group; else nothing."""
        refusal = (await self._signs())[1].refusal
        return refusal.reason if refusal and refusal.group == key.name else ""

    async def group(self, key: GroupingKey) -> Group | None:
        """Read a group, its push times among its fragments; None if there is no such group."""
        [group] = await self._store.groups([key.name])
        return next(iter(self._mirror.shown([group], round(self._mirror.clock() * MICROSECONDS))), None)

    def clock(self) -> float:
        """Unix time in seconds, by the clock of Redis."""
        return self._mirror.clock()

    async def _signs(self) -> tuple[float | None, Signs, str]:
        """Ask for signs of life: how long that took, what was answered, and what was the trouble."""
        started = time.perf_counter()
        try:
            signs = await asyncio.wait_for(self._store.signs(), PATIENCE)
        except StoreError as error:
            return None, Signs([], None), str(error)
        except TimeoutError:
            return None, Signs([], None), f"Redis does not answer within {PATIENCE:.0f} s"
        return time.perf_counter() - started, signs, ""

    def _rate(self) -> float | None:
        (sums, then), now = self._mirror.earlier, self._mirror.now
        seconds = (now - then) / MICROSECONDS
        return _difference(self._mirror.sums, sums) / seconds if then and seconds > 0 else None


def _last_failure(catalogue: Catalogue, last: Entry | None, refusal: Refusal | None) -> Failure | None:
    """The newest of what groups and replicas know: a body that cannot be read touches no group."""
    if refusal and (last is None or refusal.at * MICROSECONDS >= last.failed_at - MICROSECONDS):
        same = last is not None and last.name == refusal.group
        at = last.failed_at if last and same else refusal.at * MICROSECONDS
        return Failure(refusal.group, at, refusal.reason, catalogue.holds(refusal.group))
    return Failure(last.name, last.failed_at, "", exists=True) if last else None


def _difference(after: Mapping[str, float], before: Mapping[str, float]) -> float:
    return max(0.0, pushes(after) - pushes(before))
