"""How much may be stored: totals that equal a recount, and pushes that are refused where they would exceed a limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from pushes import (
    INSTANCE,
    JOB,
    KEYS,
    OTHER,
    all_keys,
    client,
    family,
    group,
    held,
    opened,
    read,
    recounted_totals,
    stored_totals,
    write,
)

from pgw.errors import InconsistentPush, StoreFull
from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.store.base import Limits, Write

if TYPE_CHECKING:
    from servers import RedisServer

    from pgw.store.redis_store import RedisStore

AT_ONCE, LONG = 1, 10**12


def lines(name: str, number: int) -> Fragment:
    """A family of so many series."""
    return Fragment(
        name,
        Type.GAUGE,
        "Help\nwith a line end.",
        b"".join(b'%s{n="%d"} 1\n' % (name.encode(), n) for n in range(number)),
    )


def sized(key: object, *families: Fragment) -> Write:
    """A push whose signature tells how many series its families have, as that of the gateway does."""
    return write(key, *families, series=" ".join(str(each.text.count(b"\n")) for each in families))  # type: ignore[arg-type]


async def require_totals(store: RedisStore, url: str, expected: dict[str, int]) -> None:
    groups = [each for each in await store.groups(await store.names()) if each is not None]
    assert stored_totals(client(url)) == expected == recounted_totals(groups)


# Totals.


async def test_the_totals_follow_every_change(redis_server: RedisServer) -> None:
    url = redis_server.url
    async with opened(url) as store:
        await store.push(sized(JOB, lines("a", 3), lines("b", 2)))
        await require_totals(store, url, {"series": 5, "job/j": 1})
        await store.push(sized(JOB, lines("a", 3), lines("b", 2)))
        await require_totals(store, url, {"series": 5, "job/j": 1})
        await store.push(sized(JOB, lines("b", 7)))
        await require_totals(store, url, {"series": 10, "job/j": 1})
        await store.push(sized(INSTANCE, lines("c", 1)))
        await store.push(sized(OTHER, lines("d", 100)))
        await require_totals(store, url, {"series": 111, "job/j": 2, "job/k": 1})
        await store.replace(sized(OTHER, lines("d", 4)))
        await require_totals(store, url, {"series": 15, "job/j": 2, "job/k": 1})
        await store.fail(group(job="m"))
        await store.fail(OTHER)
        with pytest.raises(InconsistentPush):
            await store.push(write(group(job="n"), family("d", Type.COUNTER)))
        await require_totals(store, url, {"series": 15, "job/j": 2, "job/k": 1, "job/m": 1, "job/n": 1})
        assert await store.delete(JOB)
        assert not await store.delete(JOB)
        await require_totals(store, url, {"series": 5, "job/j": 1, "job/k": 1, "job/m": 1, "job/n": 1})
        await store.replace(write(OTHER))
        await require_totals(store, url, {"series": 1, "job/j": 1, "job/k": 1, "job/m": 1, "job/n": 1})
        await store.wipe()
        await require_totals(store, url, {})
        assert KEYS.totals not in all_keys(client(url))


@pytest.mark.parametrize("linger", [0, LONG])
async def test_the_totals_follow_what_expires(redis_server: RedisServer, linger: int) -> None:
    async with opened(redis_server.url, linger=linger) as store:
        await store.push(sized(JOB, lines("a", 3))._replace(lifetime=AT_ONCE))
        await store.push(sized(OTHER, lines("a", 2)))
        await require_totals(store, redis_server.url, {"series": 5, "job/j": 1, "job/k": 1})
        assert not await store.expire()
        left = {"job/j": 1} if linger else {}
        await require_totals(store, redis_server.url, {"series": 2, "job/k": 1, **left})


async def test_a_job_is_counted_by_its_value_however_it_is_written(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        for job in ("a/b", "a", "a b", "\u00e9"):
            for instance in ("1", "2"):
                await store.push(write(group(job=job, instance=instance), family("a")))
        totals = stored_totals(client(redis_server.url))
        assert totals.pop("series") == 8
        assert sorted(totals.values()) == [2, 2, 2, 2]


# Limits.


async def test_series_are_bounded(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, limits=Limits(series=10)) as store:
        await store.push(sized(JOB, lines("a", 6)))
        await store.push(sized(OTHER, lines("a", 4)))
        for key, commit in ((OTHER, store.push), (JOB, store.replace), (INSTANCE, store.push)):
            with pytest.raises(
                StoreFull, match=r"\d+ series would be stored .* the limit is 10 \(--store.max-series\)"
            ):
                await commit(sized(key, lines("b", 7)))
        assert (await read(store, OTHER)).failed_at > 0
        assert await held(store, OTHER) == {"a": Type.GAUGE}
        assert await store.names() == [JOB.name, OTHER.name]
        await store.push(sized(JOB, lines("a", 6)))
        await store.replace(sized(JOB, lines("b", 6)))
        await store.push(sized(JOB, lines("b", 1)))
        await store.push(sized(INSTANCE, lines("c", 5)))
        await require_totals(store, redis_server.url, {"series": 10, "job/j": 2, "job/k": 1})
        await store.delete(OTHER)
        await store.push(sized(JOB, lines("c", 4)))


async def test_a_store_beyond_its_limit_takes_what_makes_it_no_larger(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(sized(JOB, lines("a", 20)))
        await store.push(sized(OTHER, lines("a", 20)))
    async with opened(redis_server.url, limits=Limits(series=10, groups=1, groups_per_job=1)) as store:
        await store.push(sized(JOB, lines("a", 20)))
        await store.replace(sized(JOB, lines("b", 20)))
        await store.push(sized(OTHER, lines("a", 19)))
        with pytest.raises(StoreFull, match="40 series"):
            await store.push(sized(OTHER, lines("a", 20)))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(groups=2), r"^3 groups would be stored with this push, and the limit is 2 \(--store.max-groups\)$"),
        (
            Limits(groups_per_job=2),
            r"^3 groups of this job would be stored with this push, and the limit is 2 \(--store.max-groups-per-job\)$",
        ),
    ],
)
async def test_groups_are_bounded(redis_server: RedisServer, limits: Limits, reason: str) -> None:
    third = group(job="j", x="1")
    async with opened(redis_server.url, limits=limits) as store:
        await store.push(write(JOB, family("a")))
        await store.push(write(INSTANCE, family("b")))
        for commit in (store.push, store.replace):
            with pytest.raises(StoreFull, match=reason):
                await commit(write(third, family("c")))
            with pytest.raises(StoreFull, match=reason):  # whatever else is wrong with it: it makes no group
                await commit(write(third, family("a", Type.COUNTER)))
        await store.fail(third)
        assert await store.names() == [JOB.name, INSTANCE.name]
        await store.push(write(JOB, family("c")))
        await store.delete(JOB)
        await store.push(write(third, family("c")))
        await store.wipe()
        await store.push(write(third, family("c")))


async def test_groups_of_another_job_are_not_those_of_this(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, limits=Limits(groups_per_job=1)) as store:
        for number in range(5):
            await store.push(write(group(job=f"j{number}"), family("a")))
            with pytest.raises(StoreFull):
                await store.push(write(group(job=f"j{number}", instance="i"), family("a")))


@pytest.mark.parametrize("limits", [Limits(series=1), Limits(groups=1), Limits(groups_per_job=1)])
async def test_what_has_expired_does_not_count(redis_server: RedisServer, limits: Limits) -> None:
    async with opened(redis_server.url, limits=limits) as store:
        await store.push(write(JOB, family("a"))._replace(lifetime=AT_ONCE))
        await store.push(write(group(job="j", x="1"), family("b"))._replace(lifetime=AT_ONCE))
        await store.fail(INSTANCE)
        await store.expire()
        assert await store.names() == [INSTANCE.name]


async def test_of_pushes_that_come_at_once_just_so_many_pass(redis_server: RedisServer) -> None:
    url, limits = redis_server.url, Limits(series=95, groups=50)
    async with opened(url, limits=limits) as one, opened(url, limits=limits) as two:
        pushes = [
            (one, two)[number % 2].push(sized(group(job="j", n=str(number)), lines(f"m{number}", 2)))
            for number in range(200)
        ]
        results = await asyncio.gather(*pushes, return_exceptions=True)
        assert sum(isinstance(each, StoreFull) for each in results) == 153
        await require_totals(one, url, {"series": 94, "job/j": 47})
