"""Groups that are put back: at last, if the groups beside them rest, and without a trace if they cannot be."""

from __future__ import annotations

from itertools import count

import pytest
from gateways import Replica, read_text, replica
from pushes import INSTANCE, JOB
from servers import RedisServer

from pgw.errors import InconsistentPush, StoreConflict
from pgw.gateway.commit import ATTEMPTS
from pgw.gateway.restore import Past, Restorer
from pgw.gateway.rules import Rules
from pgw.telemetry.shared import OWN_TYPES

PUSHED, FAILED = 1_700_000_000_000_001, 1_600_000_000_000_002
PAST = Past(JOB, PUSHED, FAILED, read_text('a{instance="i",x="1"} 1\n'), {"a": PUSHED})
"""A family of it may live in the group INSTANCE too, so that the two have to be compared."""


def restorer(one: Replica) -> Restorer:
    return Restorer(one.store, Rules(OWN_TYPES, checked=True))


@pytest.mark.parametrize("moves", [0, 1, 2, ATTEMPTS])
async def test_a_group_is_restored_once_its_rivals_rest_even_at_the_last_attempt(
    redis_server: RedisServer, moves: int
) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await other.push(INSTANCE, "a 1\n")
        numbers = count()

        async def move() -> None:
            """Before each of the first commits the rival is pushed other series."""
            if one.store.calls["restore"] <= moves:
                await other.push(INSTANCE, f'a{{n="{next(numbers)}"}} 1\n')

        one.store.before["restore"] = move
        await restorer(one).restore(PAST)
        assert one.store.calls["restore"] == max(moves, 1) + 1
        found = await one.group(JOB)
        assert found is not None
        assert (found.pushed_at, found.failed_at, [each.name for each in found.fragments]) == (PUSHED, FAILED, ["a"])


async def test_a_group_whose_rivals_never_rest_is_a_conflict_and_not_restored(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await other.push(INSTANCE, "a 1\n")
        numbers = count()

        async def move() -> None:
            await other.push(INSTANCE, f'a{{n="{next(numbers)}"}} 1\n')

        one.store.before["restore"] = move
        with pytest.raises(StoreConflict, match=f"changed {ATTEMPTS} times"):
            await restorer(one).restore(PAST)
        assert one.store.calls["restore"] == ATTEMPTS + 1
        assert await one.group(JOB) is None


async def test_a_group_that_holds_a_series_of_another_is_refused_and_leaves_no_failure_time(
    redis_server: RedisServer,
) -> None:
    async with replica(redis_server.url) as one:
        await one.push(INSTANCE, 'a{x="1"} 1\n')
        with pytest.raises(InconsistentPush, match=f"in the group {INSTANCE.name}$"):
            await restorer(one).restore(PAST)
        assert await one.redis.names() == [INSTANCE.name]


async def test_a_rehearsal_changes_nothing(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(INSTANCE, "a 1\n")
        await restorer(one).restore(PAST, rehearsal=True)
        assert await one.redis.names() == [INSTANCE.name]
